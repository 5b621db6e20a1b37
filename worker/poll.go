package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// stall is how long a job that has reported progress may stand still.
const stall = 10 * time.Minute

// forgotten is for how long a provider must say that it does not know a job that it
// has taken: one server of several may hear of it later than the others.
const forgotten = 20 * time.Second

// poll asks after an accepted job at once.
func (s *step) poll(ctx context.Context) error {
	return s.pollFrom(ctx, provider.Answer{PollAfter: time.Nanosecond})
}

// pollFrom asks after the job of the attempt, from its handle alone, until it is
// done, its time is over, the task is cancelled, or the process drains. An
// error of a poll is no error of the task.
func (s *step) pollFrom(ctx context.Context, ans provider.Answer) error {
	deadline := time.Now().Add(cmp.Or(s.svc.Deadline, defaultDeadline) - s.age(ctx))
	moved, percent, failures := time.Now(), s.t.Progress, 0
	var gone time.Time // since when the provider does not know the job
	for {
		wait := cmp.Or(ans.PollAfter, defaultPoll) + backoff(failures)
		if err := s.pause(s.waiting, min(wait, time.Until(deadline)), s.news); err != nil { // the last look is at the deadline
			return s.interrupted(ctx, err)
		}
		next, err := s.ask(ctx)
		switch f := task.AsFailure(err); {
		case err == nil && next.Done:
			return s.answered(ctx, next)
		case err == nil:
			ans, failures, gone = next, 0, time.Time{}
		case provider.IsNewer(err):
			return s.leaveToNewer(ctx, err)
		case f.Executed == task.Executed:
			return s.failed(ctx, f)
		case f.Kind == task.Expired && !gone.IsZero() && time.Since(gone) >= forgotten:
			return s.uncollected(ctx, f)
		case f.Kind == task.Expired:
			gone = cmp.Or(gone, time.Now())
			failures++
		default:
			failures++
			ans.PollAfter = max(ans.PollAfter, f.RetryAfter)
			s.log.Debug().Err(err).Msg("poll failed")
		}
		if ans.Progress > percent {
			percent, moved = ans.Progress, time.Now()
			if err := s.progress(ctx, percent); errors.Is(err, store.ErrFenced) {
				return s.overtaken(ctx, ans)
			}
		}
		if now := time.Now(); !now.Before(deadline) || percent > 0 && now.Sub(moved) > stall {
			return s.uncollected(ctx, &task.Failure{Kind: task.Timeout, Executed: task.Unknown,
				Message: fmt.Sprintf("%s has had the job since %s and does not finish it", s.svc.Name, s.last.SentAt.UTC().Format(time.RFC3339))})
		}
	}
}

// uncollected ends a task whose job the provider has taken and does not give. The attempt
// stays accepted: a retry by hand asks after the job again, and only a person's word buys.
// Where calls cost nothing, and the policy has lost ones made again, this is one.
func (s *step) uncollected(ctx context.Context, f *task.Failure) error {
	free := s.account.Provider != nil && s.svc.Capabilities(s.account.Provider, s.t).Free
	switch {
	case free && s.svc.Retry.OnUnknown == task.Resend:
		s.last.State, f.Executed = task.AttemptFailed, task.NotExecuted
		s.blame(f)
		return s.fail(ctx, f, s.last)
	case s.last.State != task.AttemptAccepted:
		f.Executed = task.Unknown
		return s.failed(ctx, f)
	}
	f.Executed, f.Next = task.Executed, retryAsks
	return s.end(ctx, task.Decision{Status: task.Failed, FailedTries: s.t.FailedTries + 1, Waits: s.t.Waits, Failure: f}, nil)
}

const retryAsks = "`easel retry` asks after it again and does not pay for it twice; `easel retry --buy-again` has a new one drawn, which may be paid for as well"

func (s *step) ask(ctx context.Context) (provider.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	crash.At("about to poll")
	return s.account.Provider.Poll(ctx, json.RawMessage(s.last.Handle))
}

// leaveToNewer hands the task back for a worker of a later release. Nothing of
// its budgets is spent.
func (s *step) leaveToNewer(ctx context.Context, err error) error {
	s.log.Warn().Err(err).Msg("a worker of a later release has to go on")
	return s.handBack(ctx, elsewhere, err.Error())
}

// progress notes how far the provider is, unless nobody waits for it any more.
func (s *step) progress(ctx context.Context, percent int) error {
	if s.late {
		return nil
	}
	return s.Tasks.Progress(ctx, s.t, percent)
}

// interrupted ends the waiting: a draining process hands the job to another one,
// which goes on from its handle; a cancelled task is cancelled upstream.
func (s *step) interrupted(ctx context.Context, err error) error {
	if errors.Is(err, errCancelled) {
		return s.cancelUpstream(ctx)
	}
	return s.handBack(ctx, 0, "")
}

// overtaken is called when the row is not ours any more in the middle of a job. If
// nobody works on it, since whoever took it over did not know of the job, the job is
// waited for: what it draws may end the task yet.
func (s *step) overtaken(ctx context.Context, ans provider.Answer) error {
	t, err := s.Tasks.Get(ctx, s.t.ID)
	switch {
	case err == nil && t.Status == task.Cancelled && t.Delivery == s.t.Delivery:
		return s.cancelUpstream(ctx)
	case err == nil && t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown:
		s.late = true
		return s.pollFrom(ctx, ans)
	}
	return s.unsaved(ctx, store.ErrFenced)
}

// cancelUpstream asks the provider to stop the job of a cancelled task. Where
// that cannot be had the job is waited for, and what it draws is kept as late.
func (s *step) cancelUpstream(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.account.Provider.Cancel(asking, json.RawMessage(s.last.Handle)); err != nil {
		s.log.Info().Err(err).Msg("cancelled; the provider goes on, and its answer will be kept")
		s.waiting, s.late = ctx, true
		return s.pollFrom(ctx, provider.Answer{})
	}
	s.log.Info().Msg("cancelled, also at the provider")
	a := s.last
	a.State, a.ErrorKind, a.ErrorMsg = task.AttemptFailed, task.Stopped, "the task was cancelled while the provider worked on it"
	return s.unsavedOrNil(ctx, s.persist(ctx, func(ctx context.Context) error {
		_, err := s.Tasks.FinishIf(ctx, a, task.AttemptAccepted) // a retry by hand may have brought its answer meanwhile
		return err
	}))
}

func (s *step) unsavedOrNil(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return s.unsaved(ctx, err)
}

// backoff spaces polls that fail.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(time.Second<<min(failures-1, 10), 30*time.Second)
}
