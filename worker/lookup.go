package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// lookUp asks after a call whose worker died, or whose outcome was lost: the provider, and then our
// storage. Whoever made it may have lived and journalled its answer meanwhile; that then counts,
// and the next step begins with it.
func (s *step) lookUp(ctx context.Context) (phase, queue.Verdict) {
	s.history = nil
	early := s.mayCome() // a call may reach the provider while it is asked
	ans, err := s.recover(ctx)
	if err == nil {
		s.log.Info().Int("attempt", s.last.Number).Msg("a lost call was found again")
		s.said = ans
		return recording, none
	}
	f := task.AsFailure(err)
	if f.Executed == task.Executed {
		return s.endWith(callFailed{f})
	}
	stored, e := s.lookInStorage(ctx)
	switch {
	case e != nil:
		return s.endWith(e)
	case stored.whole():
		return s.takeStored(ctx, stored)
	}
	return s.unheard(ctx, *f, early, stored)
}

// unheard goes on with a lost call of which the provider has said f and our storage does not have
// all pictures.
func (s *step) unheard(ctx context.Context, f task.Failure, early time.Duration, stored keptOf) (phase, queue.Verdict) {
	a, was := s.last, s.last.State
	never := f.Executed == task.NotExecuted && !aboutAsking(f.Kind) // made, as the provider says
	switch {
	case f.Executed == task.NotExecuted && !never && s.t.FailedTries+1 < s.t.MaxTries():
		f.Message = fmt.Sprintf("attempt %d was lost, and %s could not be asked about it: %s", a.Number, s.svc.Name, f.Message)
		return s.endWith(taskFailed{failure: &f}) // the attempt stays as it is, and the next try asks again
	case never && early > 0:
		return s.endWith(released{early, fmt.Sprintf("%s does not have attempt %d yet, and it may still be on its way", s.svc.Name, a.Number)})
	case stored.any() && s.broughtBack():
		return s.takeStored(ctx, stored)
	case never && !stored.any():
		a.State, a.RowError = task.AttemptRejected, task.RowError{ErrorKind: task.Forgotten, ErrorMsg: "the provider never had this call: " + f.Message}
	case was == task.AttemptUnknown && a.ErrorMsg != "" && stored.any() == a.HeldInPart(): // it was known why, which says more than that nobody can tell
	default:
		stored.tell(&f)
		a.State, a.RowError = task.AttemptUnknown, f.RowError()
		a.ErrorKind = task.OutcomeUnknown
	}
	still, err := s.write(ctx, store.AttemptEndedIf{Attempt: *a, State: was})
	switch {
	case err != nil:
		return s.endWith(unwritten{err})
	case !still:
		return s.endWith(released{})
	case s.left() <= 0:
		return s.endWith(allDrawn{})
	case stored.any(): // it was answered, which no policy for what nobody knows is about
		return s.endWith(decided{decision: s.fails(s.notFound(&f, was))})
	case a.State == task.AttemptRejected || s.svc.Retry.OnUnknown == task.Resend:
		return buying, none
	}
	return s.endWith(taskFailed{failure: s.notFound(&f, was)})
}

// broughtBack reports whether a person has retried the task since the outcome of its last call was
// said to be unknown.
func (s *step) broughtBack() bool {
	return s.last.State == task.AttemptUnknown && !s.last.EndedSince(s.t.RetriedAt)
}

// recover asks the provider after the last call.
func (s *step) recover(ctx context.Context) (provider.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime())
	defer cancel() // gives back what the answer was read with, which keeping it may wait for
	return s.account.Provider.Recover(ctx, provider.Lost{Key: s.last.Key, Endpoint: s.last.Endpoint, SentAt: s.last.SentAt})
}

// notFound is why a task fails whose last call nobody can tell of, as f has just said.
func (s *step) notFound(f *task.Failure, was task.AttemptState) *task.Failure {
	a := s.last
	if was == task.AttemptUnknown {
		return a.Failure(task.Unknown)
	}
	f.Kind, f.Executed = task.OutcomeUnknown, task.Unknown
	f.Message = fmt.Sprintf("the worker lost attempt %d while it called %s: %s", a.Number, s.svc.Name, f.Message)
	return f
}

// mayCome is how long the lost call may still reach the provider: its worker
// may have stood still while it dialled, and send when it goes on. Only after
// that does it prove anything that the provider does not have the call. The
// lease on top is for a request that is slow on its way. It goes by our own time alone:
// see journalLooks.
func (s *step) mayCome() time.Duration {
	return s.callTime() + s.w.lease() - s.w.looks.lost(s.last.ID, s.last.Key)
}

// aboutAsking reports whether a failure of that kind may speak of the question
// alone: a client that could not ask says that nothing was executed, which is
// true of the asking and proves nothing about the lost call.
func aboutAsking(k task.Kind) bool {
	switch k {
	case task.RateLimited, task.Auth, task.Billing, task.Unavailable, task.ProviderError, task.BadAnswer,
		task.Timeout, task.OutcomeUnknown, task.Internal:
		return true
	}
	return false
}
