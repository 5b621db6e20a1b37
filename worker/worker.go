// Package worker takes one task one step at a time: claim it, read its journal,
// call the provider or go on where the last worker stopped, keep the pictures,
// save. It knows no provider by name, decides no retry (task.Fail does) and
// holds no connection while a provider works.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Worker works on deliveries. Its fields are set before its first use; it must
// not be copied after that.
type Worker struct {
	Self         store.Worker // this process; its ID is new with each start
	Tasks        *store.Store
	Services     provider.Services
	Limiter      *limit.Limiter
	Pictures     picture.Store
	Checker      *codec.Checker
	Client       *provider.Client // downloads what providers drew
	Downloads    *budget.Budget   // of one, how many at a time; nil is no bound
	Redeliveries redeliveries
	Spool        spooler // for paid answers that the database does not take; nil keeps them in memory only

	// Draining is closed when the process wants to stop: what only waits is then
	// handed back at once, and a paid call in flight goes on.
	Draining <-chan struct{}

	Annotate    bool          // write into stored pictures how they came about
	CallbackURL string        // where providers call back, before "PROVIDER/KEY"; empty if nobody listens
	Temp        string        // folder for downloads on their way, default that of the system
	Lease       time.Duration // how long a silent worker keeps its tasks, default 9 s
	Log         zerolog.Logger

	gates   sync.Map // line → *gate: who asks the limiter
	mu      sync.Mutex
	holding map[int64]held // running steps by task
	pulse   pulse
	looks   journalLooks
	doubts  doubts

	collecting collecting
}

// bell is the part of the queue that a worker needs.
type redeliveries interface {
	// WasRun reports whether a person took the delivery out of the archive.
	WasRun(ctx context.Context, r queue.Delivery) (bool, error)
}

const (
	defaultLease    = 9 * time.Second
	defaultTimeout  = 5 * time.Minute
	defaultDeadline = 30 * time.Minute
	defaultPoll     = 2 * time.Second
	elsewhere       = 30 * time.Second // until another worker may know what this one does not
	writeTimeout    = 30 * time.Second // of one try to write what was bought
	storeTimeout    = 10 * time.Second // for pictures that are not journalled yet
	keepTimeout     = 10 * time.Minute // to bring one picture into our storage
	tellTimeout     = 2 * time.Second
)

// errCancelled is the cause with which a step's waiting ends when its task was cancelled.
var errCancelled = errors.New("the task was cancelled")

// Handle works on one delivery until its task is final, waits for something, or
// is handed back, and returns the verdict for the queue. ctx ends only when
// the process must go; Draining says earlier that it wants to.
func (w *Worker) Handle(ctx context.Context, delivery queue.Delivery) error {
	svc, known := w.Services[delivery.Provider]
	if !known {
		return &queue.Later{After: elsewhere, Reason: "this worker does not have the provider " + delivery.Provider}
	}
	permit, err := w.permit(ctx, svc, delivery)
	if err != nil {
		return err
	}
	defer func() { permit.release(ctx) }()
	waiting, news, done := w.hold(ctx, delivery.Task)
	if waiting == nil {
		return w.holdsAlready()
	}
	defer done()
	claimed := time.Now()
	claim, verdict := w.claim(ctx, delivery)
	if claim == nil {
		return verdict
	}
	crash.At("claimed")
	s := &step{Worker: w, svc: svc, t: claim.Task, last: claim.Last, account: permit.account, permit: &permit, claimed: claimed, waiting: waiting, news: news,
		log: w.Log.With().Str("provider", svc.Name).Int64("task", delivery.Task).Int("delivery", delivery.Delivery).Int64("fence", claim.Task.Fence).Logger()}
	return s.guarded(ctx)
}

// claim takes the row of a delivery. Without a claim it returns the verdict, nil included.
func (w *Worker) claim(ctx context.Context, delivery queue.Delivery) (*store.Claim, error) {
	if !w.alive() {
		return nil, w.unseen()
	}
	crash.At("before the claim")
	claim, refusal, err := w.Tasks.Claim(ctx, delivery.Ref, w.Self.ID, w.lease())
	switch {
	case err != nil:
		return nil, &queue.Later{After: 2 * time.Second, Reason: "the database did not answer: " + err.Error()}
	case refusal != nil:
		return nil, w.refused(ctx, delivery, refusal)
	case claim.Task.Provider != delivery.Provider:
		return nil, w.misdirected(ctx, claim.Task)
	}
	return claim, nil
}

// refused says what a delivery means whose row cannot be claimed.
func (w *Worker) refused(ctx context.Context, delivery queue.Delivery, r *store.Refusal) error {
	switch {
	case r.Busy:
		return &queue.Later{After: r.Wait, Reason: "another worker holds the task"}
	case r.Locked:
		return lockedRow(r.Wait)
	case r.FenceExhausted:
		return w.spent(ctx, delivery)
	}
	if r.Task == nil || r.Status != task.Failed || r.Task.Delivery != delivery.Delivery {
		return nil
	}
	// The row is parked. Either a person pressed Run in asynqmon, or asynq lost
	// the write that archived this delivery and rings by itself.
	run, err := w.Redeliveries.WasRun(ctx, delivery)
	if err != nil {
		return &queue.Later{After: 2 * time.Second, Reason: err.Error()}
	}
	if !run {
		return &queue.Parked{Reason: r.Task.ErrorMsg}
	}
	attempts, err := w.Tasks.Attempts(ctx, delivery.Task)
	if err != nil {
		return &queue.Later{After: 2 * time.Second, Reason: err.Error()}
	}
	if w.Services.Undecided(attempts) {
		return &queue.Parked{Reason: r.Task.ErrorMsg} // Run says neither of the two things that only a person knows
	}
	t, err := w.Tasks.Retry(ctx, delivery.Ref, false)
	var not *store.NotAllowed
	if errors.As(err, &not) || errors.Is(err, store.ErrNotFound) {
		return nil // somebody was faster, or the row was deleted
	}
	if err != nil {
		return &queue.Later{After: 2 * time.Second, Reason: err.Error()}
	}
	w.Log.Info().Int64("task", t.ID).Int("delivery", t.Delivery).Msg("retried by hand from asynqmon")
	return nil // the relay rings for the new delivery
}

// spent parks a row whose fence is at the bound of its column.
func (w *Worker) spent(ctx context.Context, delivery queue.Delivery) error {
	f := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf("fence is %d, the last number of its column, so that no worker can take the task; "+
		"accepted are numbers from 0 to %d", math.MaxInt64, math.MaxInt64-1), Next: fmt.Sprintf("`easel retry %d` sets it to 1", delivery.Task)}
	why, err := w.Tasks.Archive(ctx, delivery.Ref, f)
	if err != nil {
		return &queue.Later{After: 2 * time.Second, Reason: err.Error()}
	}
	if why == nil {
		return lockedRow(store.LockedWait)
	}
	return &queue.Parked{Reason: why.Error()}
}

// misdirected lets a task go whose row names another provider than its
// delivery: the relay rings for it again in the right queue.
func (w *Worker) misdirected(ctx context.Context, t *task.Task) error {
	err := w.Tasks.Release(ctx, t, 0, "")
	if err == nil {
		err = w.Tasks.MarkUnpublished(ctx, []task.Ref{t.Ref()})
	}
	if err != nil && !errors.Is(err, store.ErrFenced) {
		return &queue.Later{After: 2 * time.Second, Reason: err.Error()}
	}
	return nil
}

func (w *Worker) lease() time.Duration { return cmp.Or(w.Lease, defaultLease) }

func (w *Worker) draining() bool {
	select {
	case <-w.Draining:
		return true
	default:
		return false
	}
}

// pause waits and says how it ended: nil after d or with news, errCancelled when the task was
// cancelled, errDraining when the process wants to stop.
func (w *Worker) pause(waiting context.Context, d time.Duration, news <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-news:
		return nil
	case <-w.Draining:
		return errDraining
	case <-waiting.Done():
		return context.Cause(waiting)
	}
}

var errDraining = errors.New("the worker is stopping")

func random() float64 { return rand.Float64() }
