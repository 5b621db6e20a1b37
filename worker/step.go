package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// step is the work on one claimed task.
type step struct {
	*Worker
	svc     *provider.Service
	t       *task.Task
	last    *task.Attempt // the attempt that is being worked on, if any
	settled int           // pictures that need no further call; see parts.go
	before  int           // pictures before those of the call that is being worked on
	account provider.Account
	permit  *admission      // to buy; empty if the step began by going on
	claimed time.Time       // when the claim was asked for, by our own clock
	waiting context.Context // for waiting only; see hold
	news    <-chan struct{} // hints that the provider may have more to say
	looking time.Time       // since when it waits for a picture
	refused bool            // the database has refused a row of this step
	onlyIn  string          // where a paid answer lies that the database has refused; empty is in the journal
	late    bool            // the task is cancelled, and its job only waited for
	log     zerolog.Logger
}

// guarded turns a panic, which only a fault of ours or of an adapter can cause,
// into a failure of this one task.
func (s *step) guarded(ctx context.Context) (verdict error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		s.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("panic")
		f := &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "easel or an adapter of it panicked",
			Next: "The log has the stack; please report it"}
		if s.last != nil && s.last.State == task.AttemptSending {
			f.Executed = task.Unknown
			verdict = s.failed(ctx, f)
			return
		}
		verdict = s.fail(ctx, f, nil)
	}()
	return s.run(ctx)
}

// run reads the journal and goes on from there: what was bought is never
// bought again, and what may have been bought is asked after first.
func (s *step) run(ctx context.Context) error {
	if crashes := s.svc.Retry.WithDefaults().MaxCrashes; s.t.Crashes >= crashes {
		f := &task.Failure{Kind: task.Crashed, Executed: task.NotExecuted,
			Message: fmt.Sprintf("%d workers died while they held this task", s.t.Crashes),
			Next:    "Look at their logs around its attempts, then retry it"}
		if s.last != nil && s.last.State == task.AttemptSending {
			f.Executed = task.Unknown // the last of them within its call
			return s.failed(ctx, f)
		}
		return s.fail(ctx, f, nil)
	}
	if s.last == nil {
		return s.buy(ctx)
	}
	s.looks.note(s.last.ID, time.Now(), s.longestWait())
	switch s.last.State {
	case task.AttemptSucceeded, task.AttemptRejected, task.AttemptFailed:
		return s.buyRest(ctx)
	case task.AttemptAnswered:
		switch {
		case !s.refusedNow(*s.last):
		case s.last.Images > 0 && s.severalCalls():
			return s.buyRest(ctx) // one of several, which could not be collected
		default: // it was given up, and the row set back by an app, whose word buys nothing
			return s.endOwing(ctx, s.last)
		}
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if s.last.State == task.AttemptUnknown { // an older call is not to wait for what nobody may ever learn
		paid, err := s.paid(ctx)
		if err != nil {
			return err
		}
		s.last = cmp.Or(paid, s.last)
	}
	return s.resume(ctx)
}

// paid returns the oldest call that is paid for and still to be collected, or nil. Its
// error is a verdict.
func (s *step) paid(ctx context.Context) (*task.Attempt, error) {
	paid, err := s.Tasks.NextToCollect(ctx, s.t.ID)
	if err != nil {
		return nil, &queue.Later{After: 2 * time.Second, Reason: "the database did not answer: " + err.Error()}
	}
	return paid, nil
}

// buyRest makes a new call if anything is left to draw. A picture of an earlier call,
// whose worker had stood still, may have come just now; and what was paid for is
// collected before anything is bought.
func (s *step) buyRest(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if s.left() <= 0 {
		return s.finish(ctx)
	}
	paid, err := s.paid(ctx)
	if err != nil {
		return err
	}
	if paid != nil {
		s.last = paid
		return s.resume(ctx)
	}
	return s.buy(ctx)
}

// buy makes a new call: journalled first, then sent once.
func (s *step) buy(ctx context.Context) error {
	if s.t.DeadlineAt != nil && time.Now().After(*s.t.DeadlineAt) {
		return s.fail(ctx, &task.Failure{Kind: task.Deadline, Executed: task.NotExecuted,
			Message: "deadline_at passed before the call was made", Next: "Retry it with a later deadline_at"}, nil)
	}
	if err := s.check(); err != nil {
		return s.fail(ctx, task.AsFailure(err), nil)
	}
	if ended, verdict := s.permitted(ctx); ended {
		return verdict
	}
	if ended, verdict := s.modelOpen(ctx); ended {
		return verdict
	}
	part := provider.Batch{Images: s.svc.BatchSize(s.account.Provider, s.t, s.left())}
	if err := s.place(ctx, math.MaxInt, part.Images); err != nil {
		return err
	}
	part.Before = s.before
	call, err := s.prepare(ctx, part)
	if err != nil {
		return s.fail(ctx, task.AsFailure(err), nil)
	}
	began := time.Now()
	a := &task.Attempt{Key: uuid.NewString(), Provider: s.svc.Name, Account: s.account.Name, Endpoint: call.Endpoint, RequestHash: call.Hash, Images: part.Images}
	if err := s.Tasks.Begin(ctx, s.t, a); err != nil {
		return s.notBegun(ctx, a, err)
	}
	crash.At("attempt committed")
	if !s.leased() {
		return s.notBegun(ctx, a, errLeaseOver)
	}
	s.last = a
	s.log = s.log.With().Int("attempt", a.Number).Logger()
	call.Key, call.Number, call.CallbackURL = a.Key, a.Number, s.callbackURL(a)
	return s.send(ctx, call, began)
}

// send makes the call. What comes back is journalled before anything else happens.
// Its time runs from before it was journalled, so that nobody sends it later than
// its attempt says; see mayCome.
func (s *step) send(ctx context.Context, call provider.Call, began time.Time) error {
	sending, cancel := context.WithDeadline(ctx, began.Add(s.callTime()))
	defer cancel()
	if s.permit.grant != nil {
		s.permit.grant.Begin()
	}
	call.MaySend = s.leased
	answer, err := s.account.Provider.Submit(sending, call)
	cancel() // gives back what the answer was read with, which keeping it may wait for
	if err != nil {
		said := *task.AsFailure(err)
		f := &said
		f.Executed = cmp.Or(f.Executed, task.Unknown) // an adapter that forgot to say must not cause a second call
		s.log.Info().Err(err).Str("kind", string(f.Kind)).Dur("took", time.Since(began)).Msg("call failed")
		if f.OfModel {
			s.closeModel(ctx, f)
		}
		if f.OfModel && (f.Kind == task.Unsupported || f.Kind == task.Billing) && s.elsewhere(ctx) {
			f.Kind = task.Unavailable // of this account: the next try may meet another
		}
		verdict := s.failed(ctx, f)
		s.tellLimiter(ctx, f)
		return verdict
	}
	crash.At("answer read")
	s.log.Info().Dur("took", time.Since(began)).Bool("done", answer.Done).Msg("called")
	return s.heard(ctx, answer)
}

// callbackURL is where the provider may call back, if it does and somebody listens.
func (s *step) callbackURL(a *task.Attempt) string {
	if s.CallbackURL == "" || !s.account.Callbacks || !s.svc.Capabilities(s.account.Provider, s.t).Callback {
		return ""
	}
	return s.CallbackURL + s.svc.Name + "/" + a.Key
}

// callTime is how long one paid call may take.
func (s *step) callTime() time.Duration { return cmp.Or(s.svc.Timeout, defaultTimeout) }

// leased reports whether the lease under which the task was claimed lives. If
// it does not, because the process or the database stood still, somebody else
// may hold the task and have found out that no call was made.
func (s *step) leased() bool { return s.pulse.keeps(s.claimed, s.lease()) }

// errLeaseOver is why a call was not made although it was journalled.
var errLeaseOver = errors.New("the lease was over before the call was made")

// notBegun hands the task back when its call was not made: its attempt could not
// be journalled, or only too late. If the database has committed it all the
// same, it is taken back.
func (s *step) notBegun(ctx context.Context, a *task.Attempt, err error) error {
	if errors.Is(err, store.ErrFenced) {
		return s.unsaved(ctx, err)
	}
	s.log.Warn().Err(err).Msg("no call was made")
	if err := s.persist(ctx, func(ctx context.Context) error { return s.Tasks.MarkNotSent(ctx, s.t, a.Key) }); err != nil {
		return s.unsaved(ctx, err)
	}
	return s.handBack(ctx, time.Second, "")
}

// check refuses a row that cannot be run, as a producer's library would have.
func (s *step) check() error {
	if err := s.t.Validate(); err != nil {
		return err
	}
	if s.t.InputImageID != nil && s.t.PhotoURL == "" {
		return &task.Failure{Kind: task.Invalid,
			Message: fmt.Sprintf("input_image_id is %d, and no photo of that id has an image_url", *s.t.InputImageID)}
	}
	_, _, err := s.Services.Check(s.t)
	return err
}

// heard journals what the provider said, at once, and goes on with it.
func (s *step) heard(ctx context.Context, ans provider.Answer) error {
	a := s.last
	if len(ans.Notes) > 0 {
		s.log.Warn().Strs("unread", ans.Notes).Msg("part of the answer was not as the service documents it")
	}
	a.ProviderRequestID = cmp.Or(ans.RequestID, a.ProviderRequestID)
	if ans.HTTPStatus != 0 {
		a.HTTPStatus = &ans.HTTPStatus
	}
	if ans.Done {
		return s.answered(ctx, ans)
	}
	handle := cmp.Or(string(ans.Handle), a.Handle)
	if handle == "" {
		return s.failed(ctx, &task.Failure{Kind: task.BadAnswer, Executed: task.Unknown, RequestID: ans.RequestID, HTTPStatus: ans.HTTPStatus,
			Message: s.svc.Name + " took the job and did not say how to ask after it"})
	}
	a.State, a.Handle = task.AttemptAccepted, handle
	err := s.persistPaid(ctx, func(ctx context.Context) error { return s.Tasks.Accept(ctx, s.t, a, ans.JobID) })
	if err != nil {
		return s.unsaved(ctx, err)
	}
	crash.At("answer journalled")
	s.tellLimiter(ctx, nil)
	return s.pollFrom(ctx, ans)
}

// answerVersion is that of the JSON of answer. It grows when a former release
// would misread what is new in it.
const answerVersion = 1

// answer is what the journal keeps of a finished job.
type answer struct {
	Version int               `json:"v,omitempty"` // 0 is 1
	Outputs []provider.Output `json:"outputs"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
}
