package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// deliveryRows bounds one UPDATE of deliveries, for the reason given at insertRows.
const deliveryRows = 500

// deliveryColumns are what it takes to publish a task.
const deliveryColumns = "id, delivery, coalesce(provider, '') AS provider, priority, run_at, updated_at, status"

// UnpublishedPage says which of the tasks that nobody has published to hand out: up to Limit of
// them, the most urgent and the oldest first.
type UnpublishedPage struct {
	After  *task.Task // those that come after this one; nil is from the first
	Newest bool       // instead the newest of those as urgent as After, and then of more urgent ones
	Skip   int        // how many of these to leave to others
	Limit  int
}

// PublishResult is what PublishDue did.
type PublishResult struct {
	Found []task.Task // what was handed out, in order
	Noted int         // for how many of them it noted that they are published; others may have done so for the rest
}

// PublishDue hands out committed tasks that nobody has published and notes for
// which of them it worked. No row is locked and no connection taken meanwhile: a
// delivery may be claimed as soon as it arrives. Several processes may call it, and
// publish the same task: the queue takes a delivery once. What is not noted, since
// the process ended or the row is locked, is published again. The error may be publish's.
func (s *Store) PublishDue(ctx context.Context, l UnpublishedPage, publish func([]task.Task) (published []task.Ref, err error)) (PublishResult, error) {
	due, err := s.selectUnpublished(ctx, l)
	if err != nil || len(due) == 0 {
		return PublishResult{}, err
	}
	published, failure := publish(due)
	noted, err := s.markPublished(ctx, s.db, published)
	return PublishResult{Found: due, Noted: int(noted)}, errors.Join(failure, err)
}

// selectUnpublished reads by the index of such tasks alone: one part for what is as urgent as
// the task before, and one for what is less so.
func (s *Store) selectUnpublished(ctx context.Context, l UnpublishedPage) (due []task.Task, err error) {
	const query = "SELECT " + deliveryColumns + " FROM image_generations WHERE published_at IS NULL AND status = 'pending' AND deleted_at IS NULL AND fence >= 0"
	const order = " ORDER BY priority DESC, id LIMIT ?"
	err = s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		due = nil
		if l.After != nil && l.Newest { // backwards; of one priority alone the ids would be read, with those of all other tasks
			return sqlx.SelectContext(ctx, tx, &due, s.db.Rebind(query+" AND priority >= ? ORDER BY priority, id DESC LIMIT ?"), l.After.Priority, l.Limit)
		}
		if l.After == nil {
			return sqlx.SelectContext(ctx, tx, &due, s.db.Rebind(query+order+" OFFSET ?"), l.Limit, l.Skip)
		}
		return sqlx.SelectContext(ctx, tx, &due, s.db.Rebind(`
			SELECT * FROM (`+query+" AND priority = ? AND id > ?"+order+`) AS next
			UNION ALL SELECT * FROM (`+query+" AND priority < ?"+order+") AS rest LIMIT ? OFFSET ?"),
			l.After.Priority, l.After.ID, l.Limit+l.Skip, l.After.Priority, l.Limit+l.Skip, l.Limit, l.Skip)
	})
	return due, err
}

// MarkPublished notes that these deliveries are in the queue, as far as their rows
// are not locked.
func (s *Store) MarkPublished(ctx context.Context, refs []task.Ref) error {
	return s.write(ctx, func(tx sqlx.ExtContext) error {
		_, err := s.markPublished(ctx, tx, refs)
		return err
	})
}

// markPublished needs no fence: that it was published concerns a delivery alone,
// which is in the condition, and no step of the task. Nor does a disk wait for it: what a
// crash of the server makes of it is published again.
func (s *Store) markPublished(ctx context.Context, db sqlx.ExecerContext, refs []task.Ref) (int64, error) {
	return s.updateUnlocked(ctx, db, refs, "published_at IS NULL AND status = 'pending'", "published_at = "+s.dialect.unflushed)
}

// updateUnlocked sets columns of those of the deliveries whose rows hold the condition and
// are not locked, and returns how many they were. args belong to set.
func (s *Store) updateUnlocked(ctx context.Context, db sqlx.ExecerContext, refs []task.Ref, holds, set string, args ...any) (int64, error) {
	total := int64(0)
	for batch := range slices.Chunk(refs, deliveryRows) {
		// The fence is the caller's to mind.
		r, err := db.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+set+" WHERE "+s.dialect.among(holds)), append(slices.Clone(args), list(batch))...)
		if err != nil {
			return total, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// list is deliveries as a parameter; see dialect.among.
func list(refs []task.Ref) string {
	text := []byte("[")
	for i, r := range refs {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `{"id":%d,"delivery":%d}`, r.Task, r.Delivery)
	}
	return string(append(text, ']'))
}

// ahead is how far in the future a published_at must lie to be none.
const ahead = time.Minute

// PublishedWaiting returns those of the next looks tasks with ids above after that wait and
// have been published, that are due for longer than grace: their deliveries should be
// in the queue. next is where to go on, or 0 at the end. A published_at that has not
// come is that of a clock which was ahead, and counts as long ago.
func (s *Store) PublishedWaiting(ctx context.Context, after int64, grace time.Duration, looks int) (due []task.Task, next int64, err error) {
	var rows []struct {
		task.Task
		Due bool `json:"due"`
	}
	err = s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		rows = nil
		return sqlx.SelectContext(ctx, tx, &rows, s.db.Rebind("SELECT "+deliveryColumns+", (published_at < "+s.dialect.later+
			" OR published_at > "+s.dialect.later+") AND run_at < "+s.dialect.later+` AS due FROM image_generations
			WHERE status = 'pending' AND published_at IS NOT NULL AND deleted_at IS NULL AND fence >= 0 AND id > ?
			ORDER BY id LIMIT ?`), -grace.Milliseconds(), ahead.Milliseconds(), -grace.Milliseconds(), after, looks)
	})
	for i := range rows {
		if rows[i].Due {
			due = append(due, rows[i].Task)
		}
	}
	if len(rows) == looks {
		next = rows[looks-1].ID
	}
	return due, next, err
}

// MarkUnpublished forgets that these waiting deliveries were published, so that a
// relay does it again. A row that is locked stays as it is.
func (s *Store) MarkUnpublished(ctx context.Context, refs []task.Ref) error {
	_, err := s.markUnpublished(ctx, refs)
	return err
}

func (s *Store) markUnpublished(ctx context.Context, refs []task.Ref) (int64, error) {
	// no fence, for the reason given at markPublished
	return s.updateUnlocked(ctx, s.db, refs, "published_at IS NOT NULL AND status = 'pending'", "published_at = NULL")
}

// Redeliver gives these waiting tasks a new delivery, because the one they have
// is in the hands of a worker that has gone silent before it claimed them. If it
// only slept, its claim comes too late. A row that is locked stays as it is.
func (s *Store) Redeliver(ctx context.Context, refs []task.Ref) error {
	// No fence in the condition: nobody holds a pending task, and its delivery is the guard.
	_, err := s.updateUnlocked(ctx, s.db, refs, "status = 'pending'", deliveryGrows+", "+fenceGrows+", published_at = NULL, updated_at = now()")
	return err
}

// ResetPublished forgets that any waiting task was published, some at a time: the queue has lost
// its memory. It returns how many rows that were.
func (s *Store) ResetPublished(ctx context.Context) (int64, error) {
	const rows = 2_000
	total := int64(0)
	for after := int64(0); ; {
		var waiting []task.Task
		err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
			waiting = nil
			return sqlx.SelectContext(ctx, tx, &waiting, s.db.Rebind(`SELECT id, delivery FROM image_generations
				WHERE status = 'pending' AND published_at IS NOT NULL AND fence >= 0 AND id > ? ORDER BY id LIMIT ?`), after, rows)
		})
		if err != nil || len(waiting) == 0 {
			return total, err
		}
		refs := make([]task.Ref, len(waiting))
		for i := range waiting {
			refs[i] = waiting[i].Ref()
		}
		n, err := s.markUnpublished(ctx, refs)
		total += n
		if err != nil {
			return total, err
		}
		after = waiting[len(waiting)-1].ID
	}
}

// Deliveries returns the rows of these tasks as far as publishing goes; one that does
// not exist is missing from the map.
func (s *Store) Deliveries(ctx context.Context, ids []int64) (map[int64]task.Task, error) {
	found := make(map[int64]task.Task, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var tasks []task.Task
	if err := s.selectIn(ctx, &tasks, "SELECT "+deliveryColumns+", coalesce(error_kind, '') AS error_kind FROM image_generations WHERE deleted_at IS NULL AND id IN (?)", ids); err != nil {
		return nil, err
	}
	for _, t := range tasks {
		found[t.ID] = t
	}
	return found, nil
}
