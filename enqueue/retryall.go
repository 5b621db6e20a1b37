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
// for RetryEach. givenUp are left out: their calls were given up as charged, and a retry of each
// would pay again.
func (c *Client) Retryable(ctx context.Context, f store.Filter) (looked []task.Seen, givenUp int, err error) {
	if len(f.Statuses) == 0 {
		f.Statuses = []task.Status{task.Failed}
	}
	f.Ours = true
	for most := f.Limit; ; {
		f.Limit = lookedPage
		if most > 0 {
			f.Limit = min(lookedPage, most-len(looked))
		}
		page, err := c.Tasks.List(ctx, f)
		if err != nil {
			return nil, 0, err
		}
		for i := range page {
			if page[i].ErrorKind == task.Charged {
				givenUp++
				continue
			}
			looked = append(looked, page[i].Seen())
		}
		if len(page) < f.Limit || most > 0 && len(looked) == most {
			return looked, givenUp, nil
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
			continue // somebody else was faster, or it wants a word of its own
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
