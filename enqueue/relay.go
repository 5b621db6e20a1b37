package enqueue

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Relay publishes every committed task that its producer did not publish: it
// came by SQL, in a transaction of an app, or the producer or Redis was gone.
// Several may run.
type Relay struct {
	Tasks    relayTasks // a *store.Store
	Queue    *queue.Queue
	Services provider.Services
	Every    time.Duration // how often it looks without being woken, default 1 s
	Batch    int           // rows at a time, default 500
	Log      zerolog.Logger
}

const (
	gather     = 3 * time.Millisecond // a producer publishes by itself within this time of its commit
	maxBackoff = 5 * time.Second

	publishLimit = 3 * time.Second

	lookAround = time.Second // how long tasks may wait while many others that came before are published
	spread     = 4           // over how many batches relays part that meet
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
		timer := time.NewTimer(cmp.Or(backoff, r.Every, time.Second))
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
			r.Log.Warn().Err(err).Dur("next", backoff).Msg("cannot publish")
		}
		if n > 0 {
			r.Log.Debug().Int("tasks", n).Msg("published")
		}
	}
}

// Drain publishes all tasks that wait for it now and returns how many it found. It
// goes through them once, so that rows that are locked do not keep it, and looks around
// now and then.
func (r *Relay) Drain(ctx context.Context) (int, error) {
	total, batch := 0, cmp.Or(r.Batch, 500)
	look, looked := store.UnpublishedPage{Limit: batch}, time.Now()
	for {
		result, err := r.batch(ctx, look)
		found := len(result.Found)
		total += found
		if err != nil || found < batch && look.Skip == 0 {
			return total, err
		}
		if look.Skip == 0 {
			look.After = &result.Found[found-1]
		}
		// Whose rows somebody else notes meets other relays: they part.
		look.Skip = 0
		if result.Noted < found {
			look.Skip = batch * rand.N(spread)
		}
		if time.Since(looked) > lookAround {
			looked = time.Now()
			more, err := r.around(ctx, look)
			if total += more; err != nil {
				return total, err
			}
		}
	}
}

// around publishes what has come in while many others are published: what is urgent, which
// is at the top, and what is not, which is at the end. It returns how many it found.
func (r *Relay) around(ctx context.Context, at store.UnpublishedPage) (int, error) {
	top, err := r.batch(ctx, store.UnpublishedPage{Limit: at.Limit})
	if err != nil || at.After == nil {
		return len(top.Found), err
	}
	end, err := r.batch(ctx, store.UnpublishedPage{After: at.After, Newest: true, Limit: at.Limit})
	return len(top.Found) + len(end.Found), err
}

// batch publishes the tasks of one look.
func (r *Relay) batch(ctx context.Context, look store.UnpublishedPage) (store.PublishResult, error) {
	var lost []task.Task
	result, err := r.Tasks.PublishDue(ctx, look, func(due []task.Task) ([]task.Ref, error) {
		var deliveries []queue.Delivery
		deliveries, lost = r.sort(due)
		ctx, cancel := context.WithTimeout(ctx, publishLimit) // a Redis that hangs is asked again
		defer cancel()
		return publish(ctx, r.Queue, deliveries)
	})
	if err != nil {
		return result, err
	}
	refused, err := r.archiveUnserved(ctx, lost)
	result.Noted += refused
	return result, err
}

// sort parts the tasks that a worker will take from those that nobody would.
func (r *Relay) sort(due []task.Task) (deliveries []queue.Delivery, lost []task.Task) {
	for i := range due {
		delivery := deliveryOf(&due[i])
		if _, known := r.Services[delivery.Provider]; !known || delivery.Validate() != nil {
			lost = append(lost, due[i])
			continue
		}
		deliveries = append(deliveries, delivery)
	}
	return deliveries, lost
}

// archiveUnserved archives tasks that came by SQL for a provider that nobody serves:
// published they would wait for ever. One that another worker serves, or did until lately,
// is published, and one that was worked on before waits. It returns how many rows it
// changed.
func (r *Relay) archiveUnserved(ctx context.Context, lost []task.Task) (int, error) {
	byProvider := make(map[string][]queue.Delivery)
	total := 0
	for i := range lost {
		delivery := deliveryOf(&lost[i])
		if f := unpublishable(delivery.Ref); f != nil {
			n, err := r.archiveUnpublishable(ctx, delivery.Ref, f)
			if total += n; err != nil {
				return total, err
			}
			continue
		}
		byProvider[delivery.Provider] = append(byProvider[delivery.Provider], delivery)
	}
	for name, deliveries := range byProvider {
		n, err := r.archiveOrPublish(ctx, name, deliveries)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

func (r *Relay) archiveOrPublish(ctx context.Context, name string, deliveries []queue.Delivery) (int, error) {
	served, err := r.Tasks.HasWorkerFor(ctx, name)
	if err != nil {
		return 0, err
	}
	if served {
		known := slices.DeleteFunc(slices.Clone(deliveries), func(delivery queue.Delivery) bool { return delivery.Validate() != nil })
		published, err := publish(ctx, r.Queue, known)
		if err := errors.Join(err, r.Tasks.MarkPublished(ctx, published)); err != nil {
			return 0, err
		}
		if len(known) == len(deliveries) {
			return len(published), nil
		}
		deliveries = slices.DeleteFunc(deliveries, func(delivery queue.Delivery) bool { return delivery.Validate() == nil })
	}
	refs := make([]task.Ref, len(deliveries))
	for i := range deliveries {
		refs[i] = deliveries[i].Ref
	}
	n, err := r.Tasks.ArchiveNeverClaimed(ctx, refs, r.Services.Unknown(name))
	if n > 0 {
		r.Log.Warn().Int64("tasks", n).Int64("task", refs[0].Task).Str("provider", name).Msg("refused: provider is not configured")
	}
	return int(n), err
}

// publish publishes deliveries and returns those for which it worked.
func publish(ctx context.Context, q *queue.Queue, deliveries []queue.Delivery) ([]task.Ref, error) {
	errs := q.Publish(ctx, deliveries)
	published := make([]task.Ref, 0, len(deliveries))
	var first error
	for i, err := range errs {
		if err == nil {
			published = append(published, deliveries[i].Ref)
		} else if first == nil {
			first = err
		}
	}
	return published, first
}

// deliveryOf is due at once unless the row says later than when it was written:
// comparing two times of the database keeps our own clock out of it.
func deliveryOf(t *task.Task) queue.Delivery {
	r := queue.Delivery{Ref: t.Ref(), Provider: t.Provider, Priority: t.Priority}
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
