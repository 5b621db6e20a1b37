package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// ringRows bounds one UPDATE of deliveries, for the reason given at insertRows.
const ringRows = 500

// ringColumns are what it takes to ring for a task.
const ringColumns = "id, delivery, coalesce(provider, '') AS provider, priority, run_at, updated_at, status"

// Ring hands up to limit committed tasks that nobody has rung for to publish and
// notes for which of them it worked. Several processes may call it: each row
// goes to one of them at a time. It returns how many rows it found.
func (s *Store) Ring(ctx context.Context, limit int, publish func([]task.Task) (rung []task.Ref, err error)) (int, error) {
	var due []task.Task
	var failure error
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		due = nil
		err := tx.SelectContext(ctx, &due, tx.Rebind("SELECT "+ringColumns+` FROM image_generations
			WHERE published_at IS NULL AND status = 'pending' AND deleted_at IS NULL AND fence >= 0
			ORDER BY priority DESC, id LIMIT ?`+s.dialect.skipLocked), limit)
		if err != nil || len(due) == 0 {
			return err
		}
		rung, err := publish(due)
		failure = err
		return s.markRung(ctx, tx, rung)
	})
	if err != nil {
		return len(due), err
	}
	return len(due), failure
}

// Rung notes that the doorbell has rung for these deliveries.
func (s *Store) Rung(ctx context.Context, refs []task.Ref) error {
	for batch := range slices.Chunk(refs, ringRows) {
		if err := s.markRung(ctx, s.db, batch); err != nil {
			return err
		}
	}
	return nil
}

// markRung needs no fence: that a bell has rung concerns its delivery alone,
// which is in the condition, and no step of the task.
func (s *Store) markRung(ctx context.Context, db sqlx.ExecerContext, refs []task.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	condition, args := pairs(refs)
	_, err := db.ExecContext(ctx, s.db.Rebind(
		"UPDATE image_generations SET published_at = now() WHERE published_at IS NULL AND status = 'pending' AND "+condition), args...)
	return err
}

// pairs is the condition that a row is one of the deliveries.
func pairs(refs []task.Ref) (string, []any) {
	args := make([]any, 0, 2*len(refs))
	for _, r := range refs {
		args = append(args, r.Task, r.Delivery)
	}
	// Postgres has to be told the type: it cannot infer it from a list of rows.
	row := "(CAST(? AS bigint), CAST(? AS integer))"
	return "(id, delivery) IN (VALUES " + strings.Repeat(row+", ", len(refs)-1) + row + ")", args
}

// Waiting returns up to limit tasks with ids above after that have been rung for
// and are due for longer than grace: their deliveries should be in the queue.
func (s *Store) Waiting(ctx context.Context, after int64, grace time.Duration, limit int) ([]task.Task, error) {
	var tasks []task.Task
	err := s.db.SelectContext(ctx, &tasks, s.db.Rebind("SELECT "+ringColumns+` FROM image_generations
		WHERE status = 'pending' AND published_at IS NOT NULL AND deleted_at IS NULL AND fence >= 0 AND id > ?
			AND published_at < `+s.dialect.later+` AND run_at < `+s.dialect.later+`
		ORDER BY id LIMIT ?`), after, -grace.Milliseconds(), -grace.Milliseconds(), limit)
	return tasks, err
}

// Unring forgets that the doorbell rang for these waiting deliveries, so that a
// relay rings again.
func (s *Store) Unring(ctx context.Context, refs []task.Ref) error {
	for batch := range slices.Chunk(refs, ringRows) {
		condition, args := pairs(batch)
		_, err := s.db.ExecContext(ctx, s.db.Rebind( // no fence, for the reason given at markRung
			"UPDATE image_generations SET published_at = NULL WHERE published_at IS NOT NULL AND status = 'pending' AND "+condition), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Redeliver gives these waiting tasks a new delivery, because the one they have
// is in the hands of a worker that has gone silent before it claimed them. If it
// only slept, its claim comes too late.
func (s *Store) Redeliver(ctx context.Context, refs []task.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	condition, args := pairs(refs)
	// No fence in the condition: nobody holds a pending task, and its delivery is the guard.
	_, err := s.db.ExecContext(ctx, s.db.Rebind(`
		UPDATE image_generations SET delivery = delivery + 1, fence = fence + 1, published_at = NULL, updated_at = now()
		WHERE status = 'pending' AND `+condition), args...)
	return err
}

// UnringAll forgets every ring of a waiting task: the queue has lost its memory.
// It returns how many rows that were.
func (s *Store) UnringAll(ctx context.Context) (int64, error) {
	r, err := s.db.ExecContext(ctx, // no fence, for the reason given at markRung
		"UPDATE image_generations SET published_at = NULL WHERE status = 'pending' AND published_at IS NOT NULL AND fence >= 0")
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Rings returns the rows of these tasks as far as ringing goes; one that does
// not exist is missing from the map.
func (s *Store) Rings(ctx context.Context, ids []int64) (map[int64]task.Task, error) {
	found := make(map[int64]task.Task, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	query, args, err := sqlx.In("SELECT "+ringColumns+" FROM image_generations WHERE deleted_at IS NULL AND id IN (?)", ids)
	if err != nil {
		return nil, err
	}
	var tasks []task.Task
	if err := s.db.SelectContext(ctx, &tasks, s.db.Rebind(query), args...); err != nil {
		return nil, err
	}
	for _, t := range tasks {
		found[t.ID] = t
	}
	return found, nil
}
