package worker

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// A call that was paid for may outlive its task, or its task's waiting for it: a cancelled job is
// drawn all the same, a call that was given up for lost is found again by its callback or in a spool,
// perhaps while another is made in its place. No delivery leads to such a call. Each process asks
// after its own, and takes over those of processes that have gone. It never buys.

// collectLate asks after a late call, and keeps what it brings beside the task; one that is held
// over it, or has failed by a newer call, is completed. It returns after how long it may be taken
// again if it did not end. A panic, which only a fault of ours or of an adapter can cause, is
// this one task's.
func (w *Worker) collectLate(ctx context.Context, c lateCall) (again time.Duration) {
	again = lateAgain
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error().Int64("attempt_id", c.id).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("panic")
		}
	}()
	s, err := w.lateStep(ctx, c)
	if err != nil || s == nil {
		return again
	}
	if !s.beside {
		if s.waiting, s.wakeUps, s.letGo = w.hold(ctx, s.t.ID, false); s.waiting == nil {
			return again // a step of this process has it in hand
		}
	}
	s.waiting = ctx // not that of the task: that it was cancelled says nothing new
	defer s.end(ctx)
	verdict := s.run(ctx, resuming)
	return max(again, verdict.After)
}

// lateStep is the step that asks after the call, which is this process's from now on if it has
// the account; nil if it is not to be asked after.
func (w *Worker) lateStep(ctx context.Context, c lateCall) (*step, error) {
	a, err := w.Journal.Attempt(ctx, c.id)
	if err != nil || !a.Collectable() || a.FinishedAt != nil || c.of != "" && a.Worker != c.of { // another process was faster
		return nil, err
	}
	svc, known := w.Services[a.Provider]
	if !known {
		return nil, nil
	}
	if _, has := svc.Account(a.Account); has && a.Worker != w.Self.ID {
		taken, err := w.Journal.Record(ctx, store.TakenOver{Attempt: a.ID, From: a.Worker, By: w.Self.ID})
		if err != nil || !taken {
			return nil, err
		}
	}
	now, claimed := time.Time{}, time.Now()
	if now, err = w.OpenCalls.Now(ctx); err != nil {
		return nil, err
	}
	t, err := w.Tasks.Get(ctx, a.TaskID)
	if err != nil {
		return nil, err
	}
	t.Fence = 0 // that of no claim: whoever holds the task, this step does not
	s := &step{w: w, svc: svc, t: t, last: a, was: a.State, beside: !t.Status.Final(), claimed: claimed, clock: now}
	if s.beside {
		h, err := s.count(ctx)
		if err != nil || !h.GoesOnWithout(a.Number) {
			return nil, err // the step of a delivery asks after it
		}
	}
	s.log = w.Log.With().Str("provider", svc.Name).Int64("task", t.ID).Int("attempt", a.Number).Bool("late", true).Logger()
	return s, nil
}

// resumeLate goes on with a late call. That of a task that was cancelled is cancelled
// upstream once more, unless this process has done so: whoever was to do it may have died before.
func (s *step) resumeLate(ctx context.Context) (phase, queue.Verdict) {
	if e := s.tooOld(); e != nil {
		return s.endWith(e)
	}
	h, err := s.count(ctx)
	if err != nil || h.HasCollected(s.last.ID) { // another process has collected it since it was found
		return s.endWith(released{})
	}
	asked, stopping := s.w.late.asked(s.last.ID)
	s.stopping = stopping
	s.w.looks.note(s.last.ID, time.Now(), s.w.longestWait())
	switch next, verdict := s.goOn(ctx, h); {
	case next == polling && s.t.Status == task.Cancelled && !asked:
		return cancelling, none
	default:
		return next, verdict
	}
}

// tooOld is how a call ends without a question that nobody has collected for days longer
// than any may take: a release that knows nothing of late calls has left it so. It ends as well
// if no process has its account any more.
func (s *step) tooOld() ending {
	since := cmp.Or(s.last.AnsweredAt, &s.last.SentAt)
	if s.byClock(since) < 2*clockStep+max(s.addressLife(), cmp.Or(s.svc.Deadline, defaultDeadline)) {
		return nil
	}
	return endedLate{state: s.was, overdue: true, failure: &task.Failure{Kind: task.Expired, Executed: task.Executed, Advice: advice(s.was),
		Message: fmt.Sprintf("%s has had this call since %s, and it could not be collected in time", s.svc.Name, s.last.SentAt.UTC().Format(time.RFC3339))}}
}

// advice is what a person can do about a call in that state that nobody asks after any more.
func advice(state task.AttemptState) task.Advice {
	if state == task.AttemptAccepted {
		return task.RetryAsks
	}
	return task.RetryCollects
}

// retried reports whether a person has brought the task back since it was over, or deleted
// it: whoever works on it then asks after its job too. A call beside a task that goes on is
// left once that is over, and taken as of such a task, or once a step of it asks after the call.
func (s *step) retried(ctx context.Context, j *job) bool {
	if time.Since(j.seen) < rowEvery {
		return false
	}
	j.seen = time.Now()
	rows, err := s.w.OpenCalls.Deliveries(ctx, []int64{s.t.ID})
	t, there := rows[s.t.ID]
	if s.beside && err == nil && there && t.Status == task.Processing {
		h, err := s.w.Journal.History(ctx, s.t.ID)
		return err == nil && !h.GoesOnWithout(s.last.Number)
	}
	if s.beside {
		return err == nil && (!there || t.Status.Final())
	}
	return err == nil && (!there || t.Delivery != s.t.Delivery || !t.Status.Final())
}

// leftLate leaves the call of a task that is over to the collecting of late ones, which has as long
// as it takes, and lets go of handler and slot.
type leftLate struct{}

func (leftLate) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	s.leaves = true
	s.learn(ctx)
	return nil, queue.Verdict{}
}

// endedLate ends a call whose task is over, in that state: failed as the provider says, or
// as it was, and not asked after any more.
type endedLate struct {
	failure *task.Failure
	state   task.AttemptState
	overdue bool // so that it ends at a process too that does not have its account
}

func (e endedLate) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	if s.account.Provider == nil && !e.overdue {
		return released{after: elsewhere}, none // who has the account may learn more
	}
	if s.beside || s.t.Status == task.Completed {
		e.failure.Advice, e.failure.About = "", "" // a retry is not what comes next
	}
	s.last.State = e.state
	s.last.Unbilled = e.state == task.AttemptFailed && e.failure.Unbilled
	s.blame(e.failure)
	switch changed, err := s.write(ctx, store.EndedLate{Attempt: *s.last}); {
	case err != nil:
		return unwritten{err}, none
	case !changed: // its task is to hear of it by itself
		return nil, queue.Verdict{After: pauseCap}
	}
	s.log.Info().Str("kind", string(e.failure.Kind)).Str("error", e.failure.Error()).Msg("a call that was collected late brought nothing")
	return nil, queue.Verdict{}
}
