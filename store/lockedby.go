package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/easelqueue/easel/migrations"
)

// Locked says that somebody held what a person needs locked for as long as it was waited for.
// Nothing was changed. It is a row unless it says otherwise.
type Locked struct {
	Table   string // that is locked as a whole; empty if it is a row, or if that is not known
	Holder  string // the server's processes that hold it, with ", " between; empty if not known
	Migrate bool   // by who brings the tables to a new version
	File    bool   // SQLite, whose file somebody else writes to
	Unnamed bool   // it was no row, and had gone when it was looked for
	err     error
}

func (l *Locked) Error() string {
	switch {
	case l.File:
		return "somebody else has begun to write to the database's file and has not ended, so nothing was changed; try again when they have (an sqlite3 within BEGIN, or a copy that is being made, is the usual one)"
	case l.Migrate:
		return fmt.Sprintf("the table %s is being brought to a new version, so nothing was changed; try again when that is done", l.Table)
	case l.Table != "":
		return fmt.Sprintf("the table %s is locked by another transaction%s, so nothing was changed; try again when it has ended (pg_stat_activity shows what it does)", l.Table, l.Process())
	case l.Unnamed:
		return "another transaction has kept a table or a key locked for as long as this waits, so nothing was changed; try again (pg_stat_activity shows who is idle in transaction)"
	}
	return "another transaction holds the row of the task locked, so nothing was changed; try again when it has ended (pg_stat_activity shows who is idle in transaction, or has locked the whole table)"
}

// Waits is what a process says that goes on when the lock is gone.
func (l *Locked) Waits() string {
	switch {
	case l.File:
		return "the database's file is being written to, by its change to a new version or by somebody else; this goes on when that has ended"
	case l.Migrate:
		return fmt.Sprintf("the table %s is being brought to a new version; this goes on when that is done, so do not end it", l.Table)
	}
	return fmt.Sprintf("the table %s is locked by another transaction%s; this goes on when it has ended (pg_stat_activity shows what it does)", l.Table, l.Process())
}

// Process names the server's processes in parentheses, after a space; empty if they are not known.
func (l *Locked) Process() string {
	if l.Holder == "" {
		return ""
	}
	return " (process " + l.Holder + " of the database server)"
}

func (l *Locked) Unwrap() error { return l.err }

// Unsure says that the database has not said whether it has done what it was asked to do: it may have.
type Unsure struct{ err error }

func (u *Unsure) Error() string {
	const sure = "the database has not said whether this was done, so it may have been: look before you ask for it again"
	if u.err == nil {
		return sure
	}
	return sure + " (" + Redact(u.err).Error() + ")"
}

func (u *Unsure) Unwrap() error { return u.err }

// lockedNow is a Locked with what can be found of it now that it was waited for in vain. wrote says
// that it was to be written, and slow that the answer did not come at once, as that about a row does.
func (s *Store) lockedNow(ctx context.Context, wrote, slow bool, err error) *Locked {
	l := &Locked{err: err}
	found, lookErr := s.holders.look(ctx, s, wrote)
	if lookErr != nil { // a busy server: somebody who has waited with us may have had an answer
		found = s.holders.last()
	}
	if found != nil {
		l.Table, l.Holder, l.Migrate = found.Table, found.Holder, found.Migrate
	}
	l.Unnamed = l.Table == "" && slow
	return l
}

// LockedTable returns the table of easel's that somebody holds, or is about to hold, locked against
// all who read, or says that a file is; nil if there is none.
func (s *Store) LockedTable(ctx context.Context) (*Locked, error) {
	return s.holders.look(ctx, s, false)
}

// lookAnew is how old what was found may be. Of many who have waited one looks.
const lookAnew = 500 * time.Millisecond

// holders is what was last found to be locked.
type holders struct {
	mu    sync.Mutex
	at    time.Time
	wrote bool
	found *Locked // nil if nothing was
	err   error   // why that is not known

	known   *Locked // what was last found
	knownAt time.Time
}

func (h *holders) look(ctx context.Context, s *Store, wrote bool) (*Locked, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wrote == wrote && time.Since(h.at) < lookAnew {
		return h.found, h.err
	}
	found, err := s.lookForHolders(ctx, wrote)
	if ctx.Err() != nil { // who has looked does not wait any more, which says nothing to others
		return found, err
	}
	h.at, h.wrote, h.found, h.err = time.Now(), wrote, found, err
	if err == nil {
		h.known, h.knownAt = found, h.at
	}
	return found, err
}

func (s *Store) lookForHolders(ctx context.Context, wrote bool) (*Locked, error) {
	ctx, cancel := context.WithTimeout(ctx, aliveLimit)
	defer cancel()
	db, done, err := s.apart()
	if err != nil {
		return nil, err
	}
	defer done()
	return s.dialect.holders(ctx, db, wrote)
}

// last is what was found by somebody who has waited at the same time; nil if nothing was.
func (h *holders) last() *Locked {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || time.Since(h.knownAt) > 2*personWaits {
		return nil
	}
	l := *h.known
	return &l
}

// apart returns a database to look at things from, past the pool and its connections. done closes it.
func (s *Store) apart() (db *sql.DB, done func(), err error) {
	if s.address == "" {
		return s.db.DB, func() {}, nil
	}
	own, err := s.impatientPool(aliveLimit)
	if err != nil {
		return nil, nil, Redact(err)
	}
	return own, func() { own.Close() }, nil
}

// holdersInPostgres finds the table of easel's, or the index of one, that is held in a way that keeps
// readers out, or whoever writes, and who holds it. A lock that is only asked for stands before all who
// come later, and so counts where none is held: who keeps it from being given is named. An index that is built beside the work keeps nobody out.
// A prepared transaction has no process.
func holdersInPostgres(ctx context.Context, db *sql.DB, wrote bool) (*Locked, error) {
	l := Locked{err: context.DeadlineExceeded}
	err := db.QueryRowContext(ctx, `
		SELECT c.relname, coalesce(string_agg(DISTINCT CAST(h.pid AS text), ', '), ''),
			coalesce(bool_or(EXISTS (SELECT 1 FROM pg_locks m WHERE m.locktype = 'advisory' AND m.granted AND m.pid = h.pid AND (CAST(m.classid AS bigint) << 32) + CAST(m.objid AS bigint) = $2)), false)
		FROM pg_locks l CROSS JOIN LATERAL unnest(CASE WHEN l.granted THEN ARRAY[l.pid] ELSE pg_blocking_pids(l.pid) END) AS h (pid)
			LEFT JOIN pg_index i ON i.indexrelid = l.relation JOIN pg_class c ON c.oid = coalesce(i.indrelid, l.relation)
		WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND c.oid IN (to_regclass('image_generations'), to_regclass('generation_attempt'), to_regclass('generation_result'), to_regclass('generation_parameter'),
				to_regclass('generation_input'), to_regclass('favorite'), to_regclass('easel_worker'))
			AND (l.mode = 'AccessExclusiveLock' OR $1::text = 'wrote' AND l.mode IN ('ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock'))
		GROUP BY c.relname, l.granted ORDER BY l.granted DESC, c.relname LIMIT 1`, map[bool]string{true: "wrote"}[wrote], int64(migrations.LockID)).Scan(&l.Table, &l.Holder, &l.Migrate)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, Redact(err)
	}
	return &l, nil
}

// holdersInSQLite finds only that the file is locked.
func holdersInSQLite(ctx context.Context, db *sql.DB, _ bool) (*Locked, error) {
	var l *Locked
	if err := answersSQLite(ctx, db); err != nil && !errors.As(err, &l) {
		return nil, err
	}
	return l, nil
}

// answersPostgres returns why the server gives no sign of life. One that refuses, since it has too
// many connections or is just starting, gives one.
func answersPostgres(ctx context.Context, db *sql.DB) error {
	var one int
	if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil && sqlState(err) == "" {
		return fmt.Errorf("the database is silent: it answers neither this nor a connection that asks it for a sign of life (%w): %w", Redact(err), context.DeadlineExceeded)
	}
	return nil
}

// answersSQLite returns a Locked if nobody can write.
func answersSQLite(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	switch {
	case err == nil:
		return tx.Rollback()
	case isBusy(err):
		return &Locked{File: true, err: err}
	}
	return err
}

// wasCancelled reports whether a statement ended with its context. Postgres says so in
// its own words (57014) to a statement that it had begun, and a wire that was cut in those of the network.
func wasCancelled(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || sqlState(err) == "57014"
}
