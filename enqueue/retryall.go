package enqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// RetryAll retries every task that f picks and that a retry can move, and
// returns how many that were. It goes on until f is exhausted, a page at a time; rows
// that another transaction has locked are left out, and the error names the first.
func (c *Client) RetryAll(ctx context.Context, f store.Filter, notCharged bool, each func(*task.Task)) (int, error) {
	done, locked := 0, error(nil)
	err := c.pages(ctx, f, func(page []task.Ref) error {
		n, err := c.RetryEach(ctx, page, notCharged, each)
		done += n
		if row := new(store.Locked); errors.As(err, &row) && ctx.Err() == nil {
			locked, err = cmp.Or(locked, err), nil
		}
		return err
	})
	return done, cmp.Or(err, locked)
}

// Retryable returns what RetryAll would retry now, each with the delivery that it has.
func (c *Client) Retryable(ctx context.Context, f store.Filter) ([]task.Ref, error) {
	var all []task.Ref
	err := c.pages(ctx, f, func(page []task.Ref) error {
		all = append(all, page...)
		return nil
	})
	return all, err
}

// RetryEach is RetryAll of those tasks as they were looked at: who has moved on since is left
// alone.
func (c *Client) RetryEach(ctx context.Context, refs []task.Ref, notCharged bool, each func(*task.Task)) (int, error) {
	done, locked := 0, error(nil)
	for _, ref := range refs {
		t, err := c.Retry(ctx, ref, notCharged)
		if leftAlone(err) {
			continue // somebody else was faster, or it wants a decision of its own
		}
		if row := new(store.Locked); errors.As(err, &row) && ctx.Err() == nil {
			locked = cmp.Or(locked, fmt.Errorf("task %d: %w", ref.Task, err))
			continue
		}
		if err != nil {
			return done, err
		}
		done++
		if each != nil {
			each(t)
		}
	}
	return done, locked
}

// pages gives what f picks of our own failed tasks to use, a page at a time.
func (c *Client) pages(ctx context.Context, f store.Filter, use func([]task.Ref) error) error {
	if len(f.Statuses) == 0 {
		f.Statuses = []task.Status{task.Failed}
	}
	f.Limit, f.Ours = 500, true
	for {
		page, err := c.Tasks.List(ctx, f)
		if err != nil || len(page) == 0 {
			return err
		}
		refs := make([]task.Ref, len(page))
		for i := range page {
			refs[i] = page[i].Ref()
		}
		if err := use(refs); err != nil {
			return err
		}
		f.Before = page[len(page)-1].ID
	}
}
