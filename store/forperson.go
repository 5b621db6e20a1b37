package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/migrations"
)

// A person, or a page that one has opened, waits for what is locked for seconds only.
const (
	personWaits = 5 * time.Second // for what is locked
	judgeEvery  = time.Second     // how often it is looked after that whether something is
	judgeLimit  = personWaits     // of one such look, which needs a connection of its own
)

// Locked says that somebody held what a person needs locked for as long as it was waited for.
// Nothing was changed.
type Locked struct {
	Table  string // that is locked as a whole; empty if it is a row, or if that is not known
	Holder string // the server's processes that hold it, with ", " between; empty if not known
	File   bool   // SQLite, whose file somebody else writes to
	err    error
}

func (l *Locked) Error() string {
	switch {
	case l.File:
		return "somebody else has begun to write to the database's file and has not ended, so nothing was changed; try again when they have (an sqlite3 within BEGIN, or a copy that is being made, is the usual one)"
	case l.Table != "":
		return fmt.Sprintf("the table %s is locked by another transaction%s, so nothing was changed; try again when it has ended (pg_stat_activity shows what it does)", l.Table, l.Process())
	}
	return "another transaction holds the row of the task locked, so nothing was changed; try again when it has ended (pg_stat_activity shows who is idle in transaction, or has locked the whole table)"
}

// Process names the server's processes in parentheses, after a space; empty if they are not known.
func (l *Locked) Process() string {
	if l.Holder == "" {
		return ""
	}
	return " (process " + l.Holder + " of the database server)"
}

func (l *Locked) Unwrap() error { return l.err }

// forPerson runs f, which a person waits for, in a transaction, for personWaits at most. A table
// may be locked as a whole (LOCK TABLE, VACUUM FULL): a statement waits for that a moment
// only, and comes again. A Locked if the time was over while something was locked, and a
// context.DeadlineExceeded if it was over for another reason: a database that is away, or slow.
func (s *Store) forPerson(ctx context.Context, f func(ctx context.Context, tx *sqlx.Tx) error) error {
	bounded, cancel := context.WithTimeout(ctx, personWaits)
	defer cancel()
	locked := false // when a statement was last answered
	err := s.in(bounded, func(tx *sqlx.Tx) error {
		if s.dialect.tableWait != "" {
			if _, err := tx.ExecContext(bounded, s.dialect.tableWait); err != nil {
				return err
			}
		}
		err := f(bounded, tx)
		locked = s.dialect.isLocked(err) || locked && wasCancelled(err)
		return err
	})
	switch {
	case err == nil || bounded.Err() == nil || ctx.Err() != nil || errors.As(err, new(*Locked)):
		return err
	case locked:
		return &Locked{err: err}
	case s.dialect.name == migrations.SQLite: // which begins no transaction while somebody writes
		if l, _ := s.judge(ctx); l != nil {
			l.err = err
			return l
		}
	}
	if !wasCancelled(err) && !s.dialect.isConflict(err) {
		return err
	}
	return late()
}

func late() error {
	return fmt.Errorf("the database did not do it within %s: %w", personWaits, context.DeadlineExceeded)
}

// ForPerson runs f, which reads or writes for a person through other methods of the store, and
// ends its context once something that it waits for has been locked for five seconds: then the
// error is a Locked. What is only slow may go on. A database that does not say
// within as long again what is locked is away: a context.DeadlineExceeded.
func (s *Store) ForPerson(ctx context.Context, f func(ctx context.Context) error) error {
	watched, stop := context.WithCancelCause(ctx)
	judged := make(chan struct{})
	go func() {
		defer close(judged)
		s.judgeUntil(watched, stop)
	}()
	err := f(watched)
	why := context.Cause(watched)
	stop(nil)
	<-judged
	if err == nil || why == nil || ctx.Err() != nil {
		return err
	}
	return why
}

// judgeUntil ends ctx by stop, with the reason, if something is locked for too long.
func (s *Store) judgeUntil(ctx context.Context, stop context.CancelCauseFunc) {
	began := time.Now()
	for wait := personWaits; sleep(ctx, wait) == nil; wait = judgeEvery {
		locked, err := s.judge(ctx)
		switch {
		case locked != nil:
			stop(locked)
		case err != nil && time.Since(began) >= 2*personWaits:
			stop(late())
		}
	}
}

// judgement is what was last seen to keep statements of easel waiting. Of many who wait one looks.
type judgement struct {
	mu     sync.Mutex
	at     time.Time // when it was seen
	locked *Locked
	err    error
}

// judge returns what keeps statements of easel waiting; nil if nothing does.
func (s *Store) judge(ctx context.Context) (*Locked, error) {
	j := &s.judged
	j.mu.Lock()
	defer j.mu.Unlock()
	if time.Since(j.at) >= judgeEvery/2 {
		locked, err := s.judgeAnew(ctx)
		if ctx.Err() != nil { // who has looked does not wait any more, which says nothing to others
			return nil, err
		}
		j.at, j.locked, j.err = time.Now(), locked, err
	}
	if j.locked == nil {
		return nil, j.err
	}
	l := *j.locked
	return &l, nil
}

// judgeAnew looks over a connection of its own where that can be had: those of the pool may all wait.
func (s *Store) judgeAnew(ctx context.Context) (*Locked, error) {
	ctx, cancel := context.WithTimeout(ctx, judgeLimit)
	defer cancel()
	db := s.db.DB
	if s.address != "" {
		own, err := s.impatientPool(judgeLimit)
		if err != nil {
			return nil, Redact(err)
		}
		defer own.Close()
		db = own
	}
	return s.dialect.judge(ctx, db)
}

// judgePostgres looks for the session of easel's that has waited longest for a lock, for one of a whole
// table first. Those are all that come with the same user and application_name. An index that is
// built beside the work, and what only apps take, hold up no statement of a person. The server reads its
// sessions and its locks at different moments: who waits in one of them only has gone on.
func judgePostgres(ctx context.Context, db *sql.DB) (*Locked, error) {
	var l Locked
	err := db.QueryRowContext(ctx, `
		WITH waiting AS MATERIALIZED (
			SELECT pid, CASE WHEN locktype = 'relation' THEN relation END AS whole FROM pg_locks WHERE NOT granted AND locktype NOT IN ('virtualxid', 'advisory')
		), ours AS MATERIALIZED (
			SELECT w.whole, a.query_start, pg_blocking_pids(a.pid) AS holders FROM pg_stat_activity a JOIN waiting w ON w.pid = a.pid
			WHERE a.wait_event_type = 'Lock' AND a.datname = current_database() AND a.usename = session_user
				AND a.application_name = current_setting('application_name') AND a.query_start < clock_timestamp() - interval '3 seconds'
			ORDER BY w.whole IS NULL, a.query_start LIMIT 10
		)
		SELECT coalesce((SELECT c.relname FROM pg_class c WHERE c.oid = o.whole), ''), array_to_string(o.holders, ', ')
		FROM ours o WHERE cardinality(o.holders) > 0 ORDER BY o.whole IS NULL, o.query_start LIMIT 1`).Scan(&l.Table, &l.Holder)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.err = context.DeadlineExceeded
	return &l, nil
}

// judgeSQLite tries to write.
func judgeSQLite(ctx context.Context, db *sql.DB) (*Locked, error) {
	tx, err := db.BeginTx(ctx, nil)
	switch {
	case err == nil:
		return nil, tx.Rollback()
	case isBusy(err):
		return &Locked{File: true, err: err}, nil
	}
	return nil, err
}

// wasCancelled reports whether a statement ended with its context. Postgres says so in
// its own words (57014) to a statement that it had begun.
func wasCancelled(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || sqlState(err) == "57014"
}
