package web

import (
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// night is a world in which little goes.
type night struct{ at time.Time }

func (n night) Operations(context.Context) (*waiting.World, error) {
	return &waiting.World{At: n.at, Redis: "connection refused", Queues: map[string]waiting.Queue{"openai": {Paused: n.at.Add(-time.Hour), Waiting: 3}, "idle": {}}, Gone: []waiting.Worker{{SeenAt: n.at.Add(-time.Minute)}},
		Accounts: map[string][]waiting.Account{"openai": {{Name: "openai/main", Until: n.at.Add(time.Minute), Why: "401: <b>Incorrect</b> API key", Advice: task.GiveKey, About: "OPENAI_API_KEY"}}},
		Oldest:   []waiting.Backlog{{Provider: "openai", Tasks: 7, Since: n.at.Add(-2 * time.Hour)}}}, nil
}

func (n night) Reasons(_ context.Context, tasks []task.Task) (map[int64]*waiting.Reason, error) {
	return map[int64]*waiting.Reason{tasks[0].ID: {Kind: waiting.Closed, Who: waiting.Operator, Name: "openai/main", Said: "401: Incorrect API key"}}, nil
}

// blindNight is a night in which the queues cannot be seen.
type blindNight struct{ night }

func (b blindNight) Operations(ctx context.Context) (*waiting.World, error) {
	w, err := b.night.Operations(ctx)
	w.Queues, w.Accounts = nil, nil
	return w, err
}

func TestOperations(t *testing.T) {
	b := newBench(t)
	b.site.Waits = night{time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)}
	b.add(task.Task{})
	t.Run("The page names what does not go and who says so", func(t *testing.T) {
		b.with(t).has(b.get("/operations"), "Redis does not answer", "connection refused", "No worker is running", "paused", "2026-01-10 11:00:00 UTC",
			"takes no calls until", "401: &lt;b&gt;Incorrect&lt;/b&gt; API key. Set OPENAI_API_KEY in the environment of easel.", "7", "the oldest for 2h")
	})
	t.Run("It does not say that queues are empty which it cannot see", func(t *testing.T) {
		blind := newBench(t)
		blind.site.Waits = blindNight{night{}}
		blind.with(t).has(blind.get("/operations"), "Cannot be seen while Redis does not answer")
		blind.with(t).hasNot(blind.get("/operations"), "nothing is in a queue")
	})
	t.Run("It says when the last worker was seen", func(t *testing.T) {
		b.with(t).has(b.get("/operations"), "The last one was seen at", "2026-01-10 11:59:00 UTC")
	})
	t.Run("It names what waits for another try, and why", func(t *testing.T) {
		full := newBench(t)
		full.site.Waits = night{}
		full.add(task.Task{Request: task.Request{Provider: "openai"}})
		full.exec("UPDATE image_generations SET error_kind = 'storage', error_msg = 'no <space> left'")
		full.add(task.Task{Request: task.Request{Provider: "fal"}})
		full.with(t).has(full.get("/operations"), "Waiting for another try", "1 × storage", "no &lt;space&gt; left")
		b.with(t).hasNot(b.get("/operations"), "Waiting for another try")
	})
	t.Run("It speaks Chinese to those who read it", func(t *testing.T) {
		for _, wanted := range []string{"zh-CN,zh;q=0.9,en;q=0.8", "zh;q=0.9", "fr, zh ;q=0.9, en;q=0.8"} {
			r := httptest.NewRequest("GET", "/operations", nil)
			r.Header.Set("Accept-Language", wanted)
			b.with(t).has(b.do(r).Body.String(), `lang="zh"`, "运行状况", "没有工作进程在运行", "已暂停", "暂停调用")
		}
		r := httptest.NewRequest("GET", "/tasks/1", nil)
		r.Header.Set("Accept-Language", "zh;q=0.9")
		b.with(t).has(b.do(r).Body.String(), `lang="zh"`, "需要谁处理：", "运维人员")
	})
	t.Run("The task's page and the gallery say what it waits for, and the page who has to act", func(t *testing.T) {
		page := b.get("/tasks/1")
		b.with(t).has(page, "waits for the account openai/main", "401: Incorrect API key", "the operator", "Mend it as the service says")
		b.with(t).has(b.get("/"), "waits for the account openai/main", "401: Incorrect API key")
	})
	t.Run("A card of the gallery says an error once", func(t *testing.T) {
		one := newBench(t)
		one.site.Waits = night{}
		one.add(task.Task{})
		one.exec("UPDATE image_generations SET error_kind = 'auth', error_msg = '401: Incorrect API key'")
		if n := strings.Count(one.get("/"), "401: Incorrect API key"); n != 1 {
			t.Errorf("it says it %d times", n)
		}
	})
	t.Run("Without it there is no page", func(t *testing.T) {
		other := newBench(t)
		other.refuses(other.do(httptest.NewRequest("GET", "/operations", nil)), 404, "There is no page at this address.")
	})
}

// away is a database that cannot be reached.
type away struct{ tasks }

func (away) Tally(context.Context, store.Filter) ([]store.Tally, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
}

func TestADatabaseThatIsAwayIsNamed(t *testing.T) {
	b := newBench(t)
	b.site.Tasks = away{b.site.Tasks}
	b.refuses(b.do(httptest.NewRequest("GET", "/", nil)), 503, "The database does not answer")
}

// lockedRows are tasks whose rows an app's transaction holds.
type lockedRows struct{ tasks }

func (lockedRows) Tally(context.Context, store.Filter) ([]store.Tally, error) {
	return nil, &store.Locked{}
}

func TestALockedRowIsNoDatabaseThatIsAway(t *testing.T) {
	b := newBench(t)
	b.site.Tasks = lockedRows{b.site.Tasks}
	b.refuses(b.do(httptest.NewRequest("GET", "/", nil)), 409, "held the row of this task locked")
}
