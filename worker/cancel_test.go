package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestCancel(t *testing.T) {
	inBubble(t, []claim{
		{"Cancelling a waiting task ends it at once and takes its delivery away", func(r *rig) {
			t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}})
			r.in(t.Ref(), queue.Scheduled)
			gone, err := r.client.Cancel(r.Context(), task.Seen{Task: t.ID})
			r.check(err)
			r.same(facts{"Status": gone.Status, "where": r.where(t.Ref())}, facts{"Status": task.Cancelled, "where": queue.Absent})
		}},
		{"Cancelling a running job calls the provider's cancel, and the call ends as the provider says", cancelsJob},
		{"A provider that promises to stop and draws all the same: its picture is kept late", promisedAndDrawn},
		{"A cancel that is honoured late ends the call then, and not before", stoppedLate},
		{"A job that is gone after its cancel has ended with it where the provider deletes them", deletedUpstream},
		{"One of which that was inferred and that calls back all the same is collected", deletedComesBack},
		{"One that had begun stays accepted though the provider deletes jobs, and so does one that begins after its cancel", begunUpstream},
		{"A job that is gone after its cancel stays accepted where the provider deletes none, and is not asked after for ever", goneUpstream},
		{"A job that is gone when another process asks for its end stays accepted", goneTakenOver},
		{"A cancelled job whose worker has died is cancelled upstream and waited for by another", cancelledAndDied},
		{"A process that stops while a cancelled job is drawn leaves it to the next one", cancelledAndDrained},
		{"A retry of a job that is cancelled and still drawn goes on with it in the same process", retrySameProcess},
		{"A batch that is cancelled and drawn all the same is kept beside those before it", cancelledBatch},
		{"Where a job cannot be cancelled its late picture is kept", keepsLateJob},
		{"A cancelled task whose picture has not come says that a retry fetches it, and it does", cancelledOwes},
		{"One that is cancelled while its picture is fetched says so too", cancelledWhileFetched},
		{"A cancel during a call keeps the late picture, and a retry takes it", keepsLateCall},
		{"A picture whose task was deleted meanwhile holds nothing up", deleted},
		{"A retry of a cancelled job that still runs does not buy it again", retryWhileRunning},
		{"A cancelled job that is stopped just when its task is retried is not bought again", retryWhileStopped},
	})
}

func (r *rig) cancel(id int64) {
	r.Helper()
	_, err := r.client.Cancel(r.Context(), task.Seen{Task: id})
	r.check(err)
}

// stops makes the painter take jobs and stop each at once that it is asked to, which stopped says.
func (r *rig) stops(stopped *atomic.Bool) {
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if stopped.Load() {
			return fails(task.Stopped, task.Executed)
		}
		return working(0), nil
	})
	r.painter.cancel = func() error { stopped.Store(true); return nil }
}

// promises makes the painter answer well to a cancel, whatever becomes of the job.
func (r *rig) promises() { r.painter.cancel = func() error { return nil } }

// cancelsDrawing has a task cancelled while its job is drawn, which the painter was asked to stop.
func (r *rig) cancelsDrawing() *task.Task {
	r.Helper()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	r.until("the provider was asked to stop", func() bool { return r.painter.cancels.Load() > 0 })
	return t
}

func promisedAndDrawn(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	r.promises()
	r.start()
	t := r.cancelsDrawing()
	r.passes(time.Minute)
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptAccepted})
	ready.Store(true)
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.until("its cost is on the task", func() bool { return r.get(t.ID).CostMicros != nil })
	late := r.get(t.ID)
	r.same(facts{"Status": late.Status, "CostMicros": *late.CostMicros, "states": r.states(t.ID), "submits": r.painter.submits.Load(), "cancels": r.painter.cancels.Load()},
		facts{"Status": task.Cancelled, "CostMicros": int64(40_000), "states": []task.AttemptState{task.AttemptSucceeded}, "submits": int64(1), "cancels": int64(1)})
}

func stoppedLate(r *rig) {
	var stopped atomic.Bool
	r.stops(&stopped)
	r.promises()
	r.start()
	t := r.cancelsDrawing()
	r.passes(30 * time.Second)
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptAccepted})
	stopped.Store(true)
	r.until("the attempt ends", func() bool { return r.states(t.ID)[0] == task.AttemptFailed })
	polls := r.painter.polls.Load()
	r.passes(time.Minute)
	r.same(facts{"ErrorKind": r.attempts(t.ID)[0].ErrorKind, "polls": r.painter.polls.Load(), "Status": r.get(t.ID).Status},
		facts{"ErrorKind": task.Stopped, "polls": polls, "Status": task.Cancelled})
}

func cancelledAndDied(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	r.promises()
	t := r.leaves(r.accepted)
	r.cancel(t.ID)
	r.start()
	r.start()
	r.until("the provider was asked to stop", func() bool { return r.painter.cancels.Load() > 0 })
	r.passes(time.Minute)
	ready.Store(true)
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.same(facts{"Status": r.get(t.ID).Status, "states": r.states(t.ID), "submits": r.painter.submits.Load(), "cancels": r.painter.cancels.Load()},
		facts{"Status": task.Cancelled, "states": []task.AttemptState{task.AttemptSucceeded}, "submits": int64(0), "cancels": int64(1)})
}

func cancelledAndDrained(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	r.promises()
	first := r.start()
	t := r.cancelsDrawing()
	began := time.Now()
	r.stop(first)
	if took := time.Since(began); took > time.Minute {
		r.Errorf("the process waited for the job for %s", took)
	}
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptAccepted})
	ready.Store(true)
	r.start()
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.same(facts{"Status": r.get(t.ID).Status, "submits": r.painter.submits.Load()}, facts{"Status": task.Cancelled, "submits": int64(1)})
}

func retrySameProcess(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	r.promises()
	r.start()
	t := r.cancelsDrawing()
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.until("it is processed", func() bool { return r.get(t.ID).Status == task.Processing })
	ready.Store(true)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(1), "len results": 1})
}

func cancelledBatch(r *rig) {
	var calls, ready atomic.Bool
	r.painter.can.MaxImages = 1
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		if calls.CompareAndSwap(false, true) {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	}
	r.painter.poll = func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(41, 30)), nil
		}
		return working(0), nil
	}
	r.promises()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	r.until("the second is drawn", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	r.until("the provider was asked to stop", func() bool { return r.painter.cancels.Load() > 0 })
	ready.Store(true)
	r.until("both are kept", func() bool { return len(r.results(t.ID)) == 2 })
	positions := []int{r.results(t.ID)[0].Position, r.results(t.ID)[1].Position}
	r.same(facts{"Status": r.get(t.ID).Status, "positions": positions}, facts{"Status": task.Cancelled, "positions": []int{0, 1}})
}

func cancelsJob(r *rig) {
	r.stops(new(atomic.Bool))
	r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	r.until("the attempt ends", func() bool { return r.states(t.ID)[0] == task.AttemptFailed })
	r.in(t.Ref(), queue.Absent)
	polls := r.painter.polls.Load()
	r.passes(20 * time.Second)
	r.same(facts{"cancels": r.painter.cancels.Load(), "polls": r.painter.polls.Load(), "Status": r.get(t.ID).Status, "ErrorKind": r.attempts(t.ID)[0].ErrorKind},
		facts{"cancels": int64(1), "polls": polls, "Status": task.Cancelled, "ErrorKind": task.Stopped})
}

func keepsLateJob(r *rig) {
	var ready atomic.Bool
	var percent atomic.Int64
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(int(percent.Add(1))), nil
	})
	r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 1 })
	r.cancel(t.ID)
	r.until("the provider refuses", func() bool { return r.painter.cancels.Load() > 0 })
	polls := r.painter.polls.Load()
	r.passes(10 * time.Second)
	if n := r.painter.polls.Load() - polls; n > 25 {
		r.Errorf("it was polled %d times in ten seconds", n)
	}
	ready.Store(true)
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	late := r.get(t.ID)
	r.same(facts{"Status": late.Status, "ImageURL": late.ImageURL, "cancels": r.painter.cancels.Load(), "states": r.states(t.ID)},
		facts{"Status": task.Cancelled, "ImageURL": "", "cancels": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func keepsLateCall(r *rig) {
	taken, answer := r.painter.hangs()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.cancel(t.ID)
	r.passes(5 * time.Second)
	answer <- drawn(pngOf(40, 30))
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.in(t.Ref(), queue.Absent)
	r.same(facts{"Status": r.get(t.ID).Status, "cancels": r.painter.cancels.Load()}, facts{"Status": task.Cancelled, "cancels": int64(0)})

	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func deleted(r *rig) {
	r.svc.Concurrency = 1
	taken, answer := r.painter.hangs()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.exec("DELETE FROM image_generations")
	answer <- drawn(pngOf(40, 30))
	r.in(t.Ref(), queue.Absent)
	next := r.asks()
	answer <- drawn(pngOf(40, 30))
	r.ends(next.ID, task.Completed)
}

func retryWhileRunning(r *rig) {
	var ready atomic.Bool
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	})
	r.start()
	r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	r.until("the provider refuses", func() bool { return r.painter.cancels.Load() > 0 })
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.passes(20 * time.Second)
	ready.Store(true)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(1), "len results": 1})
}

func cancelledOwes(r *rig) {
	_, alive := r.dead()
	r.start()
	t := r.asks()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.cancel(t.ID)
	r.same(r.get(t.ID).ErrorMsg, "it was cancelled after a call was paid for whose picture had not come yet. It is tried again by itself, and not bought again")
	alive()
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load()}, facts{"ErrorMsg": "", "submits": int64(1)})
}

func cancelledWhileFetched(r *rig) {
	gets, _ := r.dead()
	r.start()
	t := r.asks()
	r.until("it is fetched", func() bool { return gets.Load() > 0 && r.get(t.ID).Status == task.Processing })
	r.cancel(t.ID)
	r.until("it says so", func() bool { return strings.Contains(r.get(t.ID).ErrorMsg, "It is tried again by itself") })
	r.same(facts{"Status": r.get(t.ID).Status, "states": r.states(t.ID)}, facts{"Status": task.Cancelled, "states": []task.AttemptState{task.AttemptAnswered}})
}
