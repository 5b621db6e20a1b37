package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestUndecided(t *testing.T) {
	inBubble(t, []claim{
		{"Where nobody can be asked a plain retry changes nothing, and a person's word decides", undecided},
		{"Run in asynqmon changes nothing where nobody can be asked, and the reason stays", undecidedRun},
		{"A held task that the app sets back to pending is held again for its true reason, and give-up ends it", heldAgain},
		{"A task that was given up and that the app sets back to pending is held also where the archive has lost its delivery", heldWithoutArchive},
		{"A task that reads as archived over a call of unknown outcome is held for that", heldAfterArchive},
		{"What a look-up cannot tell does not replace the reason that was found", richerReason},
		{"not charged speaks of calls of unknown outcome and of no others", notChargedBounds},
	})
}

func undecided(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Timeout, task.Unknown)
	}
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	var unknown *enqueue.UnknownOutcome
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "say whether it was charged") {
		r.Fatalf("the retry says %v", err)
	}
	looked, _, err := r.client.Retryable(r.Context(), store.Filter{})
	r.check(err)
	n, err := r.client.RetryEach(r.Context(), looked, false, nil)
	r.check(err)
	after := r.get(t.ID)
	r.same(facts{
		"looked": len(looked), "n": n, "Status": after.Status, "Delivery": after.Delivery, "ErrorMsg": after.ErrorMsg, "ErrorKind": after.ErrorKind,
		"recovers": r.painter.recovers.Load(),
	}, facts{"looked": 1, "n": 0, "Status": task.Failed, "Delivery": 0, "ErrorMsg": failed.ErrorMsg, "ErrorKind": task.OutcomeUnknown, "recovers": int64(0)})

	_, err = r.client.GiveUp(r.Context(), failed.Seen())
	r.check(err)
	after = r.get(t.ID)
	r.same(facts{"Status": after.Status, "ErrorKind": after.ErrorKind, "CostMicros": *after.CostMicros, "states": r.states(t.ID)},
		facts{"Status": task.Failed, "ErrorKind": task.Charged, "CostMicros": int64(40_000), "states": []task.AttemptState{task.AttemptFailed}})
	if !strings.Contains(after.ErrorMsg, "the painter says timeout") {
		r.Errorf("the former reason is lost: %q", after.ErrorMsg)
	}
	_, err = r.client.GiveUp(r.Context(), failed.Seen())
	var not *store.NotAllowed
	if !errors.As(err, &not) {
		r.Errorf("given up twice: %v", err)
	}
	r.passes(time.Minute)
	r.same(r.painter.submits.Load(), int64(1))
}

func undecidedRun(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Timeout, task.Unknown)
	}
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.in(t.Ref(), queue.Archived)
	r.dashboard("POST", "archived_tasks/"+t.Ref().String()+":run")
	r.passes(time.Minute)
	r.in(t.Ref(), queue.Archived)
	after := r.get(t.ID)
	r.same(facts{
		"Status": after.Status, "Delivery": after.Delivery, "Fence": after.Fence, "ErrorKind": after.ErrorKind, "ErrorMsg": after.ErrorMsg,
		"states": r.states(t.ID), "submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load(),
	}, facts{
		"Status": task.Failed, "Delivery": 0, "Fence": failed.Fence, "ErrorKind": task.OutcomeUnknown, "ErrorMsg": failed.ErrorMsg,
		"states": []task.AttemptState{task.AttemptUnknown}, "submits": int64(1), "recovers": int64(0),
	})

	// A dashboard shows nothing of a task's being given up, and Run buys nothing after it either.
	_, err := r.client.GiveUp(r.Context(), failed.Seen())
	r.check(err)
	r.in(t.Ref(), queue.Archived)
	r.dashboard("POST", "archived_tasks/"+t.Ref().String()+":run")
	r.passes(time.Minute)
	r.in(t.Ref(), queue.Archived)
	r.same(facts{"Status": r.get(t.ID).Status, "ErrorKind": r.get(t.ID).ErrorKind, "submits": r.painter.submits.Load()},
		facts{"Status": task.Failed, "ErrorKind": task.Charged, "submits": int64(1)})

	r.exec("UPDATE image_generations SET error_kind = 'archived'") // the journal knows it, whatever the row says
	r.dashboard("POST", "archived_tasks/"+t.Ref().String()+":run")
	r.passes(time.Minute)
	r.same(facts{"Status": r.get(t.ID).Status, "submits": r.painter.submits.Load()}, facts{"Status": task.Failed, "submits": int64(1)})
}

func richerReason(r *rig) {
	r.painter.can.Recover = true
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Timeout, task.Unknown)
	}
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.until("it was asked after", func() bool { return r.painter.recovers.Load() == 1 })
	again := r.ends(t.ID, task.Failed)
	r.same(facts{
		"ErrorKind":                              again.ErrorKind,
		"ErrorMsg says the painter says timeout": strings.Contains(again.ErrorMsg, "the painter says timeout"),
		"ErrorMsg says the worker lost":          strings.Contains(again.ErrorMsg, "the worker lost"),
	}, facts{"ErrorKind": task.OutcomeUnknown, "ErrorMsg says the painter says timeout": true, "ErrorMsg says the worker lost": false})
	if a := r.attempts(t.ID)[0]; !strings.Contains(a.ErrorMsg, "the painter says timeout") {
		r.Errorf("the journal says %q", a.ErrorMsg)
	}
}

func notChargedBounds(r *rig) {
	t := r.asks()
	r.exec("UPDATE image_generations SET status = 'failed', error_kind = 'timeout' WHERE id = 1")
	r.check(r.tasks.Heartbeat(r.Context(), store.Worker{ID: "alive"}, time.Minute))
	r.check(r.tasks.Heartbeat(r.Context(), store.Worker{ID: "silent"}, time.Second))
	r.check(r.tasks.Heartbeat(r.Context(), store.Worker{ID: "left"}, time.Minute))
	r.check(r.tasks.Deregister(r.Context(), "left"))
	r.passes(2 * time.Second)
	var states []task.AttemptState
	for i, c := range []struct {
		state, after task.AttemptState
		worker       string
	}{
		{task.AttemptUnknown, task.AttemptRejected, "alive"}, {task.AttemptSending, task.AttemptRejected, "pruned"},
		{task.AttemptSending, task.AttemptRejected, "silent"}, {task.AttemptSending, task.AttemptRejected, "left"},
		{task.AttemptSending, task.AttemptSending, "alive"}, {task.AttemptSucceeded, task.AttemptSucceeded, "left"},
		{task.AttemptAnswered, task.AttemptAnswered, "left"}, {task.AttemptAccepted, task.AttemptAccepted, "left"},
	} {
		r.exec(fmt.Sprintf(`INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at)
			VALUES (1, 0, %d, 'key-%d', 'painter', '%s', '%s', 1, '2026-01-01')`, i+1, i, c.state, c.worker))
		states = append(states, c.after)
	}
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), true)
	r.check(err)
	r.same(r.states(t.ID), states)
}

// heldOver is a task that is held, and the delivery that is archived with it.
func (r *rig) heldOver() *task.Task {
	r.Helper()
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Timeout, task.Unknown)
	}
	r.start()
	t := r.ends(r.asks().ID, task.Failed)
	r.in(t.Ref(), queue.Archived)
	return t
}

func heldAgain(r *rig) {
	t := r.heldOver()
	for range 2 { // the reason does not grow
		r.exec("UPDATE image_generations SET status = 'pending'")
		t = r.ends(t.ID, task.Failed)
	}
	want := "the app had set the task back to pending; nobody can say whether the provider ran and billed the last call: the painter says timeout. Look the call up at the provider, or have easel ask it where that can be asked, and decide"
	r.same(facts{"ErrorKind": t.ErrorKind, "ErrorMsg": t.ErrorMsg, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.OutcomeUnknown, "ErrorMsg": want, "states": []task.AttemptState{task.AttemptUnknown}, "submits": int64(1)})
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	if unknown := new(enqueue.UnknownOutcome); !errors.As(err, &unknown) {
		r.Errorf("the retry says %v", err)
	}
	given, err := r.client.GiveUp(r.Context(), r.get(t.ID).Seen())
	r.check(err)
	r.same(facts{"ErrorKind": given.ErrorKind, "CostMicros": *given.CostMicros, "states": r.states(t.ID)},
		facts{"ErrorKind": task.Charged, "CostMicros": int64(40_000), "states": []task.AttemptState{task.AttemptFailed}})

	r.exec("UPDATE image_generations SET status = 'pending'") // and what is not unknown keeps its reason too
	t = r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": t.ErrorKind, "ErrorMsg": t.ErrorMsg},
		facts{"ErrorKind": task.Charged, "ErrorMsg": "the app had set the task back to pending; " + given.ErrorMsg})
	r.same(r.painter.submits.Load(), int64(1))
}

func heldWithoutArchive(r *rig) {
	t := r.heldOver()
	_, err := r.client.GiveUp(r.Context(), t.Seen())
	r.check(err)
	r.painter.submit = newPainter().submit
	r.check(r.redis.FlushAll(r.Context()).Err())
	r.exec("UPDATE image_generations SET status = 'pending'")
	r.until("it is held again", func() bool { return r.get(t.ID).Status == task.Failed })
	again := r.get(t.ID)
	r.same(facts{"ErrorKind": again.ErrorKind, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Charged, "states": []task.AttemptState{task.AttemptFailed}, "submits": int64(1)})
	r.exec("UPDATE generation_attempt SET finished_at = '2126-01-01 00:00:00.000000+00:00'") // the clock was ahead then
	_, err = r.client.BuyAgain(r.Context(), again.Seen())
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(2))
}

func heldAfterArchive(r *rig) {
	t := r.heldOver()
	r.exec("UPDATE image_generations SET error_kind = 'archived', error_msg = 'archived by hand in the dashboard'")
	r.until("it is held again", func() bool { return r.get(t.ID).ErrorKind == task.OutcomeUnknown })
	if text := r.get(t.ID).ErrorMsg; !strings.Contains(text, "nobody can say") || !strings.Contains(text, "the painter says timeout") {
		r.Errorf("its reason is %q", text)
	}
	r.exec("UPDATE image_generations SET error_kind = 'archived'")
	given, err := r.client.GiveUp(r.Context(), r.get(t.ID).Seen())
	r.check(err)
	r.same(given.ErrorKind, task.Charged)
}
