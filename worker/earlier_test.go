package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestCallOfBeforeAFallback(t *testing.T) {
	inBubble(t, []claim{
		{"A call of before a fallback that is found when the task is completed is kept beside it, at the price of its own provider", earlierBeside},
		{"What it cost is not known where prices go by the model, which nobody knows any more", earlierOfModels},
		{"One that is found while the fallback waits is collected, and the fallback draws nothing", earlierCollected},
		{"One that is found and was not billed has the fallback draw", earlierUnbilled},
		{"A worker without its account leaves it to one that serves both providers", earlierElsewhere},
		{"Where no worker has its account the fallback draws, and it is collected late by one that comes", earlierNowhere},
		{"Nor does the fallback draw then over a later call of unknown outcome", earlierBeforeUnknown},
		{"What is found never to have been made is made at the provider that the row names", earlierOfMoved},
	})
}

// fellBack leaves a task whose call at the painter was lost, was called not charged, and that has gone to the
// rival, which does as submit says.
func (r *rig) fellBack(submit func(context.Context, provider.Call) (provider.Answer, error)) (*task.Task, *painter) {
	r.Helper()
	r.painter.submit = refuses(task.ProviderError, task.Unknown)
	rival := r.rival()
	if submit != nil {
		rival.submit = submit
	}
	t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival:quill"]`, Model: "brush"}})
	p := r.start()
	held := r.ends(t.ID, task.Failed)
	r.painter.submit = refuses(task.Billing, task.NotExecuted)
	_, err := r.tasks.Retry(r.Context(), held.Seen(), true)
	r.check(err)
	r.until("the rival is asked", func() bool { return rival.submits.Load() > 0 })
	if submit == nil {
		r.ends(t.ID, task.Completed)
	}
	r.stop(p)
	return r.get(t.ID), rival
}

// busy refuses calls for a while.
func busy(context.Context, provider.Call) (provider.Answer, error) {
	return provider.Answer{}, &task.Failure{Kind: task.RateLimited, Executed: task.NotExecuted, RetryAfter: 2 * time.Minute, Message: "too fast"}
}

func earlierBeside(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	ready.Store(true)
	poll := r.painter.poll
	t, rival := r.fellBack(nil)
	r.painter.poll = poll
	r.same(r.found(t.ID), true)
	r.start()
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 2 })
	got, a := r.get(t.ID), r.attempts(t.ID)[0]
	r.same(facts{"Status": got.Status, "Provider": got.Provider, "State": a.State, "CostMicros": *a.CostMicros, "sum": *got.CostMicros, "Model": r.results(t.ID)[0].Model, "submits": rival.submits.Load()},
		facts{"Status": task.Completed, "Provider": "rival", "State": task.AttemptSucceeded, "CostMicros": int64(40_000), "sum": int64(40_000), "Model": "", "submits": int64(1)})
}

func earlierOfModels(r *rig) {
	r.svc.Prices = append(r.svc.Prices, provider.Price{Model: "brush", Micros: 70_000, Currency: "USD"}, provider.Price{Model: "quill", Micros: 1, Currency: "USD"})
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t, _ := r.fellBack(nil)
	r.found(t.ID)
	r.start()
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 2 })
	r.same(r.attempts(t.ID)[0].CostMicros == nil, true)
}

func earlierCollected(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t, rival := r.fellBack(busy)
	r.same(r.found(t.ID), true)
	submits := rival.submits.Load()
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"len results": len(r.results(t.ID)), "CostMicros": *done.CostMicros, "submits": rival.submits.Load(), "painter": r.painter.submits.Load()},
		facts{"len results": 1, "CostMicros": int64(40_000), "submits": submits, "painter": int64(2)})
}

func earlierUnbilled(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) {
		return provider.Answer{}, &task.Failure{Kind: task.ProviderError, Executed: task.Executed, Unbilled: true, Message: "CUDA error"}
	}
	t, rival := r.fellBack(busy)
	r.found(t.ID)
	rival.submit = newPainter().submit
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Provider": done.Provider, "first": r.states(t.ID)[0], "len results": len(r.results(t.ID))},
		facts{"Provider": "rival", "first": task.AttemptFailed, "len results": 1})
}

// without is a worker that does not have the account of the painter.
func (r *rig) without(rival string) func(w *worker.Worker) {
	return func(w *worker.Worker) { w.Services = provider.Services{rival: r.services[rival]} }
}

func earlierElsewhere(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t, rival := r.fellBack(busy)
	r.found(t.ID)
	submits := rival.submits.Load()
	rival.submit = newPainter().submit
	r.check(r.tasks.Heartbeat(r.Context(), store.Worker{ID: "another", Providers: ",painter,rival,"}, time.Hour))
	r.equip = r.without("rival")
	r.start()
	r.passes(3 * time.Minute)
	r.same(facts{"Status": r.get(t.ID).Status, "submits": rival.submits.Load()}, facts{"Status": task.Pending, "submits": submits})
	r.equip = nil
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"states": r.states(t.ID)[0], "len results": len(r.results(t.ID)), "submits": rival.submits.Load()},
		facts{"states": task.AttemptSucceeded, "len results": 1, "submits": submits})
}

func earlierNowhere(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t, rival := r.fellBack(busy)
	r.found(t.ID)
	rival.submit = newPainter().submit
	r.equip = r.without("rival")
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"first": r.states(t.ID)[0], "len results": len(r.results(t.ID))}, facts{"first": task.AttemptAccepted, "len results": 1})
	r.equip = nil
	r.start()
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 2 })
	r.same(facts{"Status": r.get(t.ID).Status, "first": r.states(t.ID)[0]}, facts{"Status": task.Completed, "first": task.AttemptSucceeded})
}

func earlierBeforeUnknown(r *rig) {
	t, rival := r.fellBack(refuses(task.ProviderError, task.Unknown))
	r.same(r.get(t.ID).ErrorKind, task.OutcomeUnknown)
	r.found(t.ID)
	_, err := r.tasks.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.equip = r.without("rival")
	r.start()
	held := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": held.ErrorKind, "submits": rival.submits.Load(), "states": r.states(t.ID)},
		facts{"ErrorKind": task.OutcomeUnknown, "submits": int64(1), "states": []task.AttemptState{task.AttemptAccepted, task.AttemptRejected, task.AttemptUnknown}})
}

func earlierOfMoved(r *rig) {
	rival := r.rival()
	t := r.lost()
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Expired, task.NotExecuted) }
	r.exec("UPDATE image_generations SET provider = 'rival', model = 'quill'")
	_, err := r.tasks.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.start()
	r.ends(t.ID, task.Completed)
	a := r.attempts(t.ID)
	r.same(facts{"first": a[0].ErrorKind, "Provider": a[1].Provider, "painter": r.painter.submits.Load(), "rival": rival.submits.Load()},
		facts{"first": task.Forgotten, "Provider": "rival", "painter": int64(0), "rival": int64(1)})
}
