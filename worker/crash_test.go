package worker_test

import (
	"context"
	"encoding/json"
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

func TestDeadWorkers(t *testing.T) {
	inBubble(t, []claim{
		{"A dead worker's task is taken back within a lease and a look", takenBack},
		{"An accepted job whose worker died is resumed by its handle", resumed},
		{"An answer whose worker died is kept and not bought again", answeredByTheDead},
		{"A lost call that is found is not made again", lostAndFound},
		{"A lost job that is found is polled", lostJobFound},
		{"A lost call that never happened is made once", neverHappened},
		{"A lost call that a clock which jumped makes look old is waited for all the same", lostBeforeAJump("2001-01-01 00:00:00.000000+00:00")},
		{"A lost call that a clock which jumped makes look new is waited for no longer", lostBeforeAJump("2199-01-01 00:00:00.000000+00:00")},
		{"A worker that starts has not seen a lost call before, and waits its whole time", waitsSinceItLooks},
		{"A job that was bought does not wait for a closed account", resumedWhileClosed},
		{"A lost call that never happened waits for a closed account", neverHappenedWhileClosed},
		{"A lost call that failed fails its task", lostAndFailed},
		{"A lost call that nobody can tell about is held as unknown", lookedUpInVain},
		{"What an earlier call brings while its successor is asked after is not bought again", earlierComes},
		{"A question that does not get through proves nothing and is asked again", unasked},
		{"A question that never gets through ends as unknown", neverAsked},
		{"A handle that came while others looked for its call is not forgotten", cameMeanwhile},
		{"A task over which three workers died fails", poison},
		{"If the third died within its call, that call is of unknown outcome", poisonInCall},
		{"A claim whose answer was lost is given back by its own worker", lostClaim},
		{"A job through an account that is gone is not collected after its time, and not bought again", accountGone},
		{"A job at a provider that the row no longer names is bought again by a person's word alone", providerChanged},
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
	r.check(tables.Begin(r.Context(), r.tasks, c.Task, a))
	if f != nil {
		f(c.Task, a)
	}
	return t
}

func (r *rig) accepted(t *task.Task, a *task.Attempt) {
	r.Helper()
	a.State, a.Handle = task.AttemptAccepted, `{"job":1}`
	r.check(tables.Err(r.tasks.Record(r.Context(), store.Accepted{Held: t.Token(), Attempt: *a, JobID: "job-1"})))
}

func takenBack(r *rig) {
	t := r.asks()
	_, _, err := r.tasks.Claim(r.Context(), t.Ref(), "the dead", r.lease)
	r.check(err)
	began := time.Now()
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Crashes": done.Crashes, "submits": r.painter.submits.Load()}, facts{"Crashes": 1, "submits": int64(1)})
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
	r.same(facts{"submits": r.painter.submits.Load(), "polls": r.painter.polls.Load(), "recovers": r.painter.recovers.Load()},
		facts{"submits": int64(0), "polls": int64(1), "recovers": int64(0)})
}

func answeredByTheDead(r *rig) {
	t := r.leaves(func(t *task.Task, a *task.Attempt) {
		text, err := json.Marshal(map[string]any{"outputs": drawn(pngOf(40, 30)).Outputs})
		r.check(err)
		a.State, a.Answer = task.AttemptAnswered, string(text)
		r.check(tables.Err(r.tasks.Record(r.Context(), store.Answered{Held: t.Token(), Attempt: *a})))
	})
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(0), "len results": 1})
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
	first := r.start()
	t := r.leaves(nil)
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

func resumedWhileClosed(r *rig) {
	r.check(r.limiter.Close(r.Context(), "painter/main", time.Hour, limit.Why{Reason: "maintenance"}))
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

func poisonInCall(r *rig) {
	t := r.leaves(func(*task.Task, *task.Attempt) {})
	r.exec("UPDATE image_generations SET crashes = 2")
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}, "submits": int64(0)})
}

func poison(r *rig) {
	t := r.leaves(r.accepted)
	r.exec("UPDATE image_generations SET crashes = 2")
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "Crashes": failed.Crashes, "polls": r.painter.polls.Load()},
		facts{"ErrorKind": task.Crashed, "Crashes": 3, "polls": int64(0)})

	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(0))
}

func lostClaim(r *rig) {
	p := r.start()
	t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}})
	_, _, err := r.tasks.Claim(r.Context(), t.Ref(), p.Self.ID, r.lease)
	r.check(err)
	_, err = r.redis.FlushAll(r.Context()).Result() // nor does its delivery come again
	r.check(err)
	began := time.Now()
	r.ends(t.ID, task.Completed)
	if took := time.Since(began); took > time.Minute {
		r.Errorf("it took %s", took)
	}
	r.same(r.painter.submits.Load(), int64(1))
}

// lostBehindALock: the first of two lost claims is about a row that an app has locked.
func lostBehindALock(r *rig) {
	p := r.start()
	var lost []*task.Task
	for range 2 {
		t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}})
		_, _, err := r.tasks.Claim(r.Context(), t.Ref(), "not yet", r.lease)
		r.check(err)
		lost = append(lost, t)
	}
	app, err := r.tasks.DB().Begin()
	r.check(err)
	defer app.Rollback()
	_, err = r.tasks.DB().Exec("UPDATE image_generations SET worker = $1", p.Self.ID)
	r.check(err)
	_, err = app.Exec("SELECT id FROM image_generations WHERE id = $1 FOR UPDATE", lost[0].ID)
	r.check(err)
	back := func(t *task.Task) {
		r.until("it is given back", func() bool { return r.get(t.ID).Status == task.Pending })
	}
	back(lost[1])
	r.same(r.get(lost[0].ID).Status, task.Processing)
	r.check(app.Rollback())
	back(lost[0])
}

func accountGone(r *rig) {
	r.svc.Deadline = 20 * time.Second
	t := r.leaves(r.accepted)
	r.svc.Accounts[0].Name = "other"
	r.start()
	r.until("it is said what is missing", func() bool {
		return r.get(t.ID).ErrorMsg == `this worker does not have the account "main" of painter`
	})
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Auth)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)}, facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptAccepted}})
}

func providerChanged(r *rig) {
	t := r.leaves(r.accepted)
	r.exec("UPDATE generation_attempt SET provider = 'sculptor'")
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "polls": r.painter.polls.Load(), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Auth, "polls": int64(0), "submits": int64(0)})
	again, err := r.client.Retry(r.Context(), failed.Seen(), true) // which speaks of calls of unknown outcome
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"Delivery": failed.Delivery, "submits": r.painter.submits.Load()}, facts{"Delivery": again.Delivery, "submits": int64(0)})
	_, err = r.client.BuyAgain(r.Context(), failed.Seen())
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}
