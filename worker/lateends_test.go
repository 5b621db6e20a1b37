package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestLateCalls(t *testing.T) {
	inBubble(t, []claim{
		{"A cancelled job holds neither its handler nor its slot while the provider draws on", cancelLetsGo},
		{"A worker without the account leaves a late call to one that has it", leftToAccount},
		{"A late call whose adapter panics ends, and is not asked after for ever", lateCallPanics},
		{"A call that nobody has collected for weeks ends without a question", tooOldToAsk},
		{"A job whose time was over is not open any more, and a retry asks after it", timedOutIsClosed},
		{"The deadline of a cancelled task does not give its late picture up", lateWithoutDeadline},
		{"Calls that pause keep none behind them waiting", manyPause},
	})
}

func cancelLetsGo(r *rig) {
	r.svc.Concurrency = 1
	r.svc.Accounts[0].Limits.InFlight = 1
	var first atomic.Bool
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		if first.CompareAndSwap(false, true) {
			return working(0), nil
		}
		return drawn(pngOf(40, 30)), nil
	}
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return working(0), nil }
	r.promises()
	r.start()
	t := r.cancelsDrawing()
	polls := r.painter.polls.Load()
	next := r.asks()
	began := time.Now()
	r.ends(next.ID, task.Completed)
	if took := time.Since(began); took > 30*time.Second {
		r.Errorf("the next task waited for %s", took)
	}
	r.until("the first is polled on", func() bool { return r.painter.polls.Load() > polls+3 })
	r.same(facts{"states": r.states(t.ID), "cancels": r.painter.cancels.Load()}, facts{"states": []task.AttemptState{task.AttemptAccepted}, "cancels": int64(1)})
}

func leftToAccount(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	ready.Store(true)
	r.promises()
	t := r.leaves(r.accepted)
	r.cancel(t.ID)
	other := *r.svc
	other.Accounts = []provider.Account{{Name: "other", Provider: r.painter}}
	r.equip = func(w *worker.Worker) { w.Services = provider.Services{"painter": &other} }
	r.start() // worker-1, the first by its name
	r.passes(3 * time.Minute)
	r.same(facts{"states": r.states(t.ID), "finished": r.attempts(t.ID)[0].FinishedAt != nil}, facts{"states": []task.AttemptState{task.AttemptAccepted}, "finished": false})
	r.equip = nil
	r.start()
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
}

func lateCallPanics(r *rig) {
	r.mayPanic = true
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { panic("no such field") }
	t := r.lost()
	r.found(t.ID)
	r.start()
	r.until("it ends", func() bool { return r.attempts(t.ID)[0].FinishedAt != nil })
	polls := r.painter.polls.Load()
	r.passes(2 * time.Minute)
	a := r.attempts(t.ID)[0]
	r.same(facts{"polls": r.painter.polls.Load() - polls, "State": a.State, "ErrorKind": a.ErrorKind},
		facts{"polls": int64(0), "State": task.AttemptAccepted, "ErrorKind": task.Internal})
}

func tooOldToAsk(r *rig) {
	t := r.lost()
	r.found(t.ID)
	r.exec("UPDATE generation_attempt SET sent_at = '1999-11-01 00:00:00+00:00'")
	r.start()
	r.until("it ends", func() bool { return r.attempts(t.ID)[0].FinishedAt != nil })
	a := r.attempts(t.ID)[0]
	r.same(facts{"polls": r.painter.polls.Load(), "State": a.State, "ErrorKind": a.ErrorKind}, facts{"polls": int64(0), "State": task.AttemptAccepted, "ErrorKind": task.Expired})
}

func timedOutIsClosed(r *rig) {
	var ready atomic.Bool
	r.svc.Deadline = time.Minute
	r.painter.drawsWhen(&ready)
	r.start()
	t := r.asks()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Timeout)
	a, polls := r.attempts(t.ID)[0], r.painter.polls.Load()
	r.passes(2 * time.Minute)
	r.same(facts{"State": a.State, "finished": a.FinishedAt != nil, "polls": r.painter.polls.Load() - polls}, facts{"State": task.AttemptAccepted, "finished": true, "polls": int64(0)})
	ready.Store(true)
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func lateWithoutDeadline(r *rig) {
	gets, alive := r.dead()
	r.start()
	t := r.asks()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.exec("UPDATE image_generations SET deadline_at = '1999-12-31 00:00:00+00:00'")
	r.cancel(t.ID)
	before := gets.Load()
	r.until("it was fetched once more in vain", func() bool { return gets.Load() > before })
	alive()
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
}

func manyPause(r *rig) {
	r.svc.Concurrency = 5
	r.painter.poll = func(_ context.Context, _ int) (provider.Answer, error) { return working(0), nil }
	var ids []int64
	for range 110 {
		t := r.leaves(r.accepted)
		r.cancel(t.ID)
		ids = append(ids, t.ID)
	}
	r.promises()
	r.start()
	r.until("each is asked to stop", func() bool { return r.painter.cancels.Load() >= 110 })
	r.passes(time.Minute)
	r.same(fmt.Sprint(r.painter.cancels.Load(), r.painter.submits.Load(), len(ids)), "110 0 110")
}
