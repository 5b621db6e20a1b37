package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestQueues(t *testing.T) {
	d := newShell(t)
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

func TestDoctorSaysWhatIsTriedAgain(t *testing.T) {
	d := newShell(t)
	id := d.enqueue("x")
	s := d.open()
	row, attempt := claim(t, s, id)
	words := strings.Repeat("the words of the service are told whole; ", 8)
	retryLater(t, s, row, attempt, &task.Failure{Kind: task.Storage, Executed: task.NotExecuted, Message: words + "no space left"})
	d.easel("doctor").wants(t, 0, "1 at sketch wait for another try after storage, such as task 1", "no space left", "easel list --status pending --kind storage")
	d.easel("list", "--status", "pending", "--kind", "storage").wants(t, 0, "the words of the service")
}

// retryLater ends a try so that another follows in an hour.
func retryLater(t *testing.T, s *store.Store, row *task.Task, attempt *task.Attempt, f *task.Failure) {
	t.Helper()
	attempt.State = task.AttemptRejected
	if err := tables.Err(s.Finish(t.Context(), store.Decided{Held: row.Token(), Decision: task.Decision{Status: task.Pending, Delay: time.Hour, FailedTries: 1, Failure: f}, Attempt: attempt})); err != nil {
		t.Fatal(err)
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
	d := newShell(t)
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
