package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestDeadWorkers(t *testing.T) {
	inBubble(t, []claim{
		{"A dead worker's task is taken back within a lease and a look", takenBack},
		{"An accepted job whose worker died is resumed by its handle", resumed},
		{"An answer whose worker died is kept and not bought again", answeredByTheDead},
		{"A lost call that is found is not made again", lostAndFound},
		{"A lost job that is found is polled", lostJobFound},
		{"A lost call that never happened is made once", neverHappened},
		{"A job that was bought does not wait for a closed account", resumedWhileClosed},
		{"A lost call that never happened waits for a closed account", neverHappenedWhileClosed},
		{"A lost call that failed fails its task", lostAndFailed},
		{"A lost call that nobody can tell about is held as in doubt", inDoubt},
		{"A question that does not get through proves nothing and is asked again", unasked},
		{"A question that never gets through ends as in doubt", neverAsked},
		{"A handle that came while others looked for its call is not forgotten", cameMeanwhile},
		{"A task over which three workers died is parked", poison},
		{"A claim whose answer was lost is given back by its own worker", lostClaim},
		{"A job through an account that is gone is held as in doubt after its time", accountGone},
		{"A job at a provider that the row no longer names is held as in doubt", providerChanged},
	})
}

// leaves makes a row as a worker that died left it: claimed, and with an attempt
// that has come as far as f took it.
func (r *rig) leaves(f func(t *task.Task, a *task.Attempt)) *task.Task {
	r.Helper()
	t := r.asks()
	c, _, err := r.tasks.Claim(r.Context(), t.Ref(), "the dead", r.lease)
	r.check(err)
	a := &task.Attempt{Key: uuid.NewString(), Provider: "painter", Account: "main", Endpoint: "/draw"}
	r.check(r.tasks.Begin(r.Context(), c.Task, a))
	if f != nil {
		f(c.Task, a)
	}
	return t
}

func (r *rig) accepted(t *task.Task, a *task.Attempt) {
	r.Helper()
	a.State, a.Handle = task.AttemptAccepted, `{"job":1}`
	r.check(r.tasks.Accept(r.Context(), t, a, "job-1"))
}

func takenBack(r *rig) {
	t := r.asks()
	_, _, err := r.tasks.Claim(r.Context(), t.Ref(), "the dead", r.lease)
	r.check(err)
	began := time.Now()
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same([]any{done.Crashes, r.painter.submits.Load()}, []any{1, int64(1)})
	if took := time.Since(began); took > r.lease+3*r.every {
		r.Errorf("it took %s", took)
	}
	r.in(done.Ref(), queue.Absent)
}

func resumed(r *rig) {
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	t := r.leaves(r.accepted)
	r.start()
	r.ends(t.ID, task.Completed)
	r.same([]int64{r.painter.submits.Load(), r.painter.polls.Load(), r.painter.recovers.Load()}, []int64{0, 1, 0})
}

func answeredByTheDead(r *rig) {
	t := r.leaves(func(t *task.Task, a *task.Attempt) {
		text, err := json.Marshal(map[string]any{"outputs": drawn(pngOf(40, 30)).Outputs})
		r.check(err)
		a.State, a.Answer = task.AttemptAnswered, string(text)
		r.check(r.tasks.Answer(r.Context(), t, a, ""))
	})
	r.start()
	r.ends(t.ID, task.Completed)
	r.same([]any{r.painter.submits.Load(), len(r.results(t.ID))}, []any{int64(0), 1})
}

func lostAndFound(r *rig) {
	var asked provider.Lost
	r.painter.recover = func(l provider.Lost) (provider.Answer, error) { asked = l; return drawn(pngOf(40, 30)), nil }
	t := r.leaves(nil)
	r.start()
	r.ends(t.ID, task.Completed)
	a := r.attempts(t.ID)[0]
	r.same([]any{asked.Key, asked.Endpoint, asked.SentAt.Equal(a.SentAt), *a.CostMicros}, []any{a.Key, "/draw", true, int64(40_000)})
	r.same(r.painter.submits.Load(), int64(0))
}

func lostJobFound(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return working(10), nil }
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	t := r.leaves(nil)
	r.start()
	r.ends(t.ID, task.Completed)
	r.same([]int64{r.painter.submits.Load(), r.painter.recovers.Load(), r.painter.polls.Load()}, []int64{0, 1, 1})
}

func neverHappened(r *rig) {
	r.svc.Timeout = r.lease
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Invalid, task.No) }
	t := r.leaves(nil)
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same([]any{r.states(t.ID), done.Attempt}, []any{[]task.State{task.AttemptRejected, task.AttemptSucceeded}, 0})
	r.same([]int64{r.painter.submits.Load(), r.painter.recovers.Load()}, []int64{1, 2})
	all := r.attempts(t.ID)
	if waited := all[1].SentAt.Sub(all[0].SentAt); waited < r.svc.Timeout+r.lease {
		r.Errorf("it was made again after %s, when the first may still have been on its way", waited)
	}
}

func resumedWhileClosed(r *rig) {
	r.check(r.limiter.Close(r.Context(), "painter/main", time.Hour, "maintenance"))
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	t := r.leaves(r.accepted)
	r.start()
	began := time.Now()
	r.ends(t.ID, task.Completed)
	if took := time.Since(began); took > time.Minute {
		r.Errorf("it took %s", took)
	}
}

func neverHappenedWhileClosed(r *rig) {
	r.svc.Timeout = time.Millisecond
	r.check(r.limiter.Close(r.Context(), "painter/main", time.Minute, "maintenance"))
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Invalid, task.No) }
	t := r.leaves(nil)
	r.start()
	began := time.Now()
	r.same(r.ends(t.ID, task.Completed).Attempt, 0)
	if took := time.Since(began); took < 55*time.Second {
		r.Errorf("it was called after %s", took)
	}
	r.same(r.painter.submits.Load(), int64(1))
}

func lostAndFailed(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Moderated, task.Yes) }
	t := r.leaves(nil)
	r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Moderated)
	r.same([]any{r.states(t.ID), r.painter.submits.Load()}, []any{[]task.State{task.AttemptFailed}, int64(0)})
}

func inDoubt(r *rig) {
	t := r.leaves(nil)
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same([]any{failed.ErrorKind, r.states(t.ID)}, []any{task.OutcomeUnknown, []task.State{task.AttemptUnknown}})
	r.in(failed.Ref(), queue.Archived)
	r.passes(20 * time.Second)
	r.same(r.painter.submits.Load(), int64(0))
}

func unasked(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) {
		switch r.painter.recovers.Load() {
		case 1:
			return fails(task.Unavailable, task.No)
		case 2:
			return fails(task.RateLimited, task.No)
		}
		return drawn(pngOf(40, 30)), nil
	}
	t := r.leaves(nil)
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same([]any{done.Attempt, done.Waits, r.painter.submits.Load(), r.painter.recovers.Load()}, []any{1, 1, int64(0), int64(3)})
}

func neverAsked(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Unavailable, task.No) }
	t := r.leaves(nil)
	r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
	r.same([]any{r.painter.submits.Load(), r.painter.recovers.Load(), r.states(t.ID)}, []any{int64(0), int64(5), []task.State{task.AttemptUnknown}})
}

// cameMeanwhile: the worker that made the call was only slow, and notes its
// handle while another has just been told that there is no such call.
func cameMeanwhile(r *rig) {
	r.svc.Timeout = time.Millisecond // so that the first denial counts
	var t *task.Task
	var a *task.Attempt
	r.painter.recover = func(provider.Lost) (provider.Answer, error) {
		r.accepted(t, a)
		return fails(task.Invalid, task.No)
	}
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	r.leaves(func(held *task.Task, begun *task.Attempt) { t, a = held, begun })
	r.start()
	r.ends(t.ID, task.Completed)
	r.same([]any{r.painter.submits.Load(), r.states(t.ID)}, []any{int64(0), []task.State{task.AttemptSucceeded}})
}

func poison(r *rig) {
	t := r.leaves(r.accepted)
	r.exec("UPDATE image_generations SET crashes = 2")
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same([]any{failed.ErrorKind, failed.Crashes, r.painter.polls.Load()}, []any{task.Crashed, 3, int64(0)})

	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	_, err := r.client.Retry(r.Context(), failed.Ref(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(0))
}

func lostClaim(r *rig) {
	p := r.start()
	t := r.asksFor(task.Task{RunAt: time.Now().Add(time.Hour)})
	_, _, err := r.tasks.Claim(r.Context(), t.Ref(), p.Self.ID, r.lease)
	r.check(err)
	_, err = r.redis.FlushAll(r.Context()).Result() // nor does its delivery ring again
	r.check(err)
	began := time.Now()
	r.ends(t.ID, task.Completed)
	if took := time.Since(began); took > time.Minute {
		r.Errorf("it took %s", took)
	}
	r.same(r.painter.submits.Load(), int64(1))
}

func accountGone(r *rig) {
	r.svc.Deadline = 20 * time.Second
	t := r.leaves(r.accepted)
	r.svc.Accounts[0].Name = "other"
	r.start()
	r.until("it is said what is missing", func() bool {
		return r.get(t.ID).ErrorMsg == `this worker does not have the account "main" of painter`
	})
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
	r.same([]any{r.painter.submits.Load(), r.states(t.ID)}, []any{int64(0), []task.State{task.AttemptUnknown}})
}

func providerChanged(r *rig) {
	t := r.leaves(r.accepted)
	r.exec("UPDATE generation_attempt SET provider = 'sculptor'")
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same([]any{failed.ErrorKind, r.painter.polls.Load(), r.painter.submits.Load()}, []any{task.OutcomeUnknown, int64(0), int64(0)})
	_, err := r.client.Retry(r.Context(), failed.Ref(), true)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func TestZombies(t *testing.T) {
	inBubble(t, []claim{
		{"A zombie's true answer is kept, and a later retry completes from it", zombie},
		{"A zombie whose task is polled by another leaves one result", twoPollers},
		{"A zombie whose call failed changes nothing", zombieFails},
		{"A claim that was taken over before its call makes none", takenBeforeCall},
		{"A call whose journal took longer than the lease is not made", slowJournal},
		{"A living worker's long call is not taken away", longCall},
	})
}

func zombie(r *rig) {
	taken, answer := r.painter.hangs()
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	first.heartStops()
	second := r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same([]any{failed.ErrorKind, failed.Crashes, r.painter.recovers.Load()}, []any{task.OutcomeUnknown, 1, int64(1)})
	before := r.get(t.ID)

	answer <- drawn(pngOf(40, 30))
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.stop(first)
	r.same(r.get(t.ID), before)
	r.same(r.states(t.ID), []task.State{task.AttemptSucceeded})

	_, err := r.client.Retry(r.Context(), failed.Ref(), false)
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same([]any{*done.CostMicros, *done.Width, r.painter.submits.Load(), len(r.results(t.ID))}, []any{int64(40_000), 40, int64(1), 1})
	r.same(r.stored(r.results(t.ID)[0].StorageKey), pngOf(40, 30))
	r.stop(second)
}

func twoPollers(r *rig) {
	ready := make(chan struct{})
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		select {
		case <-ready:
			return drawn(pngOf(40, 30)), nil
		default:
			return working(0), nil
		}
	})
	first := r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	first.heartStops()
	second := r.start()
	r.until("another has it", func() bool { return r.get(t.ID).Worker == second.Self.ID })
	close(ready)
	r.ends(t.ID, task.Completed)
	r.stop(first)
	r.same([]any{len(r.results(t.ID)), r.painter.submits.Load(), r.states(t.ID)}, []any{1, int64(1), []task.State{task.AttemptSucceeded}})
}

func zombieFails(r *rig) {
	taken, leave := make(chan struct{}), make(chan struct{})
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		close(taken)
		<-leave
		return fails(task.Unavailable, task.No)
	}
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	first.heartStops()
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return working(0), nil }
	var ready atomic.Bool
	r.painter.poll = func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	}
	second := r.start()
	r.until("another has it", func() bool { return r.get(t.ID).Worker == second.Self.ID && r.painter.polls.Load() > 0 })
	before := r.get(t.ID)
	close(leave)
	r.passes(5 * time.Second)
	after := r.get(t.ID)
	r.same([]any{after.Fence, after.Status, r.states(t.ID)}, []any{before.Fence, task.Processing, []task.State{task.AttemptAccepted}})
	ready.Store(true)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

// takenBeforeCall: the fence is lost between the claim and the journal.
func takenBeforeCall(r *rig) {
	t := r.asks()
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		r.exec("UPDATE image_generations SET fence = fence + 1")
	}}
	p := r.start()
	r.until("it was prepared", func() bool { return r.get(t.ID).Fence >= 2 })
	r.passes(time.Second)
	r.stop(p)
	r.same([]any{r.painter.submits.Load(), len(r.attempts(t.ID))}, []any{int64(0), 0})
}

// slowJournal: the database stands still in the middle of a step, for longer
// than the lease, and lets the step go on before anybody can take the task.
func slowJournal(r *rig) {
	t := r.asks()
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		tx, err := r.tasks.DB().BeginTx(context.WithoutCancel(r.Context()), nil)
		r.check(err)
		time.AfterFunc(2*r.lease, func() { tx.Rollback() })
	}}
	verdict := r.worker(nil).Handle(r.Context(), queue.Ring{Ref: t.Ref(), Provider: "painter"})
	var later *queue.Later
	r.same(errors.As(verdict, &later), true)
	r.same([]any{r.painter.submits.Load(), r.states(t.ID), r.get(t.ID).Status}, []any{int64(0), []task.State{task.AttemptRejected}, task.Pending})
}

func longCall(r *rig) {
	taken, answer := r.painter.hangs()
	r.start()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.passes(40 * time.Second)
	answer <- drawn(pngOf(40, 30))
	done := r.ends(t.ID, task.Completed)
	r.same([]any{done.Fence, done.Crashes, r.painter.submits.Load()}, []any{int64(1), 0, int64(1)})
}

// slow is a painter that does something while a call is prepared.
type slow struct {
	*painter
	prepare func()
}

func (s *slow) Prepare(q provider.Request) (provider.Call, error) {
	s.prepare()
	return s.painter.Prepare(q)
}

func TestWorkerThatEnds(t *testing.T) {
	inBubble(t, []claim{
		{"A worker that ends gives its lease up", func(r *rig) {
			p := r.start()
			r.until("it beats", func() bool { return len(r.beating()) == 1 })
			r.stop(p)
			r.same(r.beating(), []store.Worker{})
		}},
	})
}

func (r *rig) beating() []store.Worker {
	r.Helper()
	all, err := r.tasks.Workers(r.Context())
	r.check(err)
	return all
}
