package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
	"github.com/easelqueue/easel/worker/spool"
)

func TestFoundAgain(t *testing.T) {
	inBubble(t, []claim{
		{"A lost call that is found while no worker runs is collected by the next one, and completes its task", foundCollected},
		{"A lost call that is found and that its provider has forgotten says so, and is not asked after for ever", foundForgotten},
		{"A lost call that is found and has failed says why", foundFailed},
		{"A retry of a task whose lost call is being collected goes on with it", foundRetried},
		{"A lost call that a person has called not charged and that is found before another is made is collected, and nothing is bought", foundNotCharged},
		{"One that is found when another was made for it is kept beside the task", foundBeside},
		{"A lost call that a person has given up and that is found is kept beside the task, which stays as he has ended it", foundGivenUp},
		{"One that is found while another call runs is collected meanwhile, and its task goes on with that", foundWhileDrawing},
		{"One that is found so and brings nothing ends, and its task goes on with the other", foundNothing},
		{"A picture that has come so completes the task if the other call fails for good", foundBeforeFailing},
		{"A picture that comes after that completes the task that has failed", foundAfterFailing},
		{"An answer that is found so and is no picture is left to the task, which buys nothing over it", foundUnusable},
		{"A call that is found so is not taken for stalled by the progress of the other", foundSlow},
		{"A call that is found while another runs is collected on when its task is cancelled, and its job is stopped", foundThenCancelled},
		{"A picture of the spool that is not there yet is fetched again", spooledLater},
	})
}

// found lets the only call of the task be found again, as its callback does, and reports
// whether that has changed anything.
func (r *rig) found(id int64) bool {
	r.Helper()
	a := r.attempts(id)[0]
	a.State, a.Handle = task.AttemptAccepted, `{"job":1}`
	changed, err := r.tasks.Record(r.Context(), store.Accepted{Held: r.get(id).Token(), Attempt: a, JobID: "job-1"})
	r.check(err)
	_, err = r.tasks.Record(r.Context(), store.LearntLate{Task: id})
	r.check(err)
	return changed
}

// lost leaves a task that is held over its lost call, and no worker.
func (r *rig) lost() *task.Task {
	r.Helper()
	t := r.leaves(nil)
	p := r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
	r.stop(p)
	return r.get(t.ID)
}

func foundCollected(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	t := r.lost()
	r.same(r.found(t.ID), true)
	r.start()
	r.until("its job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.same(r.get(t.ID).ErrorAdvice, task.Wait)
	ready.Store(true)
	r.until("it is completed", func() bool { return r.get(t.ID).Status == task.Completed })
	done := r.get(t.ID)
	r.same(facts{"CostMicros": *done.CostMicros, "Delivery": done.Delivery, "submits": r.painter.submits.Load(), "cancels": r.painter.cancels.Load(), "states": r.states(t.ID)},
		facts{"CostMicros": int64(40_000), "Delivery": t.Delivery, "submits": int64(0), "cancels": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func foundForgotten(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return fails(task.Expired, task.Unknown) }
	t := r.lost()
	r.found(t.ID)
	r.start()
	r.until("it says so", func() bool { return r.get(t.ID).ErrorKind == task.Expired })
	got, polls := r.get(t.ID), r.painter.polls.Load()
	for _, text := range []string{"has run this call after all", "the painter says expired", "A retry asks after it again"} {
		if !strings.Contains(got.ErrorMsg, text) {
			r.Errorf("%q does not say %q", got.ErrorMsg, text)
		}
	}
	r.passes(2 * time.Minute)
	r.same(facts{"polls": r.painter.polls.Load(), "Status": r.get(t.ID).Status, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"polls": polls, "Status": task.Failed, "states": []task.AttemptState{task.AttemptAccepted}, "submits": int64(0)})
}

func foundFailed(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return fails(task.Moderated, task.Executed) }
	t := r.lost()
	r.found(t.ID)
	r.start()
	r.until("it says so", func() bool { return r.get(t.ID).ErrorKind == task.Moderated })
	r.same(facts{"states": r.states(t.ID), "submits": r.painter.submits.Load()}, facts{"states": []task.AttemptState{task.AttemptFailed}, "submits": int64(0)})
}

func foundRetried(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	t := r.lost()
	r.found(t.ID)
	r.start()
	r.until("its job is polled", func() bool { return r.painter.polls.Load() > 0 })
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.until("it is processed", func() bool { return r.get(t.ID).Status == task.Processing })
	ready.Store(true)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(0), "len results": 1})
}

func foundNotCharged(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t := r.lost()
	_, err := r.tasks.Retry(r.Context(), t.Seen(), true)
	r.check(err)
	r.same(r.found(t.ID), true)
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)}, facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func foundBeside(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t := r.lost()
	_, err := r.tasks.Retry(r.Context(), t.Seen(), true)
	r.check(err)
	r.start()
	before := r.ends(t.ID, task.Completed)
	r.same(r.found(t.ID), true)
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 2 })
	r.passes(time.Minute)
	got := r.get(t.ID)
	r.same(facts{"Status": got.Status, "ImageURL": got.ImageURL, "CostMicros": *got.CostMicros, "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"Status": task.Completed, "ImageURL": before.ImageURL, "CostMicros": int64(80_000), "submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptSucceeded}})
}

func foundGivenUp(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	t := r.lost()
	_, err := r.tasks.GiveUp(r.Context(), t.Seen(), nil)
	r.check(err)
	r.same(r.found(t.ID), true)
	r.start()
	r.until("its job is polled", func() bool { return r.painter.polls.Load() > 0 })
	meanwhile := r.get(t.ID)
	r.same(facts{"ErrorKind": meanwhile.ErrorKind, "ErrorAdvice": meanwhile.ErrorAdvice}, facts{"ErrorKind": task.Charged, "ErrorAdvice": task.Wait})
	ready.Store(true)
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.passes(time.Minute)
	got := r.get(t.ID)
	r.same(facts{"Status": got.Status, "ErrorAdvice": got.ErrorAdvice, "CostMicros": *got.CostMicros, "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"Status": task.Failed, "ErrorAdvice": task.RetryTakes, "CostMicros": int64(40_000), "submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}})
}

// foundWhile leaves a task whose first call was lost and called not charged, and found once its second
// call is taken.
func (r *rig) foundWhile(taken <-chan struct{}) *task.Task {
	r.Helper()
	t := r.lost()
	_, err := r.tasks.Retry(r.Context(), t.Seen(), true)
	r.check(err)
	r.start()
	<-taken
	r.same(r.found(t.ID), true)
	return t
}

// foundBesideAnother leaves a task whose first call was lost and called not charged, and found while its second call
// runs: that is answered with what the caller sends.
func (r *rig) foundBesideAnother() (*task.Task, chan<- provider.Answer) {
	r.Helper()
	taken, answer := r.painter.hangs()
	return r.foundWhile(taken), answer
}

func foundWhileDrawing(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t, answer := r.foundBesideAnother()
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.same(facts{"Status": r.get(t.ID).Status, "states": r.states(t.ID)},
		facts{"Status": task.Processing, "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptSending}})
	answer <- drawn(pngOf(42, 30))
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"results": len(r.results(t.ID)), "Width": *done.Width, "CostMicros": *done.CostMicros, "submits": r.painter.submits.Load()},
		facts{"results": 2, "Width": 42, "CostMicros": int64(80_000), "submits": int64(1)})
}

func foundNothing(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return fails(task.Moderated, task.Executed) }
	t, answer := r.foundBesideAnother()
	r.until("its call has ended", func() bool { return r.states(t.ID)[0] == task.AttemptFailed })
	r.same(r.get(t.ID).Status, task.Processing)
	answer <- drawn(pngOf(42, 30))
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"results": len(r.results(t.ID)), "ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load()}, facts{"results": 1, "ErrorMsg": "", "submits": int64(1)})
}

func foundBeforeFailing(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t, answer := r.foundBesideAnother()
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	answer <- provider.Answer{Done: true} // without a picture
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Width": *done.Width, "CostMicros": *done.CostMicros, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"Width": 41, "CostMicros": int64(40_000), "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptFailed}, "submits": int64(1)})
}

func foundAfterFailing(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	poll := r.painter.poll
	t, answer := r.foundBesideAnother()
	r.painter.poll = poll
	answer <- provider.Answer{Done: true}
	r.ends(t.ID, task.Failed)
	ready.Store(true)
	r.until("it is completed", func() bool { return r.get(t.ID).Status == task.Completed })
	r.same(facts{"ErrorMsg": r.get(t.ID).ErrorMsg, "ErrorKind": r.get(t.ID).ErrorKind, "results": len(r.results(t.ID)), "submits": r.painter.submits.Load()},
		facts{"ErrorMsg": "", "ErrorKind": task.Kind(""), "results": 1, "submits": int64(1)})
}

// foundBesideWaiting is foundBesideAnother whose second call is refused when the test says so, however long that takes.
func (r *rig) foundBesideWaiting() (*task.Task, chan<- struct{}) {
	r.Helper()
	taken, refuse := make(chan struct{}, 100), make(chan struct{})
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		taken <- struct{}{}
		<-refuse
		return fails(task.Unavailable, task.NotExecuted)
	}
	return r.foundWhile(taken), refuse
}

func foundUnusable(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn([]byte("this is no picture")), nil }
	t, refuse := r.foundBesideWaiting()
	r.until("it is answered", func() bool { return r.states(t.ID)[0] == task.AttemptAnswered })
	r.passes(time.Minute)
	close(refuse)
	got := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorAdvice": got.ErrorAdvice, "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"ErrorAdvice": task.RetryCollects, "submits": int64(1), "states": []task.AttemptState{task.AttemptAnswered, task.AttemptRejected}})
}

func foundSlow(r *rig) {
	var ready atomic.Bool
	r.painter.poll = func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	}
	t, refuse := r.foundBesideWaiting()
	r.exec("UPDATE image_generations SET progress = 50")
	r.passes(12 * time.Minute)
	r.same(r.attempts(t.ID)[0].FinishedAt == nil, true)
	ready.Store(true)
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	close(refuse)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func foundThenCancelled(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	t, answer := r.foundBesideAnother()
	r.until("its job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	answer <- drawn(pngOf(42, 30))
	r.until("its job is to be stopped", func() bool { return r.painter.cancels.Load() > 0 })
	ready.Store(true)
	r.until("both pictures are kept", func() bool { return len(r.results(t.ID)) == 2 })
	r.same(r.get(t.ID).Status, task.Cancelled)
}

func spooledLater(r *rig) {
	var l left
	r.equip = func(w *worker.Worker) { w.Spool = &l }
	gets, alive := r.dead()
	t := r.leaves(nil)
	r.start()
	r.ends(t.ID, task.Failed)
	l.entries.Store(&[]spool.Entry{r.spooled(t.ID, at(r.host+"/1"))})
	r.until("it was fetched in vain", func() bool { return gets.Load() > 2 })
	r.same(r.get(t.ID).Status, task.Failed)
	alive()
	r.until("it is completed", func() bool { return r.get(t.ID).Status == task.Completed })
	r.same(r.painter.submits.Load(), int64(0))
}
