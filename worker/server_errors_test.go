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

func TestServerErrors(t *testing.T) {
	inBubble(t, []claim{
		{"A call that the service failed by its own fault is made again, and spends no try", failsTwice},
		{"After two more calls the task fails with the service's own words, and is not unknown", failsThrice},
		{"on_server_error: hold fails at the first of them", func(r *rig) {
			r.svc.Retry.HoldServerErrors = true
			r.painter.submit = ownFault
			r.start()
			failed := r.ends(r.asks().ID, task.Failed)
			r.same(facts{"ErrorKind": failed.ErrorKind, "ErrorCode": failed.ErrorCode, "submits": r.painter.submits.Load()},
				facts{"ErrorKind": task.ProviderError, "ErrorCode": "server_error", "submits": int64(1)})
		}},
		{"A job that ended so is bought again, with a handle of its own", jobFailsOnce},
		{"A gateway's page is held, and bought by nobody", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return fails(task.ProviderError, task.Unknown)
			}
			r.start()
			failed := r.ends(r.asks().ID, task.Failed)
			r.passes(time.Minute)
			r.same(facts{"ErrorKind": failed.ErrorKind, "submits": r.painter.submits.Load()}, facts{"ErrorKind": task.OutcomeUnknown, "submits": int64(1)})
		}},
		{"on_unknown: retry does not add to them", func(r *rig) {
			r.svc.Retry.OnUnknown = task.Resend
			r.painter.submit = ownFault
			r.start()
			r.ends(r.asks().ID, task.Failed)
			r.same(r.painter.submits.Load(), int64(3))
		}},
		{"No other provider is asked when they are used up: calls were carried out", noFallback},
		{"A worker that dies between them does not make them anew", crashesBetween},
		{"A retry by hand counts them anew", func(r *rig) {
			r.painter.submit = ownFault
			r.start()
			t := r.asks()
			failed := r.ends(t.ID, task.Failed)
			_, err := r.client.Retry(r.Context(), failed.Seen(), false)
			r.check(err)
			r.until("it failed again", func() bool { return r.get(t.ID).Delivery == 1 && r.get(t.ID).Status == task.Failed })
			r.same(r.painter.submits.Load(), int64(6))
		}},
		{"Of several calls one that failed so is drawn again, and what is kept stays", partFails},
	})
}

func ownFault(context.Context, provider.Call) (provider.Answer, error) {
	return provider.Answer{}, &task.Failure{Kind: task.ProviderError, Executed: task.Executed, Unbilled: true, HTTPStatus: 500,
		Message: "the provider answered 500", Code: "server_error", Detail: "The server had an error"}
}

func failsTwice(r *rig) {
	r.painter.submit = func(ctx context.Context, c provider.Call) (provider.Answer, error) {
		if c.Number < 3 {
			return ownFault(ctx, c)
		}
		return drawn(pngOf(40, 30)), nil
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{MaxAttempts: 1}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"FailedTries": done.FailedTries, "CostMicros": *done.CostMicros, "submits": r.painter.submits.Load()},
		facts{"FailedTries": 0, "CostMicros": int64(40_000), "submits": int64(3)})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptFailed, task.AttemptFailed, task.AttemptSucceeded})
	for _, a := range r.attempts(t.ID)[:2] {
		if !a.Unbilled || a.CostMicros == nil || *a.CostMicros != 0 || a.ErrorCode != "server_error" {
			r.Errorf("the journal says %+v", a)
		}
	}
}

func failsThrice(r *rig) {
	r.painter.submit = ownFault
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.passes(time.Minute)
	r.same(facts{"ErrorKind": failed.ErrorKind, "ErrorCode": failed.ErrorCode, "FailedTries": failed.FailedTries, "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.ProviderError, "ErrorCode": "server_error", "FailedTries": 1, "submits": int64(3)})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptFailed, task.AttemptFailed, task.AttemptFailed})
	if !strings.Contains(failed.ErrorMsg, "The server had an error") || strings.Contains(failed.ErrorMsg, "nobody can say") {
		r.Errorf("the row says %q", failed.ErrorMsg)
	}
	r.in(t.Ref(), queue.Archived)
}

func jobFailsOnce(r *rig) {
	r.painter.accepts(func(ctx context.Context, n int) (provider.Answer, error) {
		if n == 1 {
			return ownFault(ctx, provider.Call{})
		}
		return drawn(pngOf(40, 30)), nil
	})
	r.start()
	t := r.asks()
	r.ends(t.ID, task.Completed)
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptFailed, task.AttemptSucceeded})
	r.same(r.painter.submits.Load(), int64(2))
}

func noFallback(r *rig) {
	other := newPainter()
	r.services["other"] = &provider.Service{Name: "other", DefaultModel: "brush", Concurrency: 5, Timeout: time.Minute,
		Accounts: []provider.Account{{Name: "main", Provider: other}}}
	r.painter.submit = ownFault
	r.start()
	failed := r.ends(r.asksFor(task.Task{Request: task.Request{Fallbacks: `["other"]`}}).ID, task.Failed)
	r.same(facts{"Provider": failed.Provider, "ErrorKind": failed.ErrorKind, "submits": other.submits.Load()},
		facts{"Provider": "painter", "ErrorKind": task.ProviderError, "submits": int64(0)})
}

func crashesBetween(r *rig) {
	r.svc.Retry.Base = time.Minute
	r.painter.submit = ownFault
	first := r.start()
	t := r.asks()
	r.until("the first failed", func() bool { return len(r.attempts(t.ID)) > 0 && r.get(t.ID).Status == task.Pending })
	r.stop(first)
	r.check(r.redis.FlushAll(r.Context()).Err())
	r.start()
	r.ends(t.ID, task.Failed)
	r.same(r.painter.submits.Load(), int64(3))
}

func partFails(r *rig) {
	r.painter.can.MaxImages = 1
	r.painter.submit = func(ctx context.Context, c provider.Call) (provider.Answer, error) {
		if c.Number%3 != 0 {
			return ownFault(ctx, c)
		}
		return drawn(pngOf(40, 30)), nil
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"ErrorMsg": done.ErrorMsg, "len results": len(r.results(t.ID)), "submits": r.painter.submits.Load()},
		facts{"ErrorMsg": "", "len results": 2, "submits": int64(6)})
}
