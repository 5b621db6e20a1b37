package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// claim takes the row of the delivery, once there is room for what it begins with.
func (s *step) claim(ctx context.Context) (phase, queue.Verdict) {
	room, verdict, ok := s.findRoom(ctx)
	if !ok {
		return done, verdict
	}
	s.room = room
	waiting, wakeUps, letGo := s.w.hold(ctx, s.delivery.Task, true)
	if waiting == nil {
		return done, s.w.holdsAlready(s.delivery.Task)
	}
	s.waiting, s.wakeUps, s.letGo = waiting, wakeUps, letGo
	s.claimed = time.Now()
	if !s.w.alive() {
		return done, s.w.unseen()
	}
	crash.At("before the claim")
	claim, refusal, err := s.w.Journal.Claim(ctx, s.delivery.Ref, s.w.Self.ID, s.w.lease())
	switch {
	case err != nil:
		return done, noAnswer(err)
	case refusal != nil:
		return done, s.refusal(ctx, refusal)
	case claim.Task.Provider != s.delivery.Provider:
		return done, s.misdirected(ctx, claim.Task)
	}
	s.w.claimed(s.delivery.Task)
	s.w.noteSkew(s.claimed, claim.Task.UpdatedAt)
	s.t, s.last, s.clock = claim.Task, claim.Last, claim.Task.UpdatedAt
	s.log = s.log.With().Int64("fence", s.t.Fence).Logger()
	crash.At("claimed")
	return resuming, none
}

func retry(after time.Duration, reason string) queue.Verdict {
	return queue.Verdict{Action: queue.Retry, After: after, Reason: reason}
}

func archive(reason string) queue.Verdict {
	return queue.Verdict{Action: queue.Archive, Reason: reason}
}

// noAnswer is the verdict when nothing is known and nothing was written.
func noAnswer(err error) queue.Verdict {
	return retry(2*time.Second, "the database did not answer: "+err.Error())
}

// unseen and lockedRow are the verdicts on deliveries that cannot be worked on now.
func (w *Worker) unseen() queue.Verdict {
	return retry(w.lease()/10, "this worker's heartbeat does not reach the database")
}

func lockedRow(wait time.Duration) queue.Verdict {
	return retry(wait, "a transaction in the database has the task's row locked")
}

// refusal says what a delivery means whose row cannot be claimed.
func (s *step) refusal(ctx context.Context, r *store.Refusal) queue.Verdict {
	switch {
	case r.Busy:
		return retry(r.Wait, "another worker holds the task")
	case r.Locked:
		return lockedRow(r.Wait)
	case r.FenceExhausted:
		return s.fenceExhausted(ctx)
	case r.Task != nil && r.Status == task.Failed && r.Task.Delivery == s.delivery.Delivery:
		return s.ofFailed(ctx, r.Task)
	}
	return queue.Verdict{}
}

// ofFailed says what a delivery means whose row has failed. Either a person pressed Run in
// asynqmon, or asynq lost the write that archived it and delivers it by itself.
func (s *step) ofFailed(ctx context.Context, t *task.Task) queue.Verdict {
	run, err := s.w.Redeliveries.WasRun(ctx, s.delivery)
	if err != nil {
		return retry(2*time.Second, err.Error())
	}
	if !run {
		return archive(t.ErrorMsg)
	}
	h, err := s.w.Journal.History(ctx, t.ID)
	if err != nil {
		return retry(2*time.Second, err.Error())
	}
	if s.w.Services.Undecided(h.Attempts) || t.ErrorKind == task.Charged || h.AfterRetry() == task.BuysAgain {
		return archive(t.ErrorMsg) // Run says nothing that only a person knows, and sees nothing that one has said
	}
	retried, err := s.w.Tasks.Retry(ctx, t.Seen(), false)
	var not *store.NotAllowed
	switch {
	case errors.As(err, &not), errors.Is(err, store.ErrNotFound): // somebody was faster, or the row was deleted
		return queue.Verdict{}
	case err != nil:
		return retry(2*time.Second, err.Error())
	}
	s.log.Info().Int("delivery", retried.Delivery).Msg("retried by hand from asynqmon")
	return queue.Verdict{} // the relay publishes the new delivery
}

// fenceExhausted archives a row whose fence is at the bound of its column.
func (s *step) fenceExhausted(ctx context.Context) queue.Verdict {
	f := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf("fence is %d, the last number of its column, so that no worker can take the task; "+
		"accepted are numbers from 0 to %d; a retry sets it back", math.MaxInt64, math.MaxInt64-1), Advice: task.RetryByHand}
	why, err := s.w.Tasks.Archive(ctx, s.delivery.Ref, f)
	switch {
	case err != nil:
		return retry(2*time.Second, err.Error())
	case why == nil:
		return lockedRow(store.LockedWait)
	}
	return archive(why.Error())
}

// misdirected lets a task go whose row names another provider than its
// delivery: the relay publishes it again in the right queue.
func (s *step) misdirected(ctx context.Context, t *task.Task) queue.Verdict {
	err := s.w.Journal.Release(ctx, t.Token(), 0, "")
	if err == nil {
		err = s.w.Tasks.MarkUnpublished(ctx, []task.Ref{t.Ref()})
	}
	if err != nil && !errors.Is(err, store.ErrFenced) {
		return retry(2*time.Second, err.Error())
	}
	return queue.Verdict{}
}
