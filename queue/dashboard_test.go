package queue

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

// board serves q's dashboard below /queues and returns its address.
func board(t *testing.T, q *Queue, readOnly bool) string {
	t.Helper()
	h, err := q.Dashboard("/queues", readOnly)
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/queues/", h)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/queues"
}

// ask sends a request as a browser does for a page of origin.
func ask(t *testing.T, method, url, origin string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(""))
	must(t, err)
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response, string(body)
}

func TestDashboard(t *testing.T) {
	archived := Delivery{Ref: task.Ref{Task: 81234, Delivery: 2}, Provider: "openai", Priority: task.High}
	leave := func(t *testing.T, q *Queue) {
		publishAll(t, q, archived)
		must(t, q.Archive(t.Context(), archived, "moderated: no cats"))
	}
	const run = "/api/queues/openai:high/archived_tasks/81234.2:run"
	onBoth(t, claims{
		"A delivery is shown as the task it stands for, with its reason": func(t *testing.T, q *Queue) {
			leave(t, q)
			_, body := ask(t, "GET", board(t, q, false)+"/api/queues/openai:high/archived_tasks", "")
			for _, part := range []string{"task 81234, delivery 2 — easel show 81234", "archived: moderated: no cats"} {
				if !strings.Contains(body, part) {
					t.Errorf("%q is missing in %s", part, body)
				}
			}
		},
		"The pages are below the path and framed by nobody": func(t *testing.T, q *Queue) {
			response, body := ask(t, "GET", board(t, q, false)+"/", "")
			if response.StatusCode != http.StatusOK || !strings.Contains(body, "/queues/static/") {
				t.Errorf("%s: %.300s", response.Status, body)
			}
			for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s is %q", name, got)
				}
			}
		},
		"Another site's page changes nothing": func(t *testing.T, q *Queue) {
			leave(t, q)
			for method, path := range map[string]string{"POST": run, "DELETE": "/api/queues/openai:high/archived_tasks:delete_all"} {
				response, _ := ask(t, method, board(t, q, false)+path, "https://evil.example")
				if response.StatusCode != http.StatusForbidden || response.Header.Get("X-Frame-Options") != "DENY" {
					t.Errorf("%s: %s", method, response.Status)
				}
			}
			if got := state(t, q, archived); got != Archived {
				t.Errorf("the delivery is %s", got)
			}
		},
		"Its own page may run a delivery, and that counts as a person's Run": func(t *testing.T, q *Queue) {
			leave(t, q)
			url := board(t, q, false)
			if response, body := ask(t, "POST", url+run, strings.TrimSuffix(url, "/queues")); response.StatusCode >= 300 {
				t.Fatalf("%s: %s", response.Status, body)
			}
			if ran, err := q.WasRun(t.Context(), archived); !ran || err != nil || state(t, q, archived) != Pending {
				t.Errorf("%t, %v, it is %s", ran, err, state(t, q, archived))
			}
		},
		"A read-only dashboard changes nothing": func(t *testing.T, q *Queue) {
			leave(t, q)
			if response, _ := ask(t, "POST", board(t, q, true)+run, ""); response.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("it says %s", response.Status)
			}
			if got := state(t, q, archived); got != Archived {
				t.Errorf("the delivery is %s", got)
			}
		},
	})
	t.Run("A payload that is not ours is shown as it is", func(t *testing.T) {
		for data, want := range map[string]string{`{"v":9}`: `{"v":9}`, "\x00": "non-printable bytes"} {
			if got := describe(Type, []byte(data)); got != want {
				t.Errorf("%q is shown as %q", data, got)
			}
		}
	})
	t.Run("A path without a slash is refused", func(t *testing.T) {
		if _, err := (&Queue{}).Dashboard("queues", false); err == nil || !strings.Contains(err.Error(), `"queues"`) {
			t.Error(err)
		}
	})
}

func TestHealthProblems(t *testing.T) {
	well := Health{Version: "7.0", Role: "master", Eviction: "noeviction", AOF: "on", Loading: "no", Skew: time.Second}
	for claim, test := range map[string]struct {
		change func(*Health)
		want   string
	}{
		"A good Redis has no problem":     {func(*Health) {}, ""},
		"A silent Redis has no problem":   {func(h *Health) { *h = Health{unknown, unknown, unknown, unknown, unknown, 0, 0} }, ""},
		"A Redis that evicts is one":      {func(h *Health) { h.Eviction = "allkeys-lru" }, "allkeys-lru"},
		"A replica is one":                {func(h *Health) { h.Role = "slave" }, "replica"},
		"A Redis that still loads is one": {func(h *Health) { h.Loading = "yes" }, "loading"},
		"A Redis that forgets is one":     {func(h *Health) { h.AOF = "off" }, "appendonly"},
		"A clock that is off is one":      {func(h *Health) { h.Skew = -time.Minute }, "1m0s apart"},
	} {
		t.Run(claim, func(t *testing.T) {
			h := well
			test.change(&h)
			got := h.Problems()
			if test.want == "" && len(got) != 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("problems: %q", got)
			}
		})
	}
}
