package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/internal/pause"
)

// A person, or a page that one has opened, waits for seconds only: for what is locked, for a
// connection, for a commit, and for a server that says nothing. What is only slow may go on.
const (
	personWaits = 5 * time.Second        // for what is locked, or for a commit
	leastWait   = 500 * time.Millisecond // of one who has waited for something else before
	wordLimit   = 8 * time.Second        // of a word, which is never slow
	aliveEvery  = time.Second            // how often it is seen whether a server must be asked for a sign of life
	aliveLimit  = 4 * time.Second        // in which it has to give one
)

// person is one use of ForPerson. Its statements come one after the other.
type person struct {
	store   *Store
	ctx     context.Context // of all of it: tx outlives the contexts of its statements
	mu      sync.Mutex
	conn    *sqlx.Conn   // of tx
	tx      *sqlx.Tx     // that reads; nil before the first, and after an error
	indexed bool         // tx follows indexes, see dialect.byIndex
	began   time.Time    // when he began to wait for what is being written
	locked  atomic.Bool  // something was, for as long as a person waits
	wrote   atomic.Bool  // the last statement wanted to
	waits   atomic.Int64 // since when a statement has had no answer, in Unix nanoseconds; 0 if none runs
}

type personKey struct{}

// personOf returns who is waited for, or nil. It is in the context because the bound holds for
// whatever statement is led to, as a deadline does.
func personOf(ctx context.Context) *person {
	p, _ := ctx.Value(personKey{}).(*person)
	return p
}

// ForPerson runs f, which reads or writes for a person through other methods of the store, one
// after the other. What they read comes from one read-only transaction. A Locked if
// something was locked for five seconds; a context.DeadlineExceeded if the database is silent;
// an Unsure if it has not said whether a write was done. What is only slow may go on.
func (s *Store) ForPerson(ctx context.Context, f func(ctx context.Context) error) error {
	if personOf(ctx) != nil {
		return f(ctx)
	}
	p := &person{store: s}
	watched, stop := context.WithCancelCause(context.WithValue(ctx, personKey{}, p))
	p.ctx = watched
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(watched, stop) })
	err := f(watched)
	p.endReads()
	why := context.Cause(watched)
	stop(nil)
	watching.Wait()
	if err == nil || ctx.Err() != nil || errors.As(err, new(*Locked)) || errors.As(err, new(*Unsure)) {
		return err
	}
	switch {
	case why != nil:
		return why
	case s.dialect.isBusy(err):
		return &Locked{File: true, err: err}
	case s.dialect.isLocked(err):
		return s.lockedNow(ctx, p.wrote.Load(), true, err)
	}
	return err
}

// forPerson runs f, a word of a person, in a transaction.
func (s *Store) forPerson(ctx context.Context, f func(ctx context.Context, tx *sqlx.Tx) error) error {
	return s.ForPerson(ctx, func(ctx context.Context) error {
		bounded, cancel := context.WithTimeout(ctx, wordLimit)
		defer cancel()
		err := s.in(bounded, func(tx *sqlx.Tx) error { return f(bounded, tx) })
		if err == nil || bounded.Err() == nil || ctx.Err() != nil || errors.As(err, new(*Locked)) || errors.As(err, new(*Unsure)) ||
			!wasCancelled(err) && !s.dialect.isConflict(err) {
			return err
		}
		if s.dialect.lockWait == "" { // nobody was told by his own statement
			if l, _ := s.holders.look(ctx, s, true); l != nil {
				return l
			}
		}
		return fmt.Errorf("the database did not do it within %s, and nothing was changed: %w", wordLimit, context.DeadlineExceeded)
	})
}

// watch ends ctx by stop if a statement has no answer because the database is silent or, in a
// file, locked.
func (p *person) watch(ctx context.Context, stop context.CancelCauseFunc) {
	var lived time.Time // when it last gave a sign of life
	for pause.For(ctx, aliveEvery) == nil {
		since := p.waits.Load()
		if since == 0 || time.Since(time.Unix(0, since)) < personWaits+aliveEvery || time.Since(lived) < personWaits {
			continue
		}
		err := p.store.alive(ctx)
		if err != nil && ctx.Err() == nil && p.waits.Load() == since {
			stop(err)
		}
		if err == nil {
			lived = time.Now()
		}
	}
}

// alive asks for a sign of life over a connection of its own, where that can be had: those of the pool
// may all wait.
func (s *Store) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, aliveLimit)
	defer cancel()
	db, done, err := s.apart()
	if err != nil {
		return err
	}
	defer done()
	return s.dialect.alive(ctx, db)
}

// waiting notes that a statement waits for its answer, until done.
func (p *person) waiting() (done func()) {
	if !p.waits.CompareAndSwap(0, time.Now().UnixNano()) {
		return func() {} // a statement within another's
	}
	return func() { p.waits.Store(0) }
}

// reads runs f, which only reads: for a person within bounds, and for others as it is. Indexes
// are followed if indexed says so; see dialect.byIndex.
func (s *Store) reads(ctx context.Context, indexed bool, f func(q sqlx.ExtContext) error) error {
	p := personOf(ctx)
	switch {
	case p == nil && indexed:
		return s.byIndex(ctx, f)
	case p == nil:
		return f(s.db)
	case s.dialect.lockWait == "":
		defer p.waiting()()
		return f(s.db)
	}
	return p.reads(ctx, indexed, f)
}

func (p *person) reads(ctx context.Context, indexed bool, f func(q sqlx.ExtContext) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.waiting()()
	p.wrote.Store(false)
	err := p.prepare(ctx, indexed)
	if err == nil {
		err = f(p.tx)
	}
	if err != nil {
		p.locked.Store(p.locked.Load() || p.store.dialect.isLocked(err))
		p.end() // it takes no statement any more
	}
	return err
}

// prepare begins the transaction that reads, unless one has begun, and has it plan as it should.
func (p *person) prepare(ctx context.Context, indexed bool) error {
	d := &p.store.dialect
	if p.tx != nil {
		if p.indexed == indexed {
			return nil
		}
		p.indexed = indexed
		_, err := p.tx.ExecContext(ctx, map[bool]string{true: d.byIndex, false: d.byCost}[indexed])
		return err
	}
	conn, wait, err := p.connect(ctx)
	if err != nil {
		return err
	}
	p.conn, p.indexed = conn, indexed
	if p.tx, err = conn.BeginTxx(p.ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return err
	}
	settings := "SELECT "
	if indexed {
		settings = d.byIndex + ", "
	}
	_, err = p.tx.ExecContext(ctx, settings+d.lockWait, milliseconds(wait))
	return err
}

// endReads gives back the connection that was read over.
func (p *person) endReads() {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.waiting()() // for the end of the transaction, which the server has to say too
	p.end()
}

func (p *person) end() {
	if p.tx != nil {
		_ = p.tx.Rollback() // nothing was written
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
	p.tx, p.conn = nil, nil
}

// connect takes a connection of those for persons, and says how long what it does may wait for
// what is locked.
func (p *person) connect(ctx context.Context) (*sqlx.Conn, time.Duration, error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, personWaits+aliveEvery)
	defer cancel()
	c, err := p.store.people.Connx(limited)
	if err != nil {
		if limited.Err() == nil || ctx.Err() != nil {
			return nil, 0, err
		}
		if l := p.store.holders.last(); l != nil { // those who have the connections have waited for it
			return nil, 0, l
		}
		return nil, 0, fmt.Errorf("the database gave no connection within %s: %w", personWaits+aliveEvery, context.DeadlineExceeded)
	}
	if p.locked.Load() {
		return c, leastWait, nil
	}
	return c, max(personWaits-time.Since(began), leastWait), nil
}

// milliseconds is how Postgres reads a time limit.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
