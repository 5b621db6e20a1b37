// Package worker takes one task one step at a time: claim it, read its journal,
// call the provider or go on where the last worker stopped, keep the pictures,
// save. It knows no provider by name, decides no retry (task.Fail does) and
// holds no connection while a provider works.
package worker

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
)

// Worker works on deliveries. Its fields are set before its first use; it must
// not be copied after that.
type Worker struct {
	Self         store.Worker // this process; its ID is new with each start
	Journal      Journal      // what its steps see of the database
	Leases       leases       // this process and what it holds, there
	Tasks        tasks        // what cannot be claimed, there
	OpenCalls    openCalls    // what no delivery leads to, there
	Services     provider.Services
	Limiter      *limit.Limiter
	Pictures     picture.Lister
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
	Lease       time.Duration // how long a silent worker keeps its tasks, default store.DefaultLease
	Log         zerolog.Logger

	gates   sync.Map // line → *gate: who asks the limiter
	mu      sync.Mutex
	holding map[int64]held // running steps by task
	skewed  time.Time      // when it was last said that the clocks differ
	pulse   pulse
	looks   journalLooks
	adopted adopted
	late    *lateCalls // made by Run, before the first heartbeat and so before any claim

	collecting collecting
}

const (
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
func (w *Worker) Handle(ctx context.Context, d queue.Delivery) queue.Verdict {
	svc, known := w.Services[d.Provider]
	if !known {
		return retry(elsewhere, "this worker does not have the provider "+d.Provider)
	}
	s := &step{w: w, delivery: d, svc: svc,
		log: w.Log.With().Str("provider", svc.Name).Int64("task", d.Task).Int("delivery", d.Delivery).Logger()}
	defer s.end(ctx)
	return s.run(ctx, claiming)
}

func (w *Worker) lease() time.Duration { return cmp.Or(w.Lease, store.DefaultLease) }

func (w *Worker) draining() bool {
	select {
	case <-w.Draining:
		return true
	default:
		return false
	}
}

// pause waits and says how it ended: nil after d or with a wake-up, errCancelled when the task was
// cancelled, errDraining when the process wants to stop.
func (w *Worker) pause(waiting context.Context, d time.Duration, wakeUps <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wakeUps:
		return nil
	case <-w.Draining:
		return errDraining
	case <-waiting.Done():
		return context.Cause(waiting)
	}
}

var errDraining = errors.New("the worker is stopping")

func random() float64 { return rand.Float64() }
