package main

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

func TestQueues(t *testing.T) {
	d := newDesk(t)
	d.enqueue("x")
	d.env = []string{"EASEL_LISTEN=127.0.0.1:1"}
	for _, args := range [][]string{{"queues"}, {"queues", "pause", "sketch"}} {
		d.easel(args...).wants(t, 1, "none answers at EASEL_LISTEN=127.0.0.1:1. Start it", "EASEL_QUEUES=write")
	}
	pages := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer pages.Close()
	d.env = []string{"EASEL_LISTEN=" + pages.Listener.Addr().String()}
	d.easel("queues", "pause", "sketch").wants(t, 1, "keeps its queues in its own memory", "the buttons at "+pages.URL+"/queues/")

	d.env = []string{"EASEL_REDIS_URL=redis://" + miniredis.RunT(t).Addr()}
	paused := func() (names []string) {
		t.Helper()
		var got standings
		d.must(&got, "queues")
		for name, q := range got.Queues {
			if !q.Paused.IsZero() {
				names = append(names, name)
			}
		}
		return names
	}
	d.easel("queues", "pause", "sketch").wants(t, 0, "paused: sketch, sketch:high, sketch:low")
	if len(paused()) != 3 {
		t.Errorf("paused are %v", paused())
	}
	d.easel("queues").wants(t, 0, "sketch:high", time.Now().UTC().Format("2006-01-02"))
	d.easel("queues", "resume", "sketch:high").wants(t, 0, "resumed: sketch:high")
	if len(paused()) != 2 {
		t.Errorf("paused are %v", paused())
	}
	d.easel("doctor").wants(t, 0, "easel queues resume sketch")
	d.easel("queues", "resume", "sketch").wants(t, 0, "resumed: sketch")
	if len(paused()) != 0 {
		t.Errorf("paused are %v", paused())
	}
	d.easel("queues", "pause", "skech").wants(t, 2, `"skech" is of no provider`, "sketch")
	d.easel("queues", "pause", "sketch:urgent").wants(t, 2, `no queue "sketch:urgent"`, "sketch:high and sketch:low")
	d.env = []string{"EASEL_REDIS_URL=redis://127.0.0.1:1"}
	d.easel("queues", "pause", "sketch").wants(t, 1, "127.0.0.1:1 does not take it", "easel doctor")
}

func TestWhatDoctorSaysOfWaits(t *testing.T) {
	noon := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	cfg := config{Providers: []providerConfig{{Name: "openai", Accounts: []accountConfig{{Name: "main", KeyVariable: "OPENAI_API_KEY"}}}}}
	for _, c := range []struct {
		claim string
		world waiting.World
		check string
		want  verdict
		says  []string
	}{
		{"A refused key fails, and names the variable",
			waiting.World{Accounts: map[string][]waiting.Account{"openai": {{Name: "openai/main", Until: noon.Add(time.Second), Why: "401: bad key"}}}},
			"account openai/main", bad, []string{"401: bad key", "OPENAI_API_KEY"}},
		{"What ends by itself does not", waiting.World{Accounts: map[string][]waiting.Account{"openai": {{Name: "openai/main", Until: noon.Add(time.Second), Eases: true, Why: "10 failures in a row, the last: 500"}}}},
			"account openai/main", warn, []string{"the last: 500", "status page"}},
		{"Tasks that no worker serves fail, and the last one that did is named",
			waiting.World{Workers: []waiting.Worker{{Providers: []string{"fal"}}}, Gone: []waiting.Worker{{Providers: []string{"openai"}, SeenAt: noon.Add(-time.Hour)}}, Oldest: []waiting.Backlog{{Provider: "openai", Tasks: 3, Since: noon}}},
			"waiting", bad, []string{"3 due at openai", "no worker that runs serves it", "the last one was seen at 2026-01-10 11:00 UTC"}},
		{"Tasks that wait a minute without any worker fail", waiting.World{Gone: []waiting.Worker{{SeenAt: noon.Add(-time.Hour)}}, Oldest: []waiting.Backlog{{Provider: "openai", Tasks: 3, Since: noon.Add(-2 * time.Minute)}}},
			"waiting", bad, []string{"no worker is running", "the last one was seen at 2026-01-10 11:00 UTC"}},
		{"For a moment they may", waiting.World{Oldest: []waiting.Backlog{{Provider: "openai", Tasks: 3, Since: noon.Add(-time.Second)}}}, "waiting", fine, nil},
	} {
		t.Run(c.claim, func(t *testing.T) {
			c.world.At = noon
			for _, f := range waitFindings(cfg, &c.world) {
				if f.Check != c.check {
					continue
				}
				if f.Result != c.want {
					t.Errorf("%+v", f)
				}
				for _, text := range c.says {
					if !strings.Contains(f.Detail+f.Do, text) {
						t.Errorf("%+v does not say %q", f, text)
					}
				}
				return
			}
			t.Error("it finds nothing")
		})
	}
}

func TestDoctorSaysWhatIsTriedAgain(t *testing.T) {
	d := newDesk(t)
	id := d.enqueue("x")
	s := d.open()
	row, attempt := claim(t, s, id)
	words := strings.Repeat("the words of the service are told whole; ", 8)
	retryLater(t, s, row, attempt, &task.Failure{Kind: task.Storage, Message: words + "no space left"})
	d.easel("doctor").wants(t, 0, "1 at sketch wait for another try after storage, such as task 1", "no space left", "easel list --status pending --kind storage")
	d.easel("list", "--status", "pending", "--kind", "storage").wants(t, 0, "the words of the service")
}

// retryLater ends a try so that another follows in an hour.
func retryLater(t *testing.T, s *store.Store, row *task.Task, attempt *task.Attempt, f *task.Failure) {
	t.Helper()
	attempt.State = task.AttemptRejected
	if err := s.Fail(t.Context(), row, task.Decision{Status: task.Pending, Delay: time.Hour, FailedTries: 1, Failure: f}, attempt); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatIsMountedReadOnlyWantsNoRights(t *testing.T) {
	for err, want := range map[error]string{syscall.EROFS: "Mount it", syscall.ENOSPC: "Make room", fs.ErrPermission: "the right", syscall.ENOTDIR: "the right"} {
		if got := mendFolder(errors.Join(err)); !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestRetryHint(t *testing.T) {
	for kind, want := range map[task.Kind]string{task.Moderated: "enqueue them anew", task.Auth: "easel retry --status failed --kind auth --provider openai"} {
		if got := retryHint(store.Tally{ErrorKind: kind, Provider: "openai"}, nil); !strings.Contains(got, want) {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func TestHelpNamesWhatAccountsTake(t *testing.T) {
	d := newDesk(t)
	got := d.must(nil, "help", "environment")
	got.wants(t, 0, "key of the provider midjourney; easel.yaml has to name its base_url\n", "key of the provider openai\n")
	for _, k := range kinds {
		for _, option := range k.Options {
			if !strings.Contains(got.out, option.Name+": "+option.Help+"\n") {
				t.Errorf("%s takes %s, which help does not say", k.Name, option.Name)
			}
		}
	}
	_, example, _ := strings.Cut(got.out, "\n  providers:")
	writeFile(t, "easel.yaml", strings.ReplaceAll("\n  providers:"+example, "\n  ", "\n"))
	d.env = []string{"GATEWAY_KEY=" + canary}
	d.easel("providers", "openai").wants(t, 0, "gateway")
}
