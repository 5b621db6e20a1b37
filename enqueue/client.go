// Package enqueue brings tasks to the queue: a Client stores new ones and publishes
// their deliveries, a Relay publishes what was committed and not published, a Reconciler
// mends what rows and queue disagree about. The row is written first, always;
// its delivery only saves waiting.
package enqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Client takes tasks in. It is safe for concurrent use.
type Client struct {
	Tasks    clientTasks       // a *store.Store
	Queue    *queue.Queue      // nil: the relay of a running worker publishes
	Services provider.Services // what a task may ask for; nil checks no provider
	Log      zerolog.Logger
}

// Enqueue stores t and publishes its delivery. It fills in t's ID and status, and t is
// safe once it returns nil, whatever happens to the queue. created is false
// if the task's idempotency key was known: t is then the stored task. The
// error is a *task.Failure if t itself is wrong, *store.KeyReused if its key
// stands for another request.
func (c *Client) Enqueue(ctx context.Context, t *task.Task) (created bool, err error) {
	fresh, err := c.EnqueueMany(ctx, []*task.Task{t})
	if err != nil {
		return false, err
	}
	return fresh[0], nil
}

// EnqueueMany is Enqueue for many tasks in one transaction: all are stored or none.
func (c *Client) EnqueueMany(ctx context.Context, tasks []*task.Task) (created []bool, err error) {
	if err := c.check(tasks); err != nil {
		return nil, err
	}
	insert := c.Tasks.Insert
	if c.Queue == nil {
		insert = c.Tasks.InsertNotify
	}
	created, err = insert(ctx, tasks)
	if err != nil {
		return nil, err
	}
	var fresh []*task.Task
	for i, t := range tasks {
		if created[i] {
			fresh = append(fresh, t)
		}
	}
	c.Publish(ctx, fresh...)
	return created, nil
}

// EnqueueTx stores tasks inside the caller's own transaction: they exist when
// the caller commits, and a relay publishes them then. Publish after the commit
// only saves the relay's way.
func (c *Client) EnqueueTx(ctx context.Context, tx store.Tx, tasks ...*task.Task) (created []bool, err error) {
	if err := c.check(tasks); err != nil {
		return nil, err
	}
	return c.Tasks.InsertTx(ctx, tx, tasks)
}

// notedWithin bounds what Publish asks of the database: whoever has written rows does not wait for a
// table that is locked since, or for a server that is silent, only to save the relay's way.
const notedWithin = 10 * time.Second

// Publish publishes tasks that are committed. What cannot be published stays for the
// relay, so there is no error to return.
func (c *Client) Publish(ctx context.Context, tasks ...*task.Task) {
	if c.Queue == nil || len(tasks) == 0 {
		return
	}
	deliveries := make([]queue.Delivery, 0, len(tasks))
	hasWorker := make(map[string]bool)
	for _, t := range tasks {
		delivery := deliveryOf(t)
		if _, asked := hasWorker[delivery.Provider]; !asked {
			hasWorker[delivery.Provider] = c.hasWorker(ctx, delivery.Provider)
		}
		if hasWorker[delivery.Provider] {
			deliveries = append(deliveries, delivery)
		}
	}
	published, err := publish(ctx, c.Queue, deliveries)
	if err != nil {
		c.Log.Warn().Err(err).Int("left", len(deliveries)-len(published)).Msg("not published; the relay will do it")
	}
	noting, cancel := context.WithTimeout(ctx, notedWithin)
	defer cancel()
	if err := c.Tasks.MarkPublished(noting, published); err != nil {
		c.Log.Warn().Err(err).Msg("published but not noted; the relay publishes once more, which is harmless")
	}
}

// hasWorker reports whether somebody takes deliveries of the provider. A client that does
// not know the providers asks which the workers serve; what none of them does is left to
// the relay, which says so in the row. Published, it would wait in a queue of its own.
func (c *Client) hasWorker(ctx context.Context, provider string) bool {
	if c.Services != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, notedWithin)
	defer cancel()
	served, err := c.Tasks.HasWorkerFor(ctx, provider)
	return err == nil && served
}

// Retry brings a failed or cancelled task back and publishes it, if it is as it was seen. See
// store.Retry. Without notCharged it is an UnknownOutcome where it could neither ask nor buy; nothing
// is changed then.
func (c *Client) Retry(ctx context.Context, seen task.Seen, notCharged bool) (*task.Task, error) {
	if !notCharged {
		if err := c.decided(ctx, seen); err != nil {
			return nil, err
		}
	}
	t, err := c.Tasks.Retry(ctx, seen, notCharged)
	if err != nil {
		return nil, err
	}
	c.dropOld(ctx, t)
	c.Publish(ctx, t)
	return t, nil
}

// BuyAgain is Retry for a person who pays once more for what was paid for: he gives up what cannot
// be collected, or has found before that a call was charged. A new call is made. taken are
// the calls that he gives up, as he saw them (see task.CollectableCalls). An UnknownOutcome where that
// is to be decided first. See store.BuyAgain.
func (c *Client) BuyAgain(ctx context.Context, seen task.Seen, taken ...task.SeenCall) (*task.Task, error) {
	t, err := c.Tasks.BuyAgain(ctx, seen, taken...)
	if nothing := new(store.NothingPaid); errors.As(err, &nothing) {
		return nil, cmp.Or(c.decided(ctx, seen), err)
	}
	if err != nil {
		return nil, err
	}
	c.dropOld(ctx, t)
	c.Publish(ctx, t)
	return t, nil
}

// Cancel ends a task that is not final, if it was not brought back since it was seen;
// task.Seen{Task: id} ends it as it is. Its delivery is taken out of the queue; a worker that
// holds it is told through the row.
func (c *Client) Cancel(ctx context.Context, seen task.Seen) (*task.Task, error) {
	t, err := c.Tasks.Cancel(ctx, seen)
	if err != nil {
		return nil, err
	}
	if c.Queue != nil {
		if err := c.Queue.Remove(ctx, deliveryOf(t)); err != nil {
			c.Log.Debug().Err(err).Int64("task", t.ID).Msg("delivery of a cancelled task left for the reconciler")
		}
	}
	return t, nil
}

// dropOld removes the archived delivery that a retry replaces; if that fails
// the reconciler does it.
func (c *Client) dropOld(ctx context.Context, t *task.Task) {
	if c.Queue == nil || t.Delivery == 0 {
		return
	}
	old := deliveryOf(t)
	old.Delivery--
	if err := c.Queue.Remove(ctx, old); err != nil {
		c.Log.Debug().Err(err).Int64("task", t.ID).Msg("old delivery left for the reconciler")
	}
}

// check refuses what no worker could do, before anything is stored.
func (c *Client) check(tasks []*task.Task) error {
	for i, t := range tasks {
		if t == nil {
			return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf("task %d of %d is nil", i+1, len(tasks))}
		}
		err := t.Validate()
		if err == nil && c.Services != nil {
			_, _, err = c.Services.Check(t)
		}
		if err == nil {
			continue
		}
		if len(tasks) > 1 {
			return fmt.Errorf("task %d of %d: %w", i+1, len(tasks), err)
		}
		return err
	}
	return nil
}
