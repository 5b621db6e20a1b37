package simulation

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/easelqueue/easel/internal/tables"
)

// database is the one SQLite behind all processes. Each process has a pool of
// sessions of its own, and whoever has the turn uses the only real connection:
// waiting for a channel is seen by the bubble, waiting for SQLite's lock is not.
type database struct {
	turn  chan struct{}
	real  driver.Conn
	kept  map[string]driver.Stmt
	ahead time.Duration // its clock, of all others; only who has the turn may look
}

func newDatabase() *database {
	return &database{turn: make(chan struct{}, 1), kept: make(map[string]driver.Stmt)}
}

// connect returns a pool for p.
func (w *world) connect(p *process) *sql.DB {
	db := sql.OpenDB(connector{w, p})
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	return db
}

type connector struct {
	w *world
	p *process
}

func (c connector) Driver() driver.Driver { return nil }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	s := &session{w: c.w, p: c.p}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.sessions[s] = true
	return s, nil
}

// open opens the real connection on first use, when the store has registered
// SQLite's clock. It begins as a copy of a file with easel's tables: to migrate takes
// as long as a whole life with one fault.
func (d *database) open() error {
	if d.real != nil {
		return nil
	}
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer pool.Close()
	d.real, err = pool.Driver().Open("file::memory:?_time_format=sqlite&_txlock=immediate&_pragma=foreign_keys(1)")
	if err != nil {
		return err
	}
	file, err := tables.File()
	if err != nil {
		return err
	}
	file = slices.Clone(file)
	file[18], file[19] = 1, 1 // its journal is no log beside it: memory has none
	return d.real.(interface{ Deserialize([]byte) error }).Deserialize(file)
}

func (d *database) close() {
	for _, s := range d.kept {
		s.Close()
	}
	if d.real != nil {
		d.real.Close()
	}
}

// session is one connection of a process to the database.
type session struct {
	w *world
	p *process

	mu     sync.Mutex // never held while anybody waits for time
	tx     driver.Tx  // open, and the turn is ours
	broken bool       // the open transaction was ended by the other side
	ops    []string   // what the open transaction did
	noted  []func()   // what goes into the history when it commits
}

// abandon ends the open transaction as if the connection had died.
func (s *session) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx != nil {
		s.end(s.tx.Rollback)
		s.broken = true
	}
}

// end closes the open transaction and gives the turn on.
func (s *session) end(how func() error) error {
	err := how()
	s.tx = nil
	<-s.w.db.turn
	return err
}

func (s *session) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.w.db.real.(driver.ConnBeginTx).BeginTx(context.Background(), driver.TxOptions{})
	if err != nil {
		<-s.w.db.turn
		return nil, err
	}
	s.tx, s.broken, s.ops, s.noted = tx, false, nil, nil
	if !s.p.running() { // frozen just now: freeze has not seen this transaction
		s.end(tx.Rollback)
		return nil, errLost
	}
	return transaction{s}, nil
}

// begin waits until the process may speak and has the turn.
func (s *session) begin(ctx context.Context) error {
	for {
		if err := s.p.pass(); err != nil {
			return err
		}
		if err := s.w.outageOfDatabase(ctx, s.p); err != nil {
			return err
		}
		select {
		case s.w.db.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.p.running() {
			return s.w.db.open()
		}
		<-s.w.db.turn
	}
}

// do runs one statement, alone or as part of the open transaction. What a
// process notes in the history happens when the database has it for certain.
func (s *session) do(ctx context.Context, query string, run func() (func(), error)) error {
	op := sqlOp(query)
	hindered := s.w.meet(s.p, false, op, "sql")
	if op == "heartbeat" {
		if err := s.p.beats(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.tx != nil || s.broken {
		defer s.mu.Unlock()
		switch {
		case s.broken:
			return errLost
		case hindered != nil:
			return hindered
		}
		note, err := run()
		s.ops = append(s.ops, op)
		s.noted = append(s.noted, note)
		return err
	}
	s.mu.Unlock()
	if err := s.begin(ctx); err != nil {
		return err
	}
	if hindered != nil {
		<-s.w.db.turn
		return hindered
	}
	note, err := run()
	<-s.w.db.turn
	if err == nil {
		note()
	}
	return s.told(err, op)
}

// told is the way of an answer back to the process.
func (s *session) told(err error, ops ...string) error {
	if lost := s.w.meet(s.p, true, append(ops, "sql")...); lost != nil {
		err = lost
	}
	if stop := s.p.pass(); stop != nil {
		return stop
	}
	return err
}

// sent is what of args reaches the database: times as the clock of the process
// shows them. Canaries among them are noted. An address with its signature may be
// kept in the journal, and nowhere else.
func (s *session) sent(query string, args []driver.NamedValue) []driver.NamedValue {
	canaries := []string{accountKey, signature}
	if sqlOp(query) == "answer" {
		canaries = canaries[:1]
	}
	for _, a := range args {
		s.w.book.spill("database", canaries, a.Value)
	}
	return s.p.shifted(args)
}

func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	call := s.w.now()
	args = s.sent(query, args)
	err = s.do(ctx, query, func() (func(), error) {
		result, err = s.w.db.exec(query, args)
		return s.w.book.noteExec(s.p, query, args, result, call), err
	})
	return result, err
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var found *rows
	call := s.w.now()
	args = s.sent(query, args)
	err := s.do(ctx, query, func() (note func(), err error) {
		found, err = s.w.db.query(query, args)
		return s.w.book.noteQuery(s.p, query, args, found, call), err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (s *session) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("statements are not prepared here")
}
func (s *session) Begin() (driver.Tx, error) {
	return s.BeginTx(context.Background(), driver.TxOptions{})
}

func (s *session) Close() error {
	s.abandon()
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	delete(s.p.sessions, s)
	return nil
}

// transaction is the open transaction of its session.
type transaction struct{ s *session }

func (t transaction) Commit() error {
	s := t.s
	hindered := s.w.meet(s.p, false, "commit")
	s.mu.Lock()
	switch {
	case s.tx == nil || s.broken:
		s.broken = false
		s.mu.Unlock()
		return errors.Join(errLost, s.p.pass())
	case hindered != nil:
		s.end(s.tx.Rollback)
		s.mu.Unlock()
		return hindered
	}
	err := s.end(s.tx.Commit)
	ops := append(s.ops, "commit")
	if err == nil {
		for _, note := range s.noted {
			note()
		}
	}
	s.mu.Unlock()
	return s.told(err, ops...)
}

func (t transaction) Rollback() error {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = false
	if s.tx == nil {
		return nil
	}
	return s.end(s.tx.Rollback)
}
