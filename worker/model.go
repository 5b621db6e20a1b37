package worker

import (
	"cmp"
	"context"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// modelPause is how long no further call is spent on a model that an account may not
// use. A refused call is free, so it is short: whoever opens the model need not wait.
const modelPause = 30 * time.Second

// modelKey names the model of the task at an account, as the limiter knows it, for each
// kind of refusal apart: what a task does depends on it.
func modelKey(svc *provider.Service, a provider.Account, model string, kind task.Kind) string {
	key := accountKey(svc, a) + "/" + cmp.Or(model, svc.DefaultModel)
	switch kind {
	case task.Billing:
		key += "/quota"
	case task.Auth:
		key += "/access"
	}
	return key
}

// model returns the one with which the last call was made, and whether it is known: a task that has gone
// on to another provider since names that one's.
func (s *step) model() (name string, known bool) {
	if s.last != nil && s.last.Provider != s.t.Provider {
		return "", false
	}
	return cmp.Or(s.t.Model, s.svc.DefaultModel), true
}

// can is what the provider of the last call can do with its model, or with the default one.
func (s *step) can(p provider.Provider) provider.Capabilities {
	model, _ := s.model()
	return p.Capabilities(cmp.Or(model, s.svc.DefaultModel))
}

// closeModel notes that the account may not use the task's model. Errors do not matter:
// the next task then spends a call that is refused.
func (s *step) closeModel(ctx context.Context, f *task.Failure) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if err := s.w.Limiter.Close(ctx, modelKey(s.svc, s.account, s.t.Model, f.Kind), modelPause, limit.WhyOf(f)); err != nil {
		s.log.Debug().Err(err).Msg("the model is not closed")
	}
}

// modelRefused returns why the account may not use the model, as the last task for it was
// told; a zero Why if it may, or nobody knows.
func (w *Worker) modelRefused(ctx context.Context, svc *provider.Service, a provider.Account, model string) (task.Kind, limit.Why) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	for _, kind := range []task.Kind{task.Unsupported, task.Billing, task.Auth} {
		status, err := w.Limiter.Status(ctx, modelKey(svc, a, model, kind))
		if err == nil && !status.ClosedUntil.IsZero() {
			return kind, status.Why
		}
	}
	return "", limit.Why{}
}

// elsewhere reports whether another account of the service may use the task's model.
func (s *step) elsewhere(ctx context.Context) bool {
	for _, a := range s.svc.Accounts {
		if a.Name == s.account.Name {
			continue
		}
		if _, why := s.w.modelRefused(ctx, s.svc, a, s.t.Model); why.Reason == "" {
			return true
		}
	}
	return false
}

// modelClosed is how the step ends since the account may not use the model, nil if it may:
// the task waits for another account, or it fails with the provider's words, as it would have
// by a call of its own. A refusal that does not name the model may pass: it waits.
func (s *step) modelClosed(ctx context.Context) ending {
	kind, why := s.w.modelRefused(ctx, s.svc, s.account, s.t.Model)
	switch {
	case why.Reason == "" && s.room.slot == nil && len(s.svc.Accounts) > 0: // it has just opened
		return released{time.Second, "the model is open again"}
	case why.Reason == "":
		return nil
	case s.elsewhere(ctx):
		return released{time.Second, "account " + s.account.Name + " of " + s.svc.Name + " may not use the model: " + why.Reason}
	case kind == task.Auth:
		return released{modelPause, s.svc.Name + " has just refused a call for this model: " + why.Reason}
	}
	return taskFailed{failure: &task.Failure{Kind: kind, Executed: task.NotExecuted, OfModel: true,
		Message: "no call was made, since " + s.svc.Name + " has just refused the model, which is tried again after " + modelPause.String() + ": " + why.Reason,
		Advice:  why.Advice, About: why.About}}
}
