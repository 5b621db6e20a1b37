package waiting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var noon = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

// due is a task that somebody should begin, and well a world in which somebody would.
func due() task.Task {
	published := noon.Add(-time.Minute)
	return task.Task{ID: 1, Request: task.Request{Provider: "openai", RunAt: noon.Add(-2 * time.Minute)}, Standing: task.Standing{Status: task.Pending, CreatedAt: noon.Add(-time.Hour), PublishedAt: &published}}
}

func well() *World {
	return &World{At: noon, Workers: []Worker{{ID: "w-1", Providers: []string{"openai"}}}, Queues: map[string]Queue{"openai": {Waiting: 7}},
		Accounts: map[string][]Account{"openai": {{Name: "openai/main", Places: 4}}}}
}

func TestWhyATaskWaits(t *testing.T) {
	soon := noon.Add(time.Minute)
	for _, c := range []struct {
		claim  string
		change func(t *task.Task, w *World)
		call   *Call
		kind   Kind
		who    Who
		text   string
	}{
		{"Others are before it", func(*task.Task, *World) {}, nil, Turn, Nobody, "7 in its queue"},
		{"None is before it, and a worker has put it off", func(_ *task.Task, w *World) { w.Queues["openai"] = Queue{} }, nil, Next, Nobody, "in a moment"},
		{"It was scheduled", func(t *task.Task, _ *World) { t.RunAt = soon }, nil, Scheduled, Nobody, "until 2026-01-10 12:01:00 UTC"},
		{"It is tried again", func(t *task.Task, _ *World) { t.RunAt, t.ErrorKind, t.ErrorMsg = soon, task.Unavailable, "it was busy" }, nil, Retry, Nobody, "it was busy"},
		{"A key that is refused is the operator's", func(t *task.Task, _ *World) { t.RunAt, t.ErrorKind, t.ErrorMsg = soon, task.Auth, "bad key" }, nil, Retry, Operator, "bad key"},
		{"Storage is full", func(t *task.Task, _ *World) { t.RunAt, t.ErrorKind, t.ErrorMsg = soon, task.Storage, "no space left" }, nil, Storage, Operator, "no space left"},
		{"Redis is away", func(_ *task.Task, w *World) { w.Redis = "connection refused" }, nil, RedisAway, Operator, "connection refused"},
		{"No worker runs", func(_ *task.Task, w *World) { w.Workers = nil }, nil, NoWorker, Operator, "none is running"},
		{"None that runs serves it", func(t *task.Task, _ *World) { t.Provider = "opnai" }, nil, Unserved, Operator, "serves opnai"},
		{"The last worker that served it is gone", func(t *task.Task, w *World) {
			t.Provider = "fal"
			w.Gone = []Worker{{Providers: []string{"fal"}, SeenAt: noon.Add(-time.Minute)}, {Providers: []string{"bfl"}, SeenAt: noon}}
		}, nil, Unserved, Operator, "the last one that did was seen at 2026-01-10 11:59 UTC"},
		{"The last worker of all is gone", func(_ *task.Task, w *World) {
			w.Workers, w.Gone = nil, []Worker{{Providers: []string{"bfl"}, SeenAt: noon}}
		}, nil, NoWorker, Operator, "none is running; the last one was seen at 2026-01-10 12:00 UTC"},
		{"Storage that is just tried again is the operator's", func(t *task.Task, _ *World) {
			t.RunAt, t.ErrorKind, t.ErrorMsg = noon.Add(-10*time.Second), task.Storage, "no space left"
		}, &Call{State: task.AttemptAnswered}, Storage, Operator, "no space left"},
		{"What storage did not take once, and is due for long, waits for its turn", func(t *task.Task, _ *World) {
			t.ErrorKind, t.ErrorMsg = task.Storage, "no space left"
		}, &Call{State: task.AttemptAnswered}, Turn, Nobody, "7 in its queue"},
		{"Nobody has brought it to the queue", func(t *task.Task, _ *World) { t.PublishedAt = nil }, nil, Unpublished, Nobody, "brought to the queue"},
		{"Its queue is paused", func(_ *task.Task, w *World) { w.Queues["openai"] = Queue{Paused: noon.Add(-time.Hour)} }, nil, Paused, Operator, "since 2026-01-10 11:00 UTC"},
		{"Another queue of its provider is paused", func(_ *task.Task, w *World) { w.Queues["openai:high"] = Queue{Paused: noon} }, nil, Turn, Nobody, ""},
		{"Its own one of three is paused", func(t *task.Task, w *World) { t.Priority, w.Queues["openai:high"] = task.High, Queue{Paused: noon} }, nil, Paused, Operator, "openai:high"},
		{"Its account is closed", func(_ *task.Task, w *World) {
			w.Accounts["openai"][0].Until, w.Accounts["openai"][0].Why = soon, "401: Incorrect API key"
		}, nil, Closed, Operator, "until 2026-01-10 12:01:00 UTC: 401: Incorrect API key"},
		{"A short pause of the account is nobody's", func(_ *task.Task, w *World) {
			w.Accounts["openai"][0].Until, w.Accounts["openai"][0].Eases = soon, true
		}, nil, Closed, Nobody, "until 2026-01-10 12:01:00 UTC"},
		{"A long one is the operator's", func(_ *task.Task, w *World) {
			w.Accounts["openai"][0].Until, w.Accounts["openai"][0].Eases = noon.Add(time.Hour), true
		}, nil, Closed, Operator, "until 2026-01-10 13:00:00 UTC"},
		{"What was bought needs no account", func(_ *task.Task, w *World) { w.Accounts["openai"][0].Until = soon }, &Call{State: task.AttemptAccepted}, Turn, Nobody, ""},
		{"One account of two is enough", func(_ *task.Task, w *World) {
			w.Accounts["openai"][0].Until = soon
			w.Accounts["openai"] = append(w.Accounts["openai"], Account{Name: "openai/b"})
		}, nil, Turn, Nobody, ""},
		{"All places are taken", func(_ *task.Task, w *World) { w.Accounts["openai"][0].InFlight = 4 }, nil, Full, Nobody, "4 calls are under way"},
		{"The rate is used up", func(_ *task.Task, w *World) {
			w.Accounts["openai"][0].PerMinute, w.Accounts["openai"][0].Spent = 50, soon
		}, nil, Rate, Nobody, "its 50 calls a minute are used up, until 2026-01-10 12:01:00 UTC"},
		{"Not everything can be seen", func(_ *task.Task, w *World) { w.Blind = true }, nil, Unknown, Nobody, "cannot be seen"},
		{"A worker has it", func(t *task.Task, _ *World) { t.Status, t.Worker = task.Processing, "w-1" }, nil, Preparing, Nobody, "w-1"},
		{"The provider is called", func(t *task.Task, _ *World) { t.Status, t.Worker = task.Processing, "w-1" }, &Call{State: task.AttemptSending, SentAt: noon}, Calling, Nobody, "the answer of openai"},
		{"The provider draws", func(t *task.Task, _ *World) { t.Status, t.Worker = task.Processing, "w-1" }, &Call{State: task.AttemptAccepted}, Drawing, Nobody, "drawn by openai"},
		{"Its pictures are stored", func(t *task.Task, _ *World) { t.Status, t.Worker = task.Processing, "w-1" }, &Call{State: task.AttemptAnswered}, Keeping, Nobody, "stored"},
		{"Storage that does not take them is the operator's, also while it is tried", func(t *task.Task, _ *World) {
			t.Status, t.Worker, t.ErrorKind, t.ErrorMsg = task.Processing, "w-1", task.Storage, "no space left"
		}, &Call{State: task.AttemptAnswered}, Storage, Operator, "no space left"},
		{"It is being cancelled", func(t *task.Task, _ *World) {
			t.Status, t.Worker, t.CancelRequestedAt = task.Processing, "w-1", &noon
		}, nil, Cancelling, Nobody, "cancelled"},
		{"Its worker is gone", func(t *task.Task, _ *World) { t.Status, t.Worker = task.Processing, "w-2" }, nil, LostWorker, Nobody, "w-2"},
		{"The app keeps it", func(t *task.Task, _ *World) { t.Status = task.Processing }, nil, App, Developer, "the app itself"},
		{"Nobody knows what was billed", func(t *task.Task, _ *World) { t.Status, t.ErrorKind = task.Failed, task.OutcomeUnknown }, nil, Decision, Operator, "a person"},
		{"Its call was found again, and waits to be collected", func(t *task.Task, _ *World) { t.Status, t.ErrorKind = task.Failed, task.OutcomeUnknown }, &Call{State: task.AttemptAccepted}, Collect, Nobody, "openai has run its call after all"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			one, w := due(), well()
			c.change(&one, w)
			r := w.Why(&one, c.call)
			if r == nil {
				t.Fatal("it waits for nothing")
			}
			if r.Kind != c.kind || r.Who != c.who || !strings.Contains(r.Sentence(human.English), c.text) {
				t.Errorf("got %s, %s: %s", r.Kind, r.Who, r.Sentence(human.English))
			}
			if (r.Remedy(human.English) == "") != (r.Who == Nobody) {
				t.Errorf("%s acts, and what to do is %q", r.Who, r.Remedy(human.English))
			}
			if strings.Contains(r.Sentence(human.Chinese)+r.Sentence(human.English), "%!") || strings.Contains(r.Sentence(human.Chinese), "since") || strings.Contains(r.Remedy(human.English), "%") ||
				r.Sentence(human.Chinese) == r.Sentence(human.English) || r.Actor(human.Chinese) == "" {
				t.Errorf("in Chinese: %s", r.Sentence(human.Chinese))
			}
		})
	}
	t.Run("What can be done about a refusal is told in the reader's language, and not in the words of the reason", func(t *testing.T) {
		refused := (&task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "openai refuses the key", Advice: task.GiveKey, About: "OPENAI_API_KEY"}).RowError()
		one, w := due(), well()
		one.RunAt, one.RowError = soon, refused
		closed := due()
		w.Accounts["openai"][0].Until, w.Accounts["openai"][0].Why = soon, "openai refuses the key"
		w.Accounts["openai"][0].Advice, w.Accounts["openai"][0].About = task.GiveKey, "OPENAI_API_KEY"
		for _, r := range []*Reason{w.Why(&one, nil), w.Why(&closed, nil)} {
			got := [...]string{r.Said, r.Remedy(human.English), r.Remedy(human.Chinese)}
			want := [...]string{"openai refuses the key", "Set OPENAI_API_KEY in the environment of easel; it is tried again by itself", "请在 easel 的环境变量里设置 OPENAI_API_KEY；会自动再试"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", r.Kind, diff)
			}
		}
	})
	t.Run("What has ended waits for nothing", func(t *testing.T) {
		one := due()
		one.Status = task.Completed
		if r := well().Why(&one, nil); r != nil {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("Programs read the sentence too, and a world survives its JSON", func(t *testing.T) {
		text, err := json.Marshal(Reason{Kind: NoWorker, Who: Operator})
		if err != nil || !strings.Contains(string(text), `"text":"waits for a worker: none is running"`) {
			t.Errorf("%s, %v", text, err)
		}
		var again World
		text, _ = json.Marshal(well())
		if err := json.Unmarshal(text, &again); err != nil || !cmp.Equal(&again, well()) {
			t.Errorf("%v: %s", err, cmp.Diff(well(), &again))
		}
	})
}

// asked counts what a Looker asks.
type asked struct{ rows, redis int }

func (a *asked) Now(context.Context) (time.Time, error) { a.rows++; return noon, nil }
func (a *asked) WorkersSeen(context.Context) ([]store.Worker, error) {
	a.rows++
	return []store.Worker{{ID: "w-1", Providers: ",openai,", LeaseUntil: noon.Add(time.Second)},
		{ID: "w-0", Providers: ",fal,", SeenAt: noon.Add(-time.Minute), LeaseUntil: noon.Add(-time.Minute)}}, nil
}
func (a *asked) LastCalls(context.Context, []int64) (map[int64]store.LastCall, error) {
	a.rows++
	return nil, nil
}
func (a *asked) Backlog(context.Context) ([]store.Backlog, error) {
	return nil, errors.New("not for lists")
}
func (a *asked) Infos(context.Context, []string) (map[string]queue.Info, error) {
	a.redis++
	return nil, nil
}
func (a *asked) Status(context.Context, string) (limit.Status, error) {
	a.redis++
	return limit.Status{ClosedUntil: noon.Add(time.Hour), Why: limit.Why{Reason: "401"}}, nil
}

func (a *asked) Spent(context.Context, string, int) (time.Duration, error) { a.redis++; return 0, nil }

func TestAWorkerWhoseLeaseIsOverIsGone(t *testing.T) {
	a := &asked{}
	w, err := (&Looker{Tasks: a}).Look(t.Context())
	if err != nil || len(w.Workers) != 1 || w.Workers[0].ID != "w-1" || len(w.Gone) != 1 || w.Gone[0].ID != "w-0" {
		t.Errorf("%+v, %v", w, err)
	}
}

// slow is a Redis that does not answer in time.
type slow struct{ asked }

func (*slow) Infos(context.Context, []string) (map[string]queue.Info, error) {
	return nil, fmt.Errorf("queue: redis does not answer: %w", context.DeadlineExceeded)
}

func TestARedisThatIsSilentIsNamedInPlainWords(t *testing.T) {
	s := &slow{}
	w, err := (&Looker{Tasks: s, Queues: s, Limits: s}).Look(t.Context())
	if err != nil || w.Redis != "it has not answered within 1.5s" {
		t.Errorf("%q, %v", w.Redis, err)
	}
}

func TestAListCostsNoMoreThanOne(t *testing.T) {
	a := &asked{}
	l := &Looker{Tasks: a, Queues: a, Limits: a, Services: provider.Services{"openai": {Name: "openai", Accounts: []provider.Account{{Name: "main"}}}}}
	var tasks []task.Task
	for id := range 100 {
		one := due()
		one.ID = int64(id + 1)
		tasks = append(tasks, one)
	}
	why, err := l.Reasons(t.Context(), tasks)
	if err != nil || len(why) != 100 || why[100].Kind != Closed {
		t.Fatalf("%v, %d reasons", err, len(why))
	}
	if *a != (asked{rows: 3, redis: 3}) {
		t.Errorf("a hundred tasks ask %+v", *a)
	}
}
