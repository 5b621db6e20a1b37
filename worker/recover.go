package worker

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// resume goes on with a call that was made, or may have been, through the
// account that made it.
func (s *step) resume(ctx context.Context) error {
	if err := s.place(ctx, s.last.Number, s.asked()); err != nil {
		return err
	}
	maker, known := s.svc.Account(s.last.Account)
	if s.last.Provider != s.svc.Name {
		maker, known = provider.Account{}, false
	}
	switch {
	case s.last.State == task.AttemptAnswered:
		s.account = maker // which only renews an address; without it the pictures are kept all the same
		return s.keepAgain(ctx)
	case !known:
		return s.stranded(ctx)
	}
	s.account = maker
	switch {
	case s.last.State == task.AttemptAccepted, s.last.Handle != "":
		s.log.Info().Int("attempt", s.last.Number).Msg("resumed by its handle")
		return s.poll(ctx)
	}
	return s.recover(ctx)
}

// stranded is for a call through an account that this worker does not have.
// Another one may have it, for as long as a job may take; after that a person
// has to look.
func (s *step) stranded(ctx context.Context) error {
	where := fmt.Sprintf("account %q of %s", s.last.Account, s.last.Provider)
	switch {
	case s.last.Provider == s.svc.Name && s.age(ctx) < cmp.Or(s.svc.Deadline, defaultDeadline):
		return s.handBack(ctx, elsewhere, "this worker does not have the "+where)
	case s.last.State == task.AttemptAccepted:
		return s.uncollected(ctx, &task.Failure{Kind: task.Auth, Message: "the provider has taken the job through the " + where + ", which this worker does not have"})
	case s.svc.Retry.OnUnknown == task.Resend:
		return s.buyRest(ctx)
	}
	return s.failed(ctx, &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown,
		Message: "the last call was made through the " + where + ", which this worker does not have"})
}

// recover asks after a call whose worker died, or whose outcome was lost.
func (s *step) recover(ctx context.Context) error {
	a, was := s.last, s.last.State
	early := s.mayCome() // a call may reach the provider while it is asked
	asking, cancel := context.WithTimeout(ctx, s.callTime())
	defer cancel()
	ans, err := s.account.Provider.Recover(asking, provider.Lost{Key: a.Key, Endpoint: a.Endpoint, SentAt: a.SentAt})
	cancel() // as in send
	if err == nil {
		s.log.Info().Int("attempt", a.Number).Msg("a lost call was found again")
		return s.heard(ctx, ans)
	}
	f := *task.AsFailure(err)
	switch {
	case f.Executed == task.Executed:
		return s.failed(ctx, &f)
	case f.Executed == task.NotExecuted && aboutAsking(f.Kind) && s.t.FailedTries+1 < s.t.MaxTries():
		f.Message = fmt.Sprintf("attempt %d was lost, and %s could not be asked about it: %s", a.Number, s.svc.Name, f.Message)
		return s.fail(ctx, &f, nil) // the attempt stays as it is, and the next try asks again
	case f.Executed == task.NotExecuted && !aboutAsking(f.Kind) && early > 0:
		return s.handBack(ctx, early, fmt.Sprintf("%s does not have attempt %d yet, and it may still be on its way", s.svc.Name, a.Number))
	case f.Executed == task.NotExecuted && !aboutAsking(f.Kind):
		a.State, a.ErrorMsg = task.AttemptRejected, "the provider never had this call: "+f.Message
	case was == task.AttemptUnknown && a.ErrorMsg != "": // it was known why, which says more than that nobody can tell
	default:
		a.State, a.ErrorKind, a.ErrorMsg = task.AttemptUnknown, task.OutcomeUnknown, f.Error()
	}
	return s.notFound(ctx, &f, was)
}

// notFound writes what asking after a lost call has told and goes on. Whoever
// made the call may have lived and journalled its answer meanwhile; that then
// counts, and the next step begins with it.
func (s *step) notFound(ctx context.Context, f *task.Failure, was task.AttemptState) error {
	a, still := s.last, false
	err := s.persist(ctx, func(ctx context.Context) (err error) {
		still, err = s.Tasks.FinishIf(ctx, a, was)
		return err
	})
	switch {
	case err != nil:
		return s.unsaved(ctx, err)
	case !still:
		return s.handBack(ctx, 0, "")
	case s.left() <= 0:
		return s.finish(ctx)
	case a.State == task.AttemptRejected || s.svc.Retry.OnUnknown == task.Resend:
		return s.buyRest(ctx)
	}
	f.Kind, f.Executed = task.OutcomeUnknown, task.Unknown
	if was == task.AttemptUnknown {
		return s.fail(ctx, &task.Failure{Kind: a.ErrorKind, Executed: task.Unknown, Code: a.ErrorCode, Message: a.ErrorMsg}, nil)
	}
	f.Message = fmt.Sprintf("the worker lost attempt %d while it called %s: %s", a.Number, s.svc.Name, f.Message)
	return s.fail(ctx, f, nil)
}

// mayCome is how long the lost call may still reach the provider: its worker
// may have stood still while it dialled, and send when it goes on. Only after
// that does it prove anything that the provider does not have the call. The
// lease on top is for a request that is slow on its way. It goes by our own time alone:
// see journalLooks.
func (s *step) mayCome() time.Duration {
	return s.callTime() + s.lease() - s.looks.lost(s.last.ID, s.last.Key)
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
