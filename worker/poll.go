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
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// stall is how long a job that has reported progress may stand still.
const stall = 10 * time.Minute

// forgotten is for how long a provider must say that it does not know a job that it
// has taken: one server of several may hear of it later than the others.
const forgotten = 20 * time.Second

// job is what is known of one that is polled.
type job struct {
	deadline time.Time
	percent  int
	moved    time.Time // when it last made progress
	failures int       // polls in a row that did not work
	gone     time.Time // since when the provider does not know it
	seen     time.Time // when the row was last looked at; see retried
}

// poll asks after the job of the attempt, from its handle alone, until it is
// done, its time is over, the task is cancelled, or the process drains. An
// error of a poll is no error of the task.
func (s *step) poll(ctx context.Context) (phase, queue.Verdict) {
	now := time.Now()
	j := &job{deadline: now.Add(cmp.Or(s.svc.Deadline, defaultDeadline) - s.age()), percent: s.t.Progress, moved: now, seen: now}
	if s.beside {
		j.percent = 0 // that of its task is of the newer call
	}
	if soon := now.Add(2 * forgotten); s.late() && j.deadline.Before(soon) {
		j.deadline = soon // of one that was found again so late
	}
	for {
		wait := cmp.Or(s.said.PollAfter, defaultPoll) + backoff(j.failures)
		if err := s.rest(min(wait, time.Until(j.deadline))); err != nil { // the last look is at the deadline
			return s.interrupted(err)
		}
		if s.late() && s.retried(ctx, j) {
			return s.endWith(unwritten{store.ErrFenced})
		}
		next, err := s.ask(ctx)
		if err == nil && next.Done {
			s.said = next
			return recording, none
		}
		if e := s.heed(j, next, err); e != nil {
			return s.endWith(e)
		}
		if s.said.Progress > j.percent {
			j.percent, j.moved = s.said.Progress, time.Now()
			if err := s.progress(ctx, j.percent); errors.Is(err, store.ErrFenced) {
				return s.overtaken(ctx)
			}
		}
		if now := time.Now(); !now.Before(j.deadline) || j.percent > 0 && now.Sub(j.moved) > stall {
			return s.endWith(s.uncollected(&task.Failure{Kind: task.Timeout, Executed: task.Unknown,
				Message: fmt.Sprintf("%s has had the job since %s and does not finish it", s.svc.Name, s.last.SentAt.UTC().Format(time.RFC3339))}))
		}
	}
}

// heed takes note of what a poll has told of a job that is not done, and returns how the
// step ends if that is the end of it.
func (s *step) heed(j *job, next provider.Answer, err error) ending {
	switch f := task.AsFailure(err); {
	case err == nil:
		s.said, j.failures, j.gone = next, 0, time.Time{}
		s.begins(next)
	case provider.IsNewer(err):
		return s.leftToNewer(err)
	case f.Executed == task.Executed:
		return callFailed{f}
	case f.Kind == task.Expired && !j.gone.IsZero() && time.Since(j.gone) >= forgotten:
		if s.stopping && s.can(s.account.Provider).Deletes {
			return callFailed{&task.Failure{Kind: task.Forgotten, Executed: task.Executed, HTTPStatus: f.HTTPStatus,
				Message: "the job was cancelled, and " + s.svc.Name + " does not know it any more"}}
		}
		return s.uncollected(f)
	case f.Kind == task.Expired:
		j.gone = cmp.Or(j.gone, time.Now())
		j.failures++
	default:
		j.failures++
		s.said.PollAfter = max(s.said.PollAfter, f.RetryAfter)
		s.log.Debug().Err(err).Msg("poll failed")
	}
	return nil
}

// begins takes note of a job that has begun although the provider was asked to stop it.
func (s *step) begins(next provider.Answer) {
	if s.stopping && !next.Queued {
		s.stopping = false
		s.w.late.note(s.last.ID, false)
	}
}

func (s *step) ask(ctx context.Context) (provider.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	crash.At("about to poll")
	return s.account.Provider.Poll(ctx, json.RawMessage(s.last.Handle))
}

// progress notes how far the provider is, unless nobody waits for it any more.
func (s *step) progress(ctx context.Context, percent int) error {
	if s.late() {
		return nil
	}
	_, err := s.w.Journal.Record(ctx, store.Progressed{Held: s.t.Token(), Percent: percent})
	return err
}

// interrupted ends the waiting: a draining process hands the job to another one,
// which goes on from its handle; a cancelled task is cancelled upstream.
func (s *step) interrupted(err error) (phase, queue.Verdict) {
	if errors.Is(err, errCancelled) {
		return cancelling, none
	}
	return s.endWith(released{})
}

// overtaken is where to go on when the row is not ours any more in the middle of a job: one that was
// cancelled is cancelled upstream. If nobody works on it, since whoever took it over did not know of
// the job, the collecting of late calls finds it.
func (s *step) overtaken(ctx context.Context) (phase, queue.Verdict) {
	h, err := s.w.Journal.History(ctx, s.t.ID)
	if err == nil && h.Status == task.Cancelled && h.Delivery == s.t.Delivery {
		return cancelling, none
	}
	return s.endWith(unwritten{store.ErrFenced})
}

// cancel asks the provider to stop the job of a cancelled task. Whatever it answers, the job
// is polled on until the provider says how it has ended: a request to stop is no promise, and
// what is drawn all the same was paid for and is kept as late. The step of a delivery leaves that to
// the collecting of late calls, for it may take as long as the job would, and lets go of its slot.
// That a job is gone after that says that it was stopped only if it was last heard of as one
// that had not begun: a service deletes no other. Only the process that heard so knows it; at
// another one, and of a job that was not polled, the call stays accepted, and a retry asks.
func (s *step) cancel(ctx context.Context) (phase, queue.Verdict) {
	queued := s.said.Queued
	s.said = provider.Answer{}
	asking, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := s.account.Provider.Cancel(asking, json.RawMessage(s.last.Handle))
	switch f := task.AsFailure(err); {
	case err == nil:
		s.stopping = queued
		s.log.Info().Msg("cancelled; the provider was asked to stop its job")
	case f.Kind == task.Stopped && f.Executed == task.Executed:
		return s.endWith(endedLate{failure: f, state: task.AttemptFailed})
	default:
		s.log.Info().Err(err).Msg("cancelled; the provider goes on, and its answer will be kept")
	}
	s.w.late.note(s.last.ID, s.stopping)
	if s.late() {
		return polling, none
	}
	return s.endWith(leftLate{})
}

// uncollected is how a task ends whose job the provider has taken and does not give. The
// attempt stays accepted: a retry by hand asks after the job again, and only a person's word
// buys. Where calls cost nothing, and the policy has lost ones made again, this is one.
func (s *step) uncollected(f *task.Failure) ending {
	if s.late() {
		f.Executed, f.Advice, f.About = task.Executed, task.RetryAsks, ""
		return endedLate{failure: f, state: task.AttemptAccepted}
	}
	free := s.account.Provider != nil && s.can(s.account.Provider).Free
	switch {
	case free && s.svc.Retry.OnUnknown == task.Resend:
		s.last.State, f.Executed = task.AttemptFailed, task.NotExecuted
		s.blame(f)
		return taskFailed{f, true}
	case s.last.State != task.AttemptAccepted:
		f.Executed = task.Unknown
		return callFailed{f}
	}
	f.Executed, f.Advice, f.About = task.Executed, task.RetryAsks, ""
	s.blame(f)
	return decided{s.fails(f), true} // accepted, and not asked after any more until a retry
}

// backoff spaces polls that fail.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(time.Second<<min(failures-1, 10), 30*time.Second)
}
