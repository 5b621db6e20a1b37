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
		{"A job that was bought does not wait for a closed account", resumedWhileClosed},
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
	// The old delivery becomes due when the new one comes, which may have to let it go first.
	if took := time.Since(began); took > r.lease+3*r.every+r.forward {
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
	again, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"Delivery": failed.Delivery, "submits": r.painter.submits.Load()}, facts{"Delivery": again.Delivery, "submits": int64(0)})
	_, err = r.client.BuyAgain(r.Context(), failed.Seen(), task.CollectableCalls(r.attempts(failed.ID))...)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}
