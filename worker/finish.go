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

// ending is how a step ends, or its work on one call.
type ending interface {
	// write writes it and returns the verdict, or what the step ends with instead.
	write(ctx context.Context, s *step) (ending, queue.Verdict)
}

// endWith lets the step end so: finishing writes it.
func (s *step) endWith(e ending) (phase, queue.Verdict) {
	s.ending = e
	return finishing, none
}

// finish writes how the step ends and returns the same for the queue. The limiter is told
// after the journal.
func (s *step) finish(ctx context.Context) (phase, queue.Verdict) {
	next, verdict := s.ending.write(ctx, s)
	if next != nil {
		return s.endWith(next)
	}
	if s.failure != nil {
		s.tellLimiter(ctx, s.failure)
	}
	return done, verdict
}

// released gives the task back, without a spent try.
type released struct {
	after  time.Duration
	reason string
}

func (e released) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	if s.late() { // nobody holds the task; see collectLate
		if s.last.State != s.was { // else nothing new is known
			s.learn(ctx)
		}
		return nil, queue.Verdict{After: e.after}
	}
	err := s.persist(ctx, func(ctx context.Context) error {
		return s.w.Journal.Release(ctx, s.t.Token(), e.after, e.reason)
	})
	if err != nil {
		return unwritten{err}, none
	}
	return nil, retry(e.after, e.reason)
}

// callFailed ends the attempt, and the task as task.Fail says.
type callFailed struct{ failure *task.Failure }

func (e callFailed) write(_ context.Context, s *step) (ending, queue.Verdict) {
	f := e.failure
	if s.late() {
		return endedLate{failure: f, state: task.AttemptFailed}, none
	}
	if s.drawsOn(f) {
		return emptyBatch{f, task.AttemptFailed}, none
	}
	a := s.last
	switch f.Executed {
	case task.NotExecuted:
		a.State = task.AttemptRejected
	case task.Executed:
		a.State = task.AttemptFailed
	default:
		a.State = task.AttemptUnknown
	}
	a.Unbilled = f.Executed == task.Executed && f.Unbilled
	s.blame(f)
	return taskFailed{f, true}, none
}

// blame notes f on the attempt.
func (s *step) blame(f *task.Failure) {
	a := s.last
	a.RowError = f.RowError()
	a.ProviderRequestID = cmp.Or(f.RequestID, a.ProviderRequestID)
	if f.Billed && a.State == task.AttemptFailed && a.CostMicros == nil {
		s.charge(nil, s.asked(), nil)
	}
	if f.HTTPStatus != 0 {
		a.HTTPStatus = &f.HTTPStatus
	}
}

// taskFailed ends the task as task.Fail says, or gives it to the next provider that it names.
type taskFailed struct {
	failure  *task.Failure
	endsCall bool // the attempt has ended with it
}

func (e taskFailed) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	switch {
	case s.late() && e.failure.Kind == task.Storage:
		return released{after: lateAgain}, none
	case s.late(): // whatever went wrong here would again
		e.failure.Advice, e.failure.About = advice(s.was), ""
		return endedLate{failure: e.failure, state: s.was}, none
	}
	if err := s.countServerErrors(ctx, e.failure); err != nil {
		return unwritten{err}, none
	}
	d := s.t.Fail(e.failure, s.svc.Retry, s.now(), random)
	if to, rest, ok := s.nextProvider(ctx, d); ok {
		return switched{to, rest, d.Failure, e.endsCall}, none
	}
	return decided{d, e.endsCall}, none
}

// countServerErrors counts the calls before this one that the service has failed by its
// own fault. The journal is asked until it answers: without the number the call would
// be repeated too often or not at all.
func (s *step) countServerErrors(ctx context.Context, f *task.Failure) error {
	if f.Executed != task.Executed || !f.Unbilled {
		return nil
	}
	return s.persist(ctx, func(ctx context.Context) error {
		h, err := s.w.Journal.History(ctx, s.t.ID)
		if err == nil {
			s.t.ServerErrors = h.ServerErrors()
		}
		return err
	})
}

// decided ends the task by a decision that stands.
type decided struct {
	decision task.Decision
	endsCall bool // the attempt has ended with it
}

// fails is the decision that the task fails for f, whatever is left of its tries.
func (s *step) fails(f *task.Failure) task.Decision {
	return task.Decision{Status: task.Failed, FailedTries: s.t.FailedTries + 1, Waits: s.t.Waits, Failure: f}
}

func (e decided) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	d := e.decision
	_, err := s.writeEnd(ctx, store.Decided{Held: s.t.Token(), Decision: d, Attempt: s.ended(e.endsCall), UnlessDrawn: !s.drawn})
	switch {
	case errors.Is(err, store.ErrDrawn): // by a call that was found again since the journal was read
		s.drawn, s.history = true, nil
		if _, err := s.count(ctx); err != nil {
			return unwritten{err}, none
		}
		return allDrawn{}, none
	case err != nil:
		return unwritten{err}, none
	}
	event := s.log.Info()
	if d.Status == task.Failed {
		event = s.log.Warn()
	}
	event.Str("status", string(d.Status)).Str("kind", string(d.Failure.Kind)).Dur("next", d.Delay).Str("error", d.Failure.Error()).Msg("failed")
	if d.Status == task.Failed {
		return nil, archive(d.Failure.Error())
	}
	return nil, retry(d.Delay, d.Failure.Error())
}

// ended is the attempt that is written with the end of the task; nil if it is to stay as it is.
func (s *step) ended(endsCall bool) *task.Attempt {
	if !endsCall {
		return nil
	}
	a := *s.last
	return &a
}

// unwritten is for a row that could not be written. If the task was taken over the delivery
// means nothing any more; otherwise it comes again, and this worker may claim what carries
// its own name.
type unwritten struct{ err error }

func (e unwritten) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	if errors.Is(e.err, store.ErrFenced) {
		s.log.Info().Msg("the task was taken over; leaving it alone")
		s.learn(ctx)
		return nil, queue.Verdict{}
	}
	if errors.Is(e.err, store.ErrRefused) && !s.refused {
		s.refused = true // if the database refuses this as well, the task is handed back
		s.log.Error().Err(e.err).Msg("the database refuses a row")
		return taskFailed{failure: &task.Failure{Kind: task.Internal, Executed: task.Executed, Advice: task.ReportToProject,
			Message: "the database refuses what belongs to this task; what was bought is " + cmp.Or(s.onlyIn, "in the journal of its last attempt"), Detail: e.err.Error()}}, none
	}
	return nil, retry(s.w.lease(), "the database did not take the row: "+e.err.Error())
}

// learn lets a task that was taken over say what this step knows of its call. What is
// missed here only leaves an older reason on the row.
func (s *step) learn(ctx context.Context) {
	if s.last == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	s.w.learnLate(ctx, s.t.ID)
}
