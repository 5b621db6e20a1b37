package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestRetry(t *testing.T) {
	inBubble(t, []claim{
		{"A rate limit closes the account for everybody and spends no try", rateLimited},
		{"A task that only meets rate limits fails when its waits are used up", waitsEnd},
		{"What is unavailable is tried with back-off, then failed, and comes back by hand", unavailable},
		{"A call of unknown outcome is held, and only a person's word buys it again", held},
		{"What nobody classified is held as unknown", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return provider.Answer{}, context.Canceled
			}
			r.start()
			t := r.asks()
			r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
			r.passes(20 * time.Second)
			r.same(r.painter.submits.Load(), int64(1))
		}},
		{"A call of unknown outcome at a free service is made again", free},
		{"A panicking adapter fails its own task only", panics},
		{"A panic before the call buys nothing and is tried again", panicsBefore},
		{"A job that nobody told how to ask after is held as unknown", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return provider.Answer{JobID: "job-1"}, nil
			}
			r.start()
			t := r.asks()
			r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
			r.same(r.states(t.ID), []task.AttemptState{task.AttemptUnknown})
		}},
		{"A task whose deadline is over is not called", func(r *rig) {
			soon := time.Now().Add(time.Minute)
			t := r.asksFor(task.Task{Request: task.Request{DeadlineAt: &soon}})
			r.passes(2 * time.Minute)
			r.start()
			r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Deadline)
			r.same(r.painter.submits.Load(), int64(0))
		}},
	})
}

func rateLimited(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		if r.painter.submits.Load() == 1 {
			return provider.Answer{}, &task.Failure{Kind: task.RateLimited, Executed: task.NotExecuted, Message: "slow down", RetryAfter: time.Minute}
		}
		return drawn(pngOf(40, 30)), nil
	}
	r.start()
	r.start()
	began := time.Now()
	first := r.asks()
	r.until("the account is closed", func() bool {
		s, err := r.limiter.Status(r.Context(), "painter/main")
		r.check(err)
		return s.Why.Reason == "slow down"
	})
	second := r.asks()
	r.passes(50 * time.Second)
	r.same(r.painter.submits.Load(), int64(1))
	waiting := r.get(first.ID)
	r.same(facts{"Status": waiting.Status, "FailedTries": waiting.FailedTries, "Waits": waiting.Waits, "ErrorKind": waiting.ErrorKind},
		facts{"Status": task.Pending, "FailedTries": 0, "Waits": 1, "ErrorKind": task.RateLimited})
	r.same(r.get(second.ID).Status, task.Pending)
	r.ends(second.ID, task.Completed)
	done := r.ends(first.ID, task.Completed)
	r.same(facts{"FailedTries": done.FailedTries, "ErrorMsg": done.ErrorMsg, "states": r.states(first.ID)},
		facts{"FailedTries": 0, "ErrorMsg": "", "states": []task.AttemptState{task.AttemptRejected, task.AttemptSucceeded}})
	if took := time.Since(began); took < time.Minute || took > 90*time.Second {
		r.Errorf("it took %s", took)
	}
}

func waitsEnd(r *rig) {
	r.svc.Retry.MaxWaits = 3
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.RateLimited, task.NotExecuted)
	}
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "FailedTries": failed.FailedTries, "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.RateLimited, "FailedTries": 0, "submits": int64(4)})
	r.in(t.Ref(), queue.Archived)
}

func unavailable(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Unavailable, task.NotExecuted)
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{MaxAttempts: 3}})
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "FailedTries": failed.FailedTries, "Delivery": failed.Delivery},
		facts{"ErrorKind": task.Unavailable, "FailedTries": 3, "Delivery": 0})
	r.in(t.Ref(), queue.Archived)
	if page := r.dashboard("GET", "archived_tasks"); !strings.Contains(page, "archived: the painter says unavailable") {
		r.Errorf("asynqmon shows %s", page)
	}
	r.same(r.painter.submits.Load(), int64(3))

	r.painter.submit = newPainter().submit
	again, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.same(facts{"Delivery": again.Delivery, "FailedTries": again.FailedTries, "Status": again.Status},
		facts{"Delivery": 1, "FailedTries": 0, "Status": task.Pending})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"ErrorMsg": done.ErrorMsg, "ErrorKind": done.ErrorKind}, facts{"ErrorMsg": "", "ErrorKind": task.Kind("")})
	r.in(t.Ref(), queue.Absent)
	r.in(again.Ref(), queue.Absent)
	r.same(r.painter.submits.Load(), int64(4))
}

func held(r *rig) {
	r.painter.can.Recover = true
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Timeout, task.Unknown)
	}
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)},
		facts{"ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}})
	r.passes(20 * time.Second)
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()}, facts{"submits": int64(1), "recovers": int64(0)})

	r.painter.submit = newPainter().submit
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.until("it was asked after", func() bool { return r.painter.recovers.Load() == 1 })
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "Delivery": failed.Delivery, "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.OutcomeUnknown, "Delivery": 1, "submits": int64(1)})

	_, err = r.client.Retry(r.Context(), failed.Seen(), true)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()}, facts{"submits": int64(2), "recovers": int64(1)})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptRejected, task.AttemptSucceeded})
}

func free(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		if r.painter.submits.Load() < 3 {
			return fails(task.Timeout, task.Unknown)
		}
		return drawn(pngOf(40, 30)), nil
	}
	r.start()
	t := r.asks()
	r.same(r.ends(t.ID, task.Completed).FailedTries, 2)
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptUnknown, task.AttemptUnknown, task.AttemptSucceeded})
}

func panics(r *rig) {
	r.mayPanic = true
	answer := r.painter.submit
	r.painter.submit = func(ctx context.Context, c provider.Call) (provider.Answer, error) {
		if c.Number == 1 && strings.Contains(string(c.Body), "panic") {
			panic("oh no")
		}
		return answer(ctx, c)
	}
	r.start()
	bad := r.asksFor(task.Task{Request: task.Request{Prompt: "panic"}})
	r.ends(r.asks().ID, task.Completed)
	failed := r.ends(bad.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(bad.ID)},
		facts{"ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}})
	r.passes(20 * time.Second)
	r.same(r.painter.prompts(), map[string]int{"panic": 1, "a lighthouse": 1})
}

func panicsBefore(r *rig) {
	r.mayPanic = true
	t := r.asksFor(task.Task{Request: task.Request{MaxAttempts: 2}})
	r.svc.Accounts[0].Provider = &fragile{painter: r.painter}
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "FailedTries": failed.FailedTries, "submits": r.painter.submits.Load(), "len attempts": len(r.attempts(t.ID))},
		facts{"ErrorKind": task.Internal, "FailedTries": 2, "submits": int64(0), "len attempts": 0})
}

// fragile is a painter whose Prepare panics.
type fragile struct{ *painter }

func (*fragile) Prepare(provider.Request) (provider.Call, error) { panic("oh no") }
