package enqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Relay rings for every committed task that its producer did not ring for: it
// came by SQL, in a transaction of an app, or the producer or Redis was gone.
// Several may run.
type Relay struct {
	Tasks    *store.Store
	Queue    *queue.Queue
	Services provider.Services
	Every    time.Duration // how often it looks without being woken, default 1 s
	Batch    int           // rows at a time, default 500
	Log      zerolog.Logger
}

const (
	gather     = 3 * time.Millisecond // a producer rings by itself within this time of its commit
	maxBackoff = 5 * time.Second

	publishLimit = 3 * time.Second
)

// Run relays until ctx ends. Errors of the database and of Redis are waited out.
func (r *Relay) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	wake := make(chan struct{}, 1)
	group.Go(func() error { return r.listen(ctx, wake) })
	group.Go(func() error { return r.loop(ctx, wake) })
	return group.Wait()
}

func (r *Relay) listen(ctx context.Context, wake chan<- struct{}) error {
	woken := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	for ctx.Err() == nil {
		if err := r.Tasks.Listen(ctx, woken); err != nil {
			r.Log.Warn().Err(err).Msg("cannot listen for inserts; looking for them instead")
			pause(ctx, maxBackoff)
		}
	}
	return nil
}

func (r *Relay) loop(ctx context.Context, wake <-chan struct{}) error {
	backoff := time.Duration(0)
	for {
		wait := max(cmp.Or(r.Every, time.Second), backoff)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-wake:
			timer.Stop()
			pause(ctx, gather)
		case <-timer.C:
		}
		n, err := r.Drain(ctx)
		switch {
		case err == nil:
			backoff = 0
		case ctx.Err() == nil:
			backoff = min(max(2*backoff, 200*time.Millisecond), maxBackoff)
			r.Log.Warn().Err(err).Dur("next", backoff).Msg("cannot ring")
		}
		if n > 0 {
			r.Log.Debug().Int("tasks", n).Msg("rang")
		}
	}
}

// Drain rings for all tasks that wait for it now and returns how many it found.
func (r *Relay) Drain(ctx context.Context) (int, error) {
	total, batch := 0, cmp.Or(r.Batch, 500)
	for {
		var lost []task.Task
		n, err := r.Tasks.Ring(ctx, batch, func(due []task.Task) ([]task.Ref, error) {
			var rings []queue.Ring
			rings, lost = r.sort(due)
			// The rows are locked meanwhile, so a Redis that hangs must not hold them.
			ctx, cancel := context.WithTimeout(ctx, publishLimit)
			defer cancel()
			return publish(ctx, r.Queue, rings)
		})
		total += n
		if err == nil {
			err = r.refuse(ctx, lost)
		}
		if err != nil || n < batch {
			return total, err
		}
	}
}

// sort parts the tasks that a worker will hear from those that nobody would.
func (r *Relay) sort(due []task.Task) (rings []queue.Ring, lost []task.Task) {
	for i := range due {
		ring := ringFor(&due[i])
		if _, known := r.Services[ring.Provider]; !known || ring.Validate() != nil {
			lost = append(lost, due[i])
			continue
		}
		rings = append(rings, ring)
	}
	return rings, lost
}

// refuse parks tasks that came by SQL for a provider that nobody serves: rung
// for they would wait for ever. One that another worker serves is rung for.
func (r *Relay) refuse(ctx context.Context, lost []task.Task) error {
	for i := range lost {
		ring := ringFor(&lost[i])
		served, err := r.Tasks.Served(ctx, ring.Provider)
		if err != nil {
			return err
		}
		if served && ring.Validate() == nil {
			rung, err := publish(ctx, r.Queue, []queue.Ring{ring})
			if err := errors.Join(err, r.Tasks.Rung(ctx, rung)); err != nil {
				return err
			}
			continue
		}
		_, err = r.Tasks.Park(ctx, lost[i].Ref(), &task.Failure{Kind: task.Invalid,
			Message: fmt.Sprintf("provider %.80q is not configured; configured are: %s", lost[i].Provider, strings.Join(r.Services.Names(), ", ")),
			Next:    "Configure it or change the row's provider, then retry the task"})
		if err != nil {
			return err
		}
		r.Log.Warn().Int64("task", lost[i].ID).Str("provider", lost[i].Provider).Msg("refused: provider is not configured")
	}
	return nil
}

// publish rings and returns the deliveries for which it worked.
func publish(ctx context.Context, q *queue.Queue, rings []queue.Ring) ([]task.Ref, error) {
	errs := q.Publish(ctx, rings)
	rung := make([]task.Ref, 0, len(rings))
	var first error
	for i, err := range errs {
		if err == nil {
			rung = append(rung, rings[i].Ref)
		} else if first == nil {
			first = err
		}
	}
	return rung, first
}

// ringFor rings at once unless the row says later than when it was written:
// comparing two times of the database keeps our own clock out of it.
func ringFor(t *task.Task) queue.Ring {
	r := queue.Ring{Ref: t.Ref(), Provider: t.Provider, Priority: t.Priority}
	if t.RunAt.After(t.UpdatedAt) && t.RunAt.After(time.Now()) {
		r.At = t.RunAt
	}
	return r
}

// refused reports whether the row, not the database, said no.
func refused(err error) bool {
	var not *store.NotAllowed
	return errors.As(err, &not) || errors.Is(err, store.ErrNotFound)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
