package enqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Retryable returns the tasks that f picks of our own failed ones, as they stand now, the newest
// first: f.Limit of them at most, or all if that is 0. What a person then says of them is
// for RetryEach.
func (c *Client) Retryable(ctx context.Context, f store.Filter) ([]task.Seen, error) {
	if len(f.Statuses) == 0 {
		f.Statuses = []task.Status{task.Failed}
	}
	f.Ours = true
	var all []task.Seen
	for most := f.Limit; ; {
		f.Limit = lookedPage
		if most > 0 {
			f.Limit = min(lookedPage, most-len(all))
		}
		page, err := c.Tasks.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			all = append(all, page[i].Seen())
		}
		if len(page) < f.Limit || len(all) == most {
			return all, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// lookedPage is how many tasks are listed at a time.
const lookedPage = 500

// RetryEach retries those tasks that a retry can move, as they were looked at, and returns how
// many that were: who has moved on since is left alone, and so is a row that another
// transaction has locked; the error names the first of these. Two of them in a row are more
// than a row: the table is locked, each would wait for seconds, and the others are left too.
func (c *Client) RetryEach(ctx context.Context, looked []task.Seen, notCharged bool, each func(*task.Task)) (int, error) {
	done, locked, inRow := 0, error(nil), 0
	for _, seen := range looked {
		t, err := c.Retry(ctx, seen, notCharged)
		if leftAlone(err) {
			inRow = 0
			continue // somebody else was faster, or it wants a decision of its own
		}
		if row := new(store.Locked); errors.As(err, &row) && ctx.Err() == nil {
			locked = cmp.Or(locked, fmt.Errorf("task %d: %w", seen.Task, err))
			if inRow++; inRow == 2 {
				return done, locked
			}
			continue
		}
		inRow = 0
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
