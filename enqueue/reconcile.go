package enqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Reconciler mends, in both directions, what rows and queue disagree about: after
// a worker died, Redis lost data, a write got lost, or a person changed the
// queue. The row wins, except that archiving a waiting delivery fails its row.
// Several may run.
type Reconciler struct {
	Tasks    reconcilerTasks // a *store.Store
	Queue    *queue.Queue
	Services provider.Services
	Every    time.Duration // between two looks for dead workers and a lost Redis, default 1 s
	Sweep    time.Duration // between two comparisons of all rows and deliveries, default 5 s
	Lease    time.Duration // of a worker, default store.DefaultLease: their heartbeats are looked at eighteen times in it
	Grace    time.Duration // how long a due task may be missing from the queue, default 5 s
	Log      zerolog.Logger

	cursor int64 // where the comparison of waiting rows goes on
}

const (
	watches      = 18 // of the heartbeats in a lease
	reclaimBatch = 500
	sweepRows    = 5_000 // rows compared in one sweep
	sweepPage    = 1_000
	pruneAfter   = time.Hour
)

// Run reconciles until ctx ends. Errors of the database and of Redis are waited out.
func (r *Reconciler) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	died := make(chan struct{}, 1)
	group.Go(func() error { return r.watch(ctx, died) })
	group.Go(func() error { return r.loop(ctx, died) })
	return group.Wait()
}

// watch looks at the workers' heartbeats. It does nothing else: looking must not
// wait for anything.
func (r *Reconciler) watch(ctx context.Context, died chan<- struct{}) error {
	every := cmp.Or(r.Lease, store.DefaultLease) / watches
	look := time.NewTicker(every)
	defer look.Stop()
	blind := false
	for ctx.Err() == nil {
		ids, err := r.Tasks.Observe(ctx, every)
		if err != nil && !blind && ctx.Err() == nil {
			r.Log.Warn().Err(err).Msg("cannot look at the workers' heartbeats; nobody is called dead")
		}
		blind = err != nil
		if len(ids) > 0 {
			r.Log.Warn().Strs("workers", ids).Msg("workers are dead: no heartbeat for a lease")
			select {
			case died <- struct{}{}:
			default:
			}
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
	return nil
}

func (r *Reconciler) loop(ctx context.Context, died <-chan struct{}) error {
	look := time.NewTicker(cmp.Or(r.Every, time.Second))
	defer look.Stop()
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-died:
		}
		if err := r.Look(ctx); err != nil {
			if ctx.Err() == nil {
				r.Log.Warn().Err(err).Msg("cannot reconcile")
			}
			continue
		}
		if time.Since(swept) < cmp.Or(r.Sweep, 5*time.Second) {
			continue
		}
		swept = time.Now()
		if err := r.Compare(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn().Err(err).Msg("cannot compare rows and queue")
		}
	}
}

// Look notices a Redis that lost its data, and takes the tasks of workers back
// that have left or been seen dead.
func (r *Reconciler) Look(ctx context.Context) error {
	lost, err := r.Queue.Marker(ctx)
	if err != nil {
		return err
	}
	if lost {
		if err := r.republishAll(ctx); err != nil {
			return err
		}
	}
	for {
		reclaimed, err := r.Tasks.ReclaimExpired(ctx, reclaimBatch)
		if err != nil {
			r.Tasks.ResetWatch() // workers could not beat either
			return err
		}
		for i := range reclaimed {
			r.Log.Warn().Int64("task", reclaimed[i].ID).Int("delivery", reclaimed[i].Delivery).Msg("its worker died; taken back")
		}
		if len(reclaimed) < reclaimBatch {
			return nil
		}
	}
}

// republishAll publishes everything again: Redis knows nothing any more.
func (r *Reconciler) republishAll(ctx context.Context) error {
	if err := r.Queue.EnsureQueues(ctx, r.Services.Names()); err != nil {
		return err
	}
	n, err := r.Tasks.ResetPublished(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		r.Log.Warn().Int64("tasks", n).Msg("redis is new or lost its data; publishing again")
	}
	return nil
}

// Compare looks at waiting rows without a delivery and deliveries without a
// waiting row, and mends both.
func (r *Reconciler) Compare(ctx context.Context) error {
	if err := r.Queue.EnsureQueues(ctx, r.Services.Names()); err != nil {
		return err
	}
	removed, err := r.Queue.Repair(ctx, r.Services.Names())
	if err != nil {
		return err
	}
	if removed > 0 {
		r.Log.Warn().Int("entries", removed).Msg("removed what asynq could not read or move")
	}
	if err := r.rows(ctx); err != nil {
		return err
	}
	if err := r.deliveries(ctx); err != nil {
		return err
	}
	_, err = r.Tasks.PruneWorkers(ctx, pruneAfter)
	return err
}

// rows publishes again for waiting rows whose delivery is missing.
func (r *Reconciler) rows(ctx context.Context) error {
	for range sweepRows / sweepPage {
		waiting, next, err := r.Tasks.PublishedWaiting(ctx, r.cursor, cmp.Or(r.Grace, 5*time.Second), sweepPage)
		if err != nil {
			return err
		}
		if err := r.missing(ctx, waiting); err != nil {
			return err
		}
		if r.cursor = next; next == 0 {
			return nil
		}
	}
	return nil
}

func (r *Reconciler) missing(ctx context.Context, waiting []task.Task) error {
	deliveries := make([]queue.Delivery, len(waiting))
	for i := range waiting {
		deliveries[i] = deliveryOf(&waiting[i])
	}
	states, err := r.Queue.States(ctx, deliveries)
	if err != nil {
		return err
	}
	var again, held []task.Ref
	for i, state := range states {
		switch state {
		case queue.Absent, queue.Completed:
			again = append(again, deliveries[i].Ref)
		case queue.Silent, queue.Orphaned:
			held = append(held, deliveries[i].Ref)
		}
	}
	if len(held) > 0 {
		r.Log.Warn().Int("tasks", len(held)).Msg("a worker took deliveries and went silent; delivering anew")
	}
	if err := r.Tasks.Redeliver(ctx, held); err != nil {
		return err
	}
	if len(again) > 0 {
		r.Log.Warn().Int("tasks", len(again)).Msg("deliveries are missing; publishing again")
	}
	return r.Tasks.MarkUnpublished(ctx, again)
}

// deliveries mends entries of the queue whose row is not waiting for them.
func (r *Reconciler) deliveries(ctx context.Context) error {
	var page []queue.Delivery
	var states []queue.State
	flush := func() error {
		err := r.mend(ctx, page, states)
		page, states = page[:0], states[:0]
		return err
	}
	err := r.Queue.Walk(ctx, func(delivery queue.Delivery, s queue.State) error {
		page, states = append(page, delivery), append(states, s)
		if len(page) < sweepPage {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (r *Reconciler) mend(ctx context.Context, deliveries []queue.Delivery, states []queue.State) error {
	ids := make([]int64, len(deliveries))
	for i, delivery := range deliveries {
		ids[i] = delivery.Task
	}
	rows, err := r.Tasks.Deliveries(ctx, ids)
	if err != nil {
		return err
	}
	if err := r.markUnknownOutcome(ctx, deliveries, rows); err != nil {
		return err
	}
	for i, delivery := range deliveries {
		row, exists := rows[delivery.Task]
		if err := r.mendOne(ctx, delivery, states[i], row, exists); err != nil && !errors.Is(err, queue.ErrActive) {
			return fmt.Errorf("delivery %s: %w", delivery.Ref, err)
		}
	}
	return nil
}

// mendOne compares one delivery with its row.
func (r *Reconciler) mendOne(ctx context.Context, delivery queue.Delivery, s queue.State, row task.Task, exists bool) error {
	valid := exists && row.Delivery == delivery.Delivery && row.Provider == delivery.Provider
	switch {
	case valid && row.Status == task.Processing:
		return nil
	case valid && row.Status == task.Pending && s == queue.Archived:
		return r.archive(ctx, delivery)
	case valid && row.Status == task.Pending:
		return nil
	case valid && row.Status == task.Failed && s == queue.Archived:
		return nil
	case valid && row.Status == task.Failed && s == queue.Pending:
		return nil // a person pressed Run; the worker brings the row back
	}
	r.Log.Debug().Str("delivery", delivery.Ref.String()).Str("state", string(s)).Msg("removed; its row does not wait for it")
	return r.Queue.Remove(ctx, delivery)
}
