package worker_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// waits is the answer of a job that has not begun.
func waits() provider.Answer {
	a := working(0)
	a.Queued = true
	return a
}

// vanishes makes the painter forget a job when it is asked to stop it, after these answers to
// polls. Before that it says the first of them.
func (r *rig) vanishes(before provider.Answer, after ...provider.Answer) {
	var asked atomic.Int64
	asked.Store(-1)
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if asked.Load() < 0 {
			return before, nil
		}
		if n := int(asked.Add(1)); n <= len(after) {
			return after[n-1], nil
		}
		return fails(task.Expired, task.Unknown)
	})
	r.painter.cancel = func() error { asked.Store(0); return nil }
}

func deletedUpstream(r *rig) { r.deleted() }

// deleted returns a cancelled task whose provider does not know its job any more.
func (r *rig) deleted() *task.Task {
	r.Helper()
	r.painter.can.Deletes = true
	r.vanishes(waits())
	r.start()
	t := r.cancelsDrawing()
	r.until("the attempt ends", func() bool { return r.states(t.ID)[0] == task.AttemptFailed })
	r.same(r.attempts(t.ID)[0].ErrorKind, task.Forgotten)
	return t
}

func deletedComesBack(r *rig) {
	t := r.deleted()
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil })
	r.same(r.found(t.ID), true)
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	got := r.get(t.ID)
	r.same(facts{"Status": got.Status, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"Status": task.Cancelled, "states": []task.AttemptState{task.AttemptSucceeded}, "submits": int64(1)})
}

func begunUpstream(r *rig) {
	r.painter.can.Deletes = true
	r.start()
	for begins, say := range map[string]func(){
		"before": func() { r.vanishes(working(0)) },
		"after":  func() { r.vanishes(waits(), waits(), working(0)) },
	} {
		say()
		t, polls, cancels := r.asks(), r.painter.polls.Load(), r.painter.cancels.Load()
		r.until("the job is polled", func() bool { return r.painter.polls.Load() > polls })
		r.cancel(t.ID)
		r.until("the provider was asked to stop", func() bool { return r.painter.cancels.Load() > cancels })
		r.until("it is given up", func() bool { return r.attempts(t.ID)[0].FinishedAt != nil })
		a := r.attempts(t.ID)[0]
		r.same(facts{"begins": begins, "State": a.State, "ErrorKind": a.ErrorKind, "ErrorAdvice": a.ErrorAdvice},
			facts{"begins": begins, "State": task.AttemptAccepted, "ErrorKind": task.Expired, "ErrorAdvice": task.RetryAsks})
	}
}

func goneTakenOver(r *rig) {
	r.painter.can.Deletes = true
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return fails(task.Expired, task.Unknown) }
	r.painter.cancel = func() error { _, err := fails(task.Expired, task.Unknown); return err }
	t := r.leaves(r.accepted)
	r.cancel(t.ID)
	r.start()
	r.until("it is given up", func() bool { return r.attempts(t.ID)[0].FinishedAt != nil })
	a := r.attempts(t.ID)[0]
	r.same(facts{"State": a.State, "ErrorKind": a.ErrorKind, "cancels": r.painter.cancels.Load()}, facts{"State": task.AttemptAccepted, "ErrorKind": task.Expired, "cancels": int64(1)})
}

func goneUpstream(r *rig) {
	r.vanishes(waits())
	r.start()
	t := r.cancelsDrawing()
	r.until("it is given up", func() bool { return r.attempts(t.ID)[0].FinishedAt != nil })
	polls := r.painter.polls.Load()
	r.passes(2 * time.Minute)
	a := r.attempts(t.ID)[0]
	r.same(facts{"State": a.State, "ErrorKind": a.ErrorKind, "polls": r.painter.polls.Load()}, facts{"State": task.AttemptAccepted, "ErrorKind": task.Expired, "polls": polls})
}

func retryWhileStopped(r *rig) {
	asked, answer := make(chan struct{}), make(chan struct{})
	var next, stopped atomic.Bool
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if next.CompareAndSwap(true, false) {
			close(asked)
			<-answer
		}
		if stopped.Load() {
			return fails(task.Stopped, task.Executed)
		}
		return working(0), nil
	})
	r.promises()
	r.start()
	t := r.cancelsDrawing()
	next.Store(true)
	heard(r, "the cancelled job is polled", asked)
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	stopped.Store(true)
	close(answer)
	r.ends(t.ID, task.Failed)
	r.same(facts{"submits": r.painter.submits.Load(), "ErrorKind": r.get(t.ID).ErrorKind}, facts{"submits": int64(1), "ErrorKind": task.Stopped})
}
