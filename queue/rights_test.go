package queue

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

// as returns a queue whose user may do what the rule says.
func as(t *testing.T, rule string) *Queue {
	t.Helper()
	server := servertest.Redis(t)
	admin, err := Redis(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	args := []any{"ACL", "SETUSER", "app", "on", ">pa55"}
	for _, word := range strings.Fields(rule) {
		args = append(args, word)
	}
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("app", "pa55")
	client, err := Redis(u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &Queue{Redis: client}
}

func TestRights(t *testing.T) {
	for _, c := range []struct {
		claim, rule, missing string
		needed               bool
	}{
		{"Everything is enough", "~* &* +@all", "", false},
		{"The rule that easel names is enough", Rule, "", false},
		{"Scripts are needed", Rule + " -eval -evalsha", "EVALSHA", true},
		{"So are their commands", Rule + " -zadd", "EVALSHA", true},
		{"So are the keys of asynq", strings.Replace(Rule, "~asynq:*", "", 1), "asynq:{", true},
		{"So are those of the limits", strings.Replace(Rule, "~rate:easel:*", "", 1), "rate:easel", true},
		{"So is subscribing", Rule + " -subscribe", "SUBSCRIBE", true},
		{"So are the channels", strings.Replace(Rule, "&easel:*", "", 1), "easel:rings", true},
		{"So are transactions", Rule + " -multi", "MULTI", true},
		{"The size of queues is not", Rule + " -memory", "MEMORY", false},
		{"What Redis says of itself is not", Rule + " -info", "INFO", false},
	} {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			refused, err := as(t, c.rule).Rights(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.missing == "" && len(refused) > 0 {
				t.Errorf("%s is refused: %v", refused[0].Command, refused[0].Err)
			}
			found := c.missing == ""
			for _, r := range refused {
				found = found || strings.Contains(r.Command+" "+r.For, c.missing) && r.Needed == c.needed
			}
			if !found {
				t.Errorf("%s is missing, and it says %+v", c.missing, refused)
			}
		})
	}
}

func TestDashboardWithoutMemory(t *testing.T) {
	q := as(t, Rule+" -memory -info")
	pages, err := q.Dashboard("/queues", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range q.Publish(t.Context(), []Delivery{{Ref: task.Ref{Task: 1}, Provider: "sketch"}}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/queues", "/queues/api/queues", "/queues/api/queues/sketch", "/queues/api/redis_info"} {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s answers %d: %s", path, w.Code, w.Body)
		}
		if path == "/queues/api/queues/sketch" && !strings.Contains(w.Body.String(), `"pending":1`) {
			t.Errorf("the page says %s", w.Body)
		}
	}
}

func TestReadersFindTheRule(t *testing.T) {
	for _, name := range []string{"../docs/operating.md", "../docs/zh/operating.md"} {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), Rule) {
			t.Errorf("%s does not say %q: %v", name, Rule, err)
		}
	}
}
