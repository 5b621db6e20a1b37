package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// TestLostCalls is about calls whose workers died within them, or whose answers nobody has heard.
func TestLostCalls(t *testing.T) {
	inBubble(t, []claim{
		{"A lost call that is found is not made again", lostAndFound},
		{"A lost job that is found is polled", lostJobFound},
		{"A lost call that never happened is made once", neverHappened},
		{"A lost call that a clock which jumped makes look old is waited for all the same", lostBeforeAJump("2001-01-01 00:00:00.000000+00:00")},
		{"A lost call that a clock which jumped makes look new is waited for no longer", lostBeforeAJump("2199-01-01 00:00:00.000000+00:00")},
		{"A worker that starts has not seen a lost call before, and waits its whole time", waitsSinceItLooks},
		{"A lost call that never happened waits for a closed account", neverHappenedWhileClosed},
		{"A lost call that failed fails its task", lostAndFailed},
		{"A lost call that nobody can tell about is held as unknown", lookedUpInVain},
		{"What an earlier call brings while its successor is asked after is not bought again", earlierComes},
		{"A question that does not get through proves nothing and is asked again", unasked},
		{"A question that never gets through ends as unknown", neverAsked},
		{"A handle that came while others looked for its call is not forgotten", cameMeanwhile},
	})
}

func lostAndFound(r *rig) {
	var asked provider.Lost
	r.painter.recover = func(l provider.Lost) (provider.Answer, error) { asked = l; return drawn(pngOf(40, 30)), nil }
	t := r.leaves(nil)
	r.start()
	r.ends(t.ID, task.Completed)
	a := r.attempts(t.ID)[0]
	r.same(facts{"Key": asked.Key, "Endpoint": asked.Endpoint, "SentAt is the same": asked.SentAt.Equal(a.SentAt), "CostMicros": *a.CostMicros},
		facts{"Key": a.Key, "Endpoint": "/draw", "SentAt is the same": true, "CostMicros": int64(40_000)})
	r.same(r.painter.submits.Load(), int64(0))
}

func lostJobFound(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return working(10), nil }
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	t := r.leaves(nil)
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load(), "polls": r.painter.polls.Load()},
		facts{"submits": int64(0), "recovers": int64(1), "polls": int64(1)})
}

func neverHappened(r *rig) {
	r.svc.Timeout = 3 * r.lease // so that the first question comes too early
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Invalid, task.NotExecuted) }
	t := r.leaves(nil)
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"states": r.states(t.ID), "FailedTries": done.FailedTries},
		facts{"states": []task.AttemptState{task.AttemptRejected, task.AttemptSucceeded}, "FailedTries": 0})
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()}, facts{"submits": int64(1), "recovers": int64(2)})
	all := r.attempts(t.ID)
	if waited := all[1].SentAt.Sub(all[0].SentAt); waited < r.svc.Timeout+r.lease {
		r.Errorf("it was made again after %s, when the first may still have been on its way", waited)
	}
}

func earlierComes(r *rig) {
	r.svc.Timeout = time.Minute
	var earlier task.Attempt
	t := r.leaves(func(t *task.Task, a *task.Attempt) {
		earlier = *a
		r.check(tables.Err(r.tasks.Record(r.Context(), store.NotSent{Task: t.ID, Key: a.Key})))
		r.check(tables.Begin(r.Context(), r.tasks, t, &task.Attempt{Key: uuid.NewString(), Provider: "painter", Account: "main", Endpoint: "/draw"}))
	})
	r.painter.recover = func(provider.Lost) (provider.Answer, error) {
		if r.painter.recovers.Load() == 2 { // the last question
			r.check(tables.Err(r.tasks.Finish(r.Context(), store.CameLate{Attempt: earlier, Completion: store.Completion{
				Results: []task.Result{{GeneratedImageURL: "http://localhost/pictures/1/1-0.png", StorageKey: "1/1-0.png"}}}})))
		}
		return fails(task.Invalid, task.NotExecuted)
	}
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"states": r.states(t.ID), "submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()},
		facts{"states": []task.AttemptState{task.AttemptSucceeded, task.AttemptRejected}, "submits": int64(0), "recovers": int64(2)})
}

// lostBeforeAJump: to the database the call was made at that time.
func lostBeforeAJump(sentAt string) func(r *rig) {
	return func(r *rig) {
		var made time.Time
		r.svc.Timeout = time.Minute
		r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Invalid, task.NotExecuted) }
		r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
			made = time.Now()
			return drawn(pngOf(40, 30)), nil
		}
		t := r.leaves(nil)
		lost := time.Now()
		r.exec("UPDATE generation_attempt SET sent_at = '" + sentAt + "'")
		r.start()
		r.ends(t.ID, task.Completed)
		wait := r.svc.Timeout + r.lease
		if waited := made.Sub(lost); waited < wait || waited > wait+r.lease {
			r.Errorf("it was made again after %s, want about %s", waited, wait)
		}
		r.same(r.painter.submits.Load(), int64(1))
	}
}

// waitsSinceItLooks: the process that met the call first is gone when its time is over.
func waitsSinceItLooks(r *rig) {
	r.svc.Timeout = time.Minute
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Invalid, task.NotExecuted) }
	t := r.leaves(nil)
	first := r.start()
	var made time.Time
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		made = time.Now()
		return drawn(pngOf(40, 30)), nil
	}
	r.until("somebody has asked", func() bool { return r.painter.recovers.Load() > 0 })
	r.stop(first)
	r.passes(30 * time.Second)
	second := r.start()
	began := time.Now()
	r.ends(t.ID, task.Completed)
	if waited := made.Sub(began); waited < r.svc.Timeout+r.lease {
		r.Errorf("the new one made it again after %s", waited)
	}
	r.stop(second)
}

func neverHappenedWhileClosed(r *rig) {
	r.svc.Timeout = time.Millisecond
	r.check(r.limiter.Close(r.Context(), "painter/main", time.Minute, limit.Why{Reason: "maintenance"}))
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Invalid, task.NotExecuted) }
	t := r.leaves(nil)
	r.start()
	began := time.Now()
	r.same(r.ends(t.ID, task.Completed).FailedTries, 0)
	if took := time.Since(began); took < 55*time.Second {
		r.Errorf("it was called after %s", took)
	}
	r.same(r.painter.submits.Load(), int64(1))
}

func lostAndFailed(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Moderated, task.Executed) }
	t := r.leaves(nil)
	r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Moderated)
	r.same(facts{"states": r.states(t.ID), "submits": r.painter.submits.Load()}, facts{"states": []task.AttemptState{task.AttemptFailed}, "submits": int64(0)})
}

func lookedUpInVain(r *rig) {
	t := r.leaves(nil)
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)},
		facts{"ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}})
	r.in(failed.Ref(), queue.Archived)
	r.passes(20 * time.Second)
	r.same(r.painter.submits.Load(), int64(0))
}

func unasked(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) {
		switch r.painter.recovers.Load() {
		case 1:
			return fails(task.Unavailable, task.NotExecuted)
		case 2:
			return fails(task.RateLimited, task.NotExecuted)
		}
		return drawn(pngOf(40, 30)), nil
	}
	t := r.leaves(nil)
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"FailedTries": done.FailedTries, "Waits": done.Waits, "submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()},
		facts{"FailedTries": 1, "Waits": 1, "submits": int64(0), "recovers": int64(3)})
}

func neverAsked(r *rig) {
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Unavailable, task.NotExecuted) }
	t := r.leaves(nil)
	r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load(), "states": r.states(t.ID)},
		facts{"submits": int64(0), "recovers": int64(5), "states": []task.AttemptState{task.AttemptUnknown}})
}

// cameMeanwhile: the worker that made the call was only slow, and notes its
// handle while another has just been told that there is no such call.
func cameMeanwhile(r *rig) {
	r.svc.Timeout = time.Millisecond // so that the first denial counts
	var t *task.Task
	var a *task.Attempt
	r.painter.recover = func(provider.Lost) (provider.Answer, error) {
		r.accepted(t, a)
		return fails(task.Invalid, task.NotExecuted)
	}
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	r.leaves(func(held *task.Task, begun *task.Attempt) { t, a = held, begun })
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)}, facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}})
}
