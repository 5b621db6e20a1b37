package worker

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// How a step ends: what it writes, and the verdict that it returns.

// failed ends the attempt with f, and the task as task.Fail says.
func (s *step) failed(ctx context.Context, f *task.Failure) error {
	if s.drawsOn(f) {
		return s.partRefused(ctx, f)
	}
	a := s.last
	switch f.Executed {
	case task.Unknown:
		a.State = task.AttemptUnknown
	case task.Executed:
		a.State = task.AttemptFailed
	default:
		a.State = task.AttemptRejected
	}
	a.Unbilled = f.Executed == task.Executed && f.Unbilled
	s.blame(f)
	return s.fail(ctx, f, a)
}

// blame notes f on the attempt.
func (s *step) blame(f *task.Failure) {
	a := s.last
	a.ErrorKind, a.ErrorCode, a.ErrorMsg = f.Kind, f.Code, f.Error()
	a.ProviderRequestID = cmp.Or(f.RequestID, a.ProviderRequestID)
	if f.Billed && a.State == task.AttemptFailed && a.CostMicros == nil {
		s.charge(nil, s.asked(), nil)
	}
	if f.HTTPStatus != 0 {
		a.HTTPStatus = &f.HTTPStatus
	}
}

// fail writes what task.Fail decides and returns the same for the queue. a is
// the attempt that ended, or nil.
func (s *step) fail(ctx context.Context, f *task.Failure, a *task.Attempt) error {
	if err := s.countServerErrors(ctx, f); err != nil {
		return s.unsaved(ctx, err)
	}
	v := s.t.Fail(f, s.svc.Retry, time.Now(), random)
	if to, rest, ok := s.fallback(ctx, v); ok {
		return s.fallBack(ctx, to, rest, v.Failure, a)
	}
	return s.end(ctx, v, a)
}

// end writes the verdict and returns the same for the queue. a is the attempt that
// ended, or nil.
func (s *step) end(ctx context.Context, v task.Decision, a *task.Attempt) error {
	err := s.persist(ctx, func(ctx context.Context) error { return s.Tasks.Fail(ctx, s.t, v, a) })
	if err != nil {
		return s.unsaved(ctx, err)
	}
	event := s.log.Info()
	if v.Status == task.Failed {
		event = s.log.Warn()
	}
	event.Str("status", string(v.Status)).Str("kind", string(v.Failure.Kind)).Dur("next", v.Delay).Str("error", v.Failure.Error()).Msg("failed")
	if v.Status == task.Failed {
		return &queue.Parked{Reason: v.Failure.Error()}
	}
	return &queue.Later{After: v.Delay, Reason: v.Failure.Error()}
}

// countServerErrors counts the calls before this one that the service has failed by its
// own fault. The journal is asked until it answers: without the number the call would
// be repeated too often or not at all.
func (s *step) countServerErrors(ctx context.Context, f *task.Failure) error {
	if f.Executed != task.Executed || !f.Unbilled {
		return nil
	}
	return s.persist(ctx, func(ctx context.Context) (err error) {
		s.t.ServerErrors, err = s.Tasks.ServerErrors(ctx, s.t)
		return err
	})
}

// handBack returns the task unworked, without a spent attempt.
func (s *step) handBack(ctx context.Context, after time.Duration, reason string) error {
	err := s.persist(ctx, func(ctx context.Context) error { return s.Tasks.Release(ctx, s.t, after, reason) })
	if err != nil {
		return s.unsaved(ctx, err)
	}
	return &queue.Later{After: after, Reason: reason}
}

// unsaved is the verdict when a row could not be written. If the task was taken
// over the delivery means nothing any more; otherwise it rings again, and this
// worker may claim what carries its own name.
func (s *step) unsaved(ctx context.Context, err error) error {
	if errors.Is(err, store.ErrFenced) {
		s.log.Info().Msg("the task was taken over; leaving it alone")
		s.learn(ctx)
		return nil
	}
	if s.Tasks.Refuses(err) && !s.refused {
		s.refused = true // if the database refuses this as well, the task is handed back
		s.log.Error().Err(err).Msg("the database refuses a row")
		return s.fail(ctx, &task.Failure{Kind: task.Internal, Executed: task.Executed, Message: "the database refuses what belongs to this task",
			Detail: err.Error(), Next: "What was bought is " + cmp.Or(s.onlyIn, "in the journal of its last attempt") + "; please report it"}, nil)
	}
	return &queue.Later{After: s.lease(), Reason: "the database did not take the row: " + err.Error()}
}

// learn lets a task that was taken over say what this step knows of its call. What is
// missed here only leaves an older reason on the row.
func (s *step) learn(ctx context.Context) {
	if s.last == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := s.Tasks.Reconsider(ctx, s.t.ID); err != nil {
		s.log.Warn().Err(err).Msg("what was learnt late is not on the task")
	}
}

// persist repeats a write of what has been paid for until the database takes it,
// the task turns out to be somebody else's, or the process must go. That it
// must go ends the repeating and not the write: the last one may get through.
func (s *step) persist(ctx context.Context, write func(context.Context) error) error {
	wait := 50 * time.Millisecond
	for {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		err := write(writing)
		cancel()
		if err == nil || errors.Is(err, store.ErrFenced) || s.Tasks.Refuses(err) || ctx.Err() != nil {
			return err
		}
		s.log.Warn().Err(err).Dur("next", wait).Msg("the database does not take a result; holding it")
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done(): // once more
			timer.Stop()
		}
		wait = min(2*wait, 5*time.Second)
	}
}
