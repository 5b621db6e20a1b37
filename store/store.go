// Package store keeps tasks in SQL. The text of every statement is written once,
// in what Postgres and SQLite both know; what must differ is in dialect. Each
// exported method is one transaction of its own. The package rings nothing and
// calls nobody.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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
	// ErrNotMigrated says that easel's tables are missing or too old.
	ErrNotMigrated = errors.New("easel's tables are missing in this database, or older than this program: run `easel migrate up`")
)

// Store is a database with easel's tables. It is safe for concurrent use.
type Store struct {
	db      *sqlx.DB
	dialect dialect
	address string
}

// Tx is a transaction of the caller: *sql.Tx and *sqlx.Tx are one.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Open connects to the database that address names: a postgres:// URL, or
// "sqlite:" and the path of a file, which is created with its folder if it is
// not there. It does not create tables; see Migrate.
func Open(ctx context.Context, address string) (*Store, error) {
	d, dsn, err := parse(address)
	if err != nil {
		return nil, err
	}
	db, err := sqlx.Open(d.driver, dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", Redact(err))
	}
	db.SetMaxOpenConns(d.connections)
	db.SetMaxIdleConns(d.connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("reach the database %s: %w", hostOf(address), Redact(err))
	}
	s := over(db, d)
	s.address = dsn
	return s, nil
}

// OpenDB is Open with a pool that the caller has set up, for a driver of its own
// that wraps ours. SQLite's must open its connections after OpenDB, which gives
// SQLite its clock. Without an address there is nothing to Listen to.
func OpenDB(db *sql.DB, name migrations.Dialect) (*Store, error) {
	d, err := sqliteDialect()
	if name == migrations.Postgres {
		d, err = postgres(), nil
		d.notifies = false
	}
	if err != nil {
		return nil, err
	}
	return over(sqlx.NewDb(db, d.driver), d), nil
}

func over(db *sqlx.DB, d dialect) *Store {
	db.Mapper = reflectx.NewMapperFunc("json", strings.ToLower)
	return &Store{db: db, dialect: d}
}

// Close ends all connections.
func (s *Store) Close() error { return s.db.Close() }

// DB is the connection pool, for migrations, tests and health checks.
func (s *Store) DB() *sql.DB { return s.db.DB }

// Dialect says which database this is.
func (s *Store) Dialect() migrations.Dialect { return s.dialect.name }

// Migrate brings the tables to the newest version.
func (s *Store) Migrate(ctx context.Context) ([]migrations.Migration, error) {
	return migrations.Up(ctx, s.db.DB, s.dialect.name)
}

// Ready returns ErrNotMigrated if a table is missing, or a column that a former
// release did not have.
func (s *Store) Ready(ctx context.Context) error {
	for _, part := range []string{taskColumns + " FROM image_generations", attemptColumns + " FROM generation_attempt", resultColumns + " FROM generation_result",
		"1 FROM generation_parameter", "1 FROM generation_input", "1 FROM favorite", "1 FROM easel_worker"} {
		rows, err := s.db.QueryContext(ctx, "SELECT "+part+" LIMIT 0")
		if err != nil {
			if s.dialect.isMissing(err) {
				return ErrNotMigrated
			}
			return Redact(err)
		}
		rows.Close()
	}
	return nil
}

// Refuses reports whether the database will never take what was written: its
// error is about the values.
func (s *Store) Refuses(err error) bool { return err != nil && s.dialect.isRefused(err) }

// Now is the database's clock: the only one that leases and due times go by.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	return s.dialect.clock(ctx, s.db)
}

// in runs f in one transaction, again if the database asks for that. Two that
// are in each other's way do not come back at the same moment.
func (s *Store) in(ctx context.Context, f func(tx *sqlx.Tx) error) error {
	const tries = 6
	for n := 1; ; n++ {
		err := s.once(ctx, f)
		if err != nil && s.dialect.isMissing(err) {
			return fmt.Errorf("%w (%w)", ErrNotMigrated, err)
		}
		if n == tries || !s.dialect.isConflict(err) {
			return err
		}
		timer := time.NewTimer(rand.N(time.Duration(n) * 20 * time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
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

func parse(address string) (dialect, string, error) {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		if path == "" {
			return dialect{}, "", errors.New(`"sqlite:" names no file; write sqlite:PATH`)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return dialect{}, "", fmt.Errorf("create the folder of the database: %w", err)
		}
		d, err := sqliteDialect()
		return d, sqliteDSN(path), err
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return dialect{}, "", errors.New("the database address is neither postgres://USER:PASSWORD@HOST/NAME nor sqlite:PATH")
	}
	if u.Host == "" && u.Query().Get("host") == "" {
		return dialect{}, "", errors.New("the database address names no host")
	}
	return postgres(), address, nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "sqlite" {
		return address
	}
	host := cmp.Or(u.Host, u.Query().Get("host")) // the rest of the query may hold a password
	return host + u.Path
}
