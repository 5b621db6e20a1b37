package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/internal/pause"
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

// patiently repeats f while the row that it needs is locked: until its context ends, and for a
// person, whose statements wait for a locked table too, until he has waited long enough.
func (s *Store) patiently(ctx context.Context, f func() error) error {
	p, began := personOf(ctx), time.Now()
	for wait := firstPause; ; wait = min(2*wait, longPause) {
		tried := time.Now()
		err := f()
		if p == nil && wait > firstPause && ctx.Err() != nil && wasCancelled(err) && !errors.As(err, new(*Unsure)) {
			return &Locked{err: err} // it was locked when it was tried before; a person is told what it is now
		}
		switch {
		case err == nil || !s.dialect.isLocked(err):
			return err
		case p != nil && time.Since(began) >= personWaits-longPause/2:
			p.locked.Store(true)
			return s.lockedNow(ctx, true, time.Since(tried) >= leastWait, err)
		}
		if pause.For(ctx, wait/2+rand.N(wait/2)) != nil {
			return &Locked{err: context.Cause(ctx)}
		}
	}
}

// in runs f in one transaction, again if the database asks for that. Two that
// are in each other's way do not come back at the same moment.
func (s *Store) in(ctx context.Context, f func(tx *sqlx.Tx) error) error {
	p := personOf(ctx)
	if p != nil {
		p.endReads() // he has one connection at a time
		p.wrote.Store(true)
		p.began = time.Now()
		defer p.waiting()()
	}
	const tries = 6
	for n := 1; ; n++ {
		err := s.patiently(ctx, func() error { return s.once(ctx, f) })
		switch {
		case err == nil:
			return nil
		case s.dialect.isMissing(err):
			return fmt.Errorf("%w (%w)", ErrNotMigrated, err)
		case p != nil && s.dialect.isBusy(err):
			return &Locked{File: true, err: err}
		case n == tries || !s.dialect.isConflict(err):
			return err
		}
		if pause.For(ctx, rand.N(time.Duration(n)*20*time.Millisecond)) != nil {
			return err
		}
	}
}

// byIndex is in for statements about many rows of a large table; see dialect.byIndex.
func (s *Store) byIndex(ctx context.Context, f func(tx sqlx.ExtContext) error) error {
	if s.dialect.byIndex == "" {
		return s.write(ctx, f)
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tx, done, err := s.beginTx(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := f(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if personOf(ctx) != nil {
		defer time.AfterFunc(personWaits, cancel).Stop()
	}
	err = tx.Commit()
	if err != nil && !s.dialect.isAnswer(err) {
		return &Unsure{err: err}
	}
	return err
}

// beginTx begins a transaction that waits for what is locked as long as its caller does. done
// ends it, unless it was committed.
func (s *Store) beginTx(ctx context.Context) (tx *sqlx.Tx, done func(), err error) {
	p := personOf(ctx)
	if p == nil || s.dialect.lockWait == "" {
		tx, err := s.db.BeginTxx(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		return tx, func() { _ = tx.Rollback() }, nil
	}
	conn, wait, err := p.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	if tx, err = conn.BeginTxx(ctx, nil); err != nil {
		conn.Close()
		return nil, nil, err
	}
	done = func() { _ = tx.Rollback(); _ = conn.Close() }
	wait = min(wait, max(personWaits-time.Since(p.began), leastWait)) // he may have waited for a row before
	if _, err := tx.ExecContext(ctx, "SELECT "+s.dialect.lockWait, milliseconds(wait)); err != nil {
		done()
		return nil, nil, err
	}
	return tx, done, nil
}

// write runs f, one statement that writes: in a transaction only for a person, who waits within bounds.
func (s *Store) write(ctx context.Context, f func(tx sqlx.ExtContext) error) error {
	if personOf(ctx) == nil {
		return f(s.db)
	}
	return s.in(ctx, func(tx *sqlx.Tx) error { return f(tx) })
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
