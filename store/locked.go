package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// A row may be locked by somebody else, for as long as an app pleases. No statement
// of ours stands in line for it, since it would hold one of the pool's connections
// meanwhile, and the locks of its other rows. What is about one task fails at once
// (dialect.lock), gives its connection back and comes again until its context ends.
// What is about many leaves such a row out (dialect.skipLocked) and finds it next time.

const (
	firstPause = 5 * time.Millisecond // before a locked row is tried again
	longPause  = time.Second
)

// patiently repeats f while the row that it needs is locked.
func (s *Store) patiently(ctx context.Context, f func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := f()
		if pause > firstPause && ctx.Err() != nil && wasCancelled(err) {
			return &Locked{err: err} // it was locked when it was tried before
		}
		if err == nil || !s.dialect.isLocked(err) {
			return err
		}
		if sleep(ctx, pause/2+rand.N(pause/2)) != nil {
			return &Locked{err: context.Cause(ctx)}
		}
	}
}

// in runs f in one transaction, again if the database asks for that. Two that
// are in each other's way do not come back at the same moment.
func (s *Store) in(ctx context.Context, f func(tx *sqlx.Tx) error) error {
	const tries = 6
	for n := 1; ; n++ {
		err := s.patiently(ctx, func() error { return s.once(ctx, f) })
		if err != nil && s.dialect.isMissing(err) {
			return fmt.Errorf("%w (%w)", ErrNotMigrated, err)
		}
		if n == tries || !s.dialect.isConflict(err) {
			return err
		}
		if sleep(ctx, rand.N(time.Duration(n)*20*time.Millisecond)) != nil {
			return err
		}
	}
}

// byIndex is in for statements about many rows of a large table; see dialect.byIndex.
func (s *Store) byIndex(ctx context.Context, f func(tx sqlx.ExtContext) error) error {
	if s.dialect.byIndex == "" {
		return f(s.db)
	}
	return s.in(ctx, func(tx *sqlx.Tx) error {
		if err := s.followIndexes(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

func (s *Store) followIndexes(ctx context.Context, tx *sqlx.Tx) error {
	if s.dialect.byIndex == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, s.dialect.byIndex)
	return err
}

func (s *Store) once(ctx context.Context, f func(tx *sqlx.Tx) error) error {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit this does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// sleep waits for d, or returns why ctx ended before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lock takes the task's row before one of its attempts, as everywhere.
func (s *Store) lock(ctx context.Context, q sqlx.QueryerContext, id int64) error {
	var found []int64
	return sqlx.SelectContext(ctx, q, &found, s.db.Rebind("SELECT id FROM image_generations WHERE id = ?"+s.dialect.lock), id)
}

// hold is lock for who holds the task: ErrFenced if that is somebody else now, or nobody.
func (s *Store) hold(ctx context.Context, q sqlx.QueryerContext, held task.Token) error {
	var id int64
	err := sqlx.GetContext(ctx, q, &id, s.db.Rebind(
		"SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'"+s.dialect.lock), held.Task, held.Fence)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrFenced
	}
	return err
}
