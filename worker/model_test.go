package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestModelRefused(t *testing.T) {
	inBubble(t, []claim{
		{"A refusal of one model fails its task at once and leaves the account open to all others", modelRefused},
		{"Tasks of a refused model spend one call, and one more when its time is over", modelClosed},
		{"Another account that may use the model, or has quota left for it, draws", modelElsewhere},
		{"Tasks of a model that one account may not use take nothing of its rate while the other is full", modelTakesNoRate},
		{"A model that only a closed account may use keeps no others waiting, and is drawn once it opens", modelHoldsNoneUp},
		{"A used-up quota of one model fails its tasks for want of money and leaves the account open to all others", modelQuota},
		{"A 403 that names neither key nor model closes no account and fails nothing: it is tried again, and others wait for that", modelRefusedForNow},
	})
}

func modelRefusedForNow(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		if r.painter.submits.Load() == 1 {
			return provider.Answer{}, provider.Faults{}.Failure(provider.Reply{Status: 403, Body: []byte(`{"detail":"no"}`)}, "no")
		}
		return drawn(pngOf(40, 30)), nil
	}
	r.start()
	t := r.asks()
	r.until("it was refused", func() bool { return r.get(t.ID).ErrorKind == task.Auth })
	s, err := r.limiter.Status(r.Context(), "painter/main")
	r.check(err)
	r.same(s.ClosedUntil.IsZero(), true)
	other := r.asks()
	r.until("the other waits", func() bool {
		return strings.Contains(r.get(other.ID).ErrorMsg, "has just refused a call for this model")
	})
	r.same(r.painter.submits.Load(), int64(1))
	r.ends(t.ID, task.Completed)
	r.same(r.ends(other.ID, task.Completed).FailedTries, 0)
}

// refusesModel is a service that does not let an account use the model "closed", and has
// used up its quota of the model "spent".
func refusesModel(_ context.Context, c provider.Call) (provider.Answer, error) {
	if c.Model == "closed" {
		return provider.Answer{}, &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, OfModel: true, HTTPStatus: 403,
			Message: "the provider answered 403", Detail: "must be verified to use the model closed", Advice: task.OpenModel}
	}
	if c.Model == "spent" {
		return provider.Answer{}, &task.Failure{Kind: task.Billing, Executed: task.NotExecuted, OfModel: true, HTTPStatus: 403,
			Message: "the provider answered 403", Detail: "the free tier of this model is used up"}
	}
	return drawn(pngOf(40, 30)), nil
}

func modelRefused(r *rig) {
	r.painter.submit = refusesModel
	r.start()
	began := time.Now()
	failed := r.ends(r.asksFor(task.Task{Request: task.Request{Model: "closed"}}).ID, task.Failed)
	r.ends(r.asksFor(task.Task{Request: task.Request{Model: "open"}}).ID, task.Completed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "FailedTries": failed.FailedTries, "ErrorMsg says must be verified": strings.Contains(failed.ErrorMsg, "must be verified")},
		facts{"ErrorKind": task.Unsupported, "FailedTries": 1, "ErrorMsg says must be verified": true})
	r.same(r.attempts(failed.ID)[0].RowError, failed.RowError)
	if took := time.Since(began); took > 20*time.Second {
		r.Errorf("the other model waited %s", took)
	}
	s, err := r.limiter.Status(r.Context(), "painter/main")
	r.check(err)
	r.same(s.ClosedUntil.IsZero(), true)
}

func modelClosed(r *rig) {
	r.painter.submit = refusesModel
	r.start()
	for range 5 {
		failed := r.ends(r.asksFor(task.Task{Request: task.Request{Model: "closed"}}).ID, task.Failed)
		r.same(facts{"ErrorKind": failed.ErrorKind, "ErrorAdvice": failed.ErrorAdvice, "ErrorMsg says must be verified": strings.Contains(failed.ErrorMsg, "must be verified")},
			facts{"ErrorKind": task.Unsupported, "ErrorAdvice": task.OpenModel, "ErrorMsg says must be verified": true})
	}
	r.same(r.painter.submits.Load(), int64(1))
	r.passes(time.Minute)
	r.ends(r.asksFor(task.Task{Request: task.Request{Model: "closed"}}).ID, task.Failed)
	r.same(r.painter.submits.Load(), int64(2))
}

func modelElsewhere(r *rig) {
	spare := newPainter()
	r.painter.submit = refusesModel
	r.svc.Accounts = append(r.svc.Accounts, provider.Account{Name: "spare", Provider: spare})
	r.start()
	for range 4 {
		r.ends(r.asksFor(task.Task{Request: task.Request{Model: "closed", MaxAttempts: 3}}).ID, task.Completed)
		r.ends(r.asksFor(task.Task{Request: task.Request{Model: "spent", MaxAttempts: 3}}).ID, task.Completed)
	}
	r.same(spare.submits.Load(), int64(8))
}

func modelTakesNoRate(r *rig) {
	r.tenAMinute()
	r.painter.submit = refusesModel
	r.svc.Accounts = append(r.svc.Accounts, provider.Account{Name: "spare", Provider: newPainter(), Limits: provider.Limits{InFlight: 1}})
	taken, _, err := r.limiter.Acquire(r.Context(), "painter/spare", r.svc.Accounts[1].Limits)
	r.check(err)
	r.check(r.limiter.Close(r.Context(), "painter/main/closed", 10*time.Minute, limit.Why{Reason: "no"}))
	r.start()
	for range 5 {
		r.asksFor(task.Task{Request: task.Request{Model: "closed"}})
	}
	r.passes(time.Minute)
	r.same(facts{"granted": r.granted(), "submits": r.painter.submits.Load()}, facts{"granted": 2, "submits": int64(0)})
	taken.Release(r.Context())
}

func modelHoldsNoneUp(r *rig) {
	spare := newPainter()
	r.svc.Accounts = append(r.svc.Accounts, provider.Account{Name: "spare", Provider: spare})
	r.check(r.limiter.Close(r.Context(), "painter/main/closed", time.Hour, limit.Why{Reason: "no"}))
	r.check(r.limiter.Close(r.Context(), "painter/spare", 2*time.Minute, limit.Why{Reason: "no"}))
	r.start()
	var closed []*task.Task
	for range 3 {
		closed = append(closed, r.asksFor(task.Task{Request: task.Request{Model: "closed", Priority: task.High}}))
	}
	r.passes(5 * time.Second)
	began := time.Now()
	for range 3 {
		r.ends(r.asksFor(task.Task{Request: task.Request{Model: "open"}}).ID, task.Completed)
	}
	if took := time.Since(began); took > time.Minute {
		r.Errorf("the other model waited %s", took)
	}
	r.same(facts{"painter.submits": r.painter.submits.Load(), "spare.submits": spare.submits.Load()},
		facts{"painter.submits": int64(3), "spare.submits": int64(0)})
	r.passes(2 * time.Minute)
	for _, t := range closed {
		r.ends(t.ID, task.Completed)
	}
	r.same(facts{"painter.submits": r.painter.submits.Load(), "spare.submits": spare.submits.Load()},
		facts{"painter.submits": int64(3), "spare.submits": int64(3)})
}

func modelQuota(r *rig) {
	r.painter.submit = refusesModel
	r.start()
	began := time.Now()
	for range 3 {
		failed := r.ends(r.asksFor(task.Task{Request: task.Request{Model: "spent"}}).ID, task.Failed)
		r.same(facts{"ErrorKind": failed.ErrorKind, "ErrorMsg says the free tier of this": strings.Contains(failed.ErrorMsg, "the free tier of this model is used up")},
			facts{"ErrorKind": task.Billing, "ErrorMsg says the free tier of this": true})
	}
	r.ends(r.asksFor(task.Task{Request: task.Request{Model: "open"}}).ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(2))
	if took := time.Since(began); took > 20*time.Second {
		r.Errorf("the other model waited %s", took)
	}
	s, err := r.limiter.Status(r.Context(), "painter/main")
	r.check(err)
	r.same(s.ClosedUntil.IsZero(), true)
}
