// Package store keeps tasks in SQL. The text of every statement is written once,
// in what Postgres and SQLite both know; what must differ is in dialect. Each
// exported method is one transaction of its own. The package publishes nothing and
// calls nobody.
package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/reflectx"

	"github.com/easelqueue/easel/migrations"
)

var (
	// ErrNotFound says that there is no such task.
	ErrNotFound = errors.New("no such task")
	// ErrFenced says that somebody else has taken the task since it was claimed:
	// whoever gets it must stop writing to the task.
	ErrFenced = errors.New("the task was taken over by another worker, a cancel or a retry")
	// ErrRefused says that the database will never take what was written: the error is about
	// the values.
	ErrRefused = errors.New("the database refuses what was written")
	// ErrNotMigrated says that easel's tables are missing or too old.
	ErrNotMigrated = errors.New("easel's tables are missing in this database, or older than this program: run `easel migrate up`")
)

// Store is a database with easel's tables. It is safe for concurrent use.
type Store struct {
	db      *sqlx.DB
	dialect dialect
	address string // of the pool; empty if the caller has set it up
	direct  string // past a connection pooler; address if none was named
	watch   watch
	people  *sqlx.DB // of persons' statements; db if the caller has set that up, and in a file
	holders holders

	oddPhotos atomic.Bool // the photo table is an app's own, of another shape
}

// Tx is a transaction of the caller: *sql.Tx and *sqlx.Tx are one.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func over(db *sqlx.DB, d dialect) *Store {
	db.Mapper = reflectx.NewMapperFunc("json", strings.ToLower)
	return &Store{db: db, people: db, dialect: d}
}

// Close ends all connections.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.people != s.db {
		err = errors.Join(err, s.people.Close())
	}
	return err
}

// DB is the connection pool, for migrations, tests and health checks.
func (s *Store) DB() *sql.DB { return s.db.DB }

// Dialect says which database this is.
func (s *Store) Dialect() migrations.Dialect { return s.dialect.name }

// Ready returns ErrNotMigrated if a table is missing, or a column that a former
// release did not have, and a *migrations.Foreign if the tables are an app's own.
func (s *Store) Ready(ctx context.Context) error {
	return s.unready(ctx, s.touchAll(ctx))
}

// ReadyNow is Ready for a command that a person waits for: a Locked if a table was locked for
// five seconds.
func (s *Store) ReadyNow(ctx context.Context) error {
	return s.unready(ctx, s.ForPerson(ctx, s.touchAll))
}

func (s *Store) touchAll(ctx context.Context) error {
	return s.reads(ctx, false, func(q sqlx.ExtContext) error { return s.touchTables(ctx, q) })
}

// touchTables names every table and column, and reads no row.
func (s *Store) touchTables(ctx context.Context, q sqlx.QueryerContext) error {
	for _, part := range []string{taskColumns + " FROM image_generations", attemptColumns + " FROM generation_attempt", resultColumns + " FROM generation_result",
		"1 FROM generation_parameter", "1 FROM generation_input", "1 FROM favorite", "1 FROM easel_worker"} {
		rows, err := q.QueryContext(ctx, "SELECT "+part+" LIMIT 0")
		if err != nil {
			return err
		}
		rows.Close()
	}
	return nil
}

// unready says what err, of touching the tables, tells of them.
func (s *Store) unready(ctx context.Context, err error) error {
	if err == nil || errors.As(err, new(*Locked)) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) { // it would not say either what tables it has
		return Redact(err)
	}
	if foreign := migrations.Strange(ctx, s.db.DB, s.dialect.name); foreign != nil {
		return foreign
	}
	if errors.Is(err, ErrNotMigrated) || s.dialect.isMissing(err) {
		return ErrNotMigrated
	}
	return Redact(err)
}

// refuses reports whether the database will never take what was written: its
// error is about the values.
func (s *Store) refuses(err error) bool { return err != nil && s.dialect.isRefused(err) }

// refused is an ErrRefused in the words of the database.
type refused struct{ error }

func (r refused) Is(target error) bool { return target == ErrRefused }
func (r refused) Unwrap() error        { return r.error }

func (s *Store) refusable(err error) error {
	if s.refuses(err) {
		return refused{err}
	}
	return err
}

// Now is the database's clock: the only one that leases and due times go by.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.reads(ctx, false, func(q sqlx.ExtContext) error {
		now, err = s.dialect.clock(ctx, q)
		return err
	})
	return now, err
}
