package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// buy makes a new call, if anything is left to draw: journalled first, then sent once.
func (s *step) buy(ctx context.Context) (phase, queue.Verdict) {
	s.svc = s.w.Services[s.t.Provider] // which is not that of an earlier call that was looked up
	h, next, verdict := s.goesBefore(ctx)
	if next != buying {
		return next, verdict
	}
	if f := s.mayNotBegin(); f != nil {
		return s.endWith(taskFailed{failure: f})
	}
	if e := s.takeRoom(ctx); e != nil {
		return s.endWith(e)
	}
	if e := s.modelClosed(ctx); e != nil {
		return s.endWith(e)
	}
	batch := provider.Batch{Images: s.svc.BatchSize(s.account.Provider, s.t, s.left())}
	s.locate(h, math.MaxInt, batch.Images)
	batch.Before = s.before
	call, err := s.prepare(ctx, batch)
	if err != nil {
		return s.endWith(taskFailed{failure: task.AsFailure(err)})
	}
	began := time.Now()
	if e := s.begin(ctx, call, batch.Images); e != nil {
		return s.endWith(e)
	}
	call.Key, call.Number, call.CallbackURL = s.last.Key, s.last.Number, s.callbackURL(s.last)
	answer, err := s.submit(ctx, call, began)
	if err != nil {
		return s.endWith(s.refusedCall(ctx, err, began))
	}
	crash.At("answer read")
	s.log.Info().Dur("took", time.Since(began)).Bool("done", answer.Done).Msg("called")
	s.said = answer
	return recording, none
}

// goesBefore looks at the calls that were made before another is bought, and returns what they are. Where
// one of them goes before it the step goes on with that, and not with buying.
func (s *step) goesBefore(ctx context.Context) (*task.History, phase, queue.Verdict) {
	if s.last == nil {
		return new(task.History), buying, none
	}
	h, err := s.count(ctx)
	if err != nil {
		return nil, done, noAnswer(err)
	}
	if s.left() <= 0 { // a picture of an earlier call, whose worker had stood still, may have come just now
		next, verdict := s.endWith(allDrawn{})
		return nil, next, verdict
	}
	paid, err := s.toCollect(ctx, h)
	switch {
	case err != nil:
		return nil, done, noAnswer(err)
	case paid != nil:
		s.last = paid
		return nil, resuming, none
	}
	if e := s.overGivenUp(h); e != nil {
		next, verdict := s.endWith(e)
		return nil, next, verdict
	}
	return h, buying, none
}

// overGivenUp is how the step ends over a call that was given up as charged; nil if there is none.
// BuyAgain alone buys for such a task, whoever has brought it back.
func (s *step) overGivenUp(h *task.History) ending {
	given := h.GivenUp()
	if given == nil {
		return nil
	}
	if owed := h.Uncollected(); owed != nil {
		return s.owing(owed)
	}
	return decided{decision: s.fails(given.Failure(task.Executed))}
}

// mayNotBegin is why no call may be made for the row: its time is over, or it cannot be run,
// as a producer's library would have said.
func (s *step) mayNotBegin() *task.Failure {
	if s.t.DeadlineAt != nil && s.now().After(*s.t.DeadlineAt) {
		return &task.Failure{Kind: task.Deadline, Executed: task.NotExecuted,
			Message: "deadline_at passed before the call was made", Advice: task.ExtendDeadline}
	}
	if err := s.t.Validate(); err != nil {
		return task.AsFailure(err)
	}
	if s.t.InputImageID != nil && s.t.PhotoURL == "" {
		return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted,
			Message: fmt.Sprintf("input_image_id is %d, and no photo of that id has an image_url", *s.t.InputImageID)}
	}
	if _, _, err := s.w.Services.Check(s.t); err != nil {
		return task.AsFailure(err)
	}
	return nil
}

// begin journals the call that is about to be made. It returns how the step ends if it must
// not be made.
func (s *step) begin(ctx context.Context, call provider.Call, images int) ending {
	a := s.t.NewAttempt(uuid.NewString())
	a.Provider, a.Account, a.Endpoint, a.RequestHash, a.Images = s.svc.Name, s.account.Name, call.Endpoint, call.Hash, images
	begun, err := s.w.Journal.Begin(ctx, a)
	if err != nil {
		return s.notBegun(ctx, a.Key, err)
	}
	crash.At("attempt committed")
	if !s.leased() {
		return s.notBegun(ctx, a.Key, errLeaseOver)
	}
	s.last = &begun
	s.log = s.log.With().Int("attempt", begun.Number).Logger()
	return nil
}

// errLeaseOver is why a call was not made although it was journalled.
var errLeaseOver = errors.New("the lease was over before the call was made")

// leased reports whether the lease under which the task was claimed lives. If
// it does not, because the process or the database stood still, somebody else
// may hold the task and have found out that no call was made.
func (s *step) leased() bool { return s.w.pulse.keeps(s.claimed, s.w.lease()) }

// notBegun hands the task back when its call was not made: its attempt could not
// be journalled, or only too late. If the database has committed it all the
// same, it is taken back.
func (s *step) notBegun(ctx context.Context, key string, err error) ending {
	if errors.Is(err, store.ErrFenced) {
		return unwritten{err}
	}
	s.log.Warn().Err(err).Msg("no call was made")
	if _, err := s.write(ctx, store.NotSent{Task: s.t.ID, Key: key}); err != nil {
		return unwritten{err}
	}
	return released{after: time.Second}
}

// submit makes the call. Its time runs from before it was journalled, so that nobody sends
// it later than its attempt says; see mayCome.
func (s *step) submit(ctx context.Context, call provider.Call, began time.Time) (provider.Answer, error) {
	sending, cancel := context.WithDeadline(ctx, began.Add(s.callTime()))
	defer cancel() // gives back what the answer was read with, which keeping it may wait for
	if s.room.slot != nil {
		s.room.slot.Begin()
	}
	call.MaySend = s.leased
	return s.account.Provider.Submit(sending, call)
}

// callTime is how long one paid call may take.
func (s *step) callTime() time.Duration { return cmp.Or(s.svc.Timeout, defaultTimeout) }

// refusedCall is how the step ends over a call that has failed.
func (s *step) refusedCall(ctx context.Context, err error, began time.Time) ending {
	f := *task.AsFailure(err)
	s.log.Info().Err(err).Str("kind", string(f.Kind)).Dur("took", time.Since(began)).Msg("call failed")
	if f.OfModel {
		s.closeModel(ctx, &f)
	}
	if f.OfModel && (f.Kind == task.Unsupported || f.Kind == task.Billing) && s.elsewhere(ctx) {
		f.Kind = task.Unavailable // of this account: the next try may meet another
	}
	s.failure = &f
	return callFailed{&f}
}

// callbackURL is where the provider may call back, if it does and somebody listens.
func (s *step) callbackURL(a *task.Attempt) string {
	if s.w.CallbackURL == "" || !s.account.Callbacks || !s.svc.Capabilities(s.account.Provider, s.t).Callback {
		return ""
	}
	return s.w.CallbackURL + s.svc.Name + "/" + a.Key
}
