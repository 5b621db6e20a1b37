package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver "postgres"

	"github.com/easelqueue/easel/migrations"
)

// personConnections are those that persons have beside the pool: workers that stand before a locked
// table may hold all of that.
const personConnections = 10

// Open connects to the database that address names: a postgres:// URL, or
// "sqlite:" and the path of a file, which is created with its folder if it is
// not there. It does not create tables; see Migrate.
func Open(ctx context.Context, address string) (*Store, error) {
	return OpenDirect(ctx, address, "")
}

// OpenDirect is Open for a database behind a connection pooler: what needs a
// session of its own (listening, migrations, a heartbeat) goes to direct, which
// names the same database past the pooler. Empty is no such address.
func OpenDirect(ctx context.Context, address, direct string) (*Store, error) {
	d, dsn, err := parse(address)
	if err != nil {
		return nil, err
	}
	db, err := d.open(dsn)
	if err != nil {
		return nil, fmt.Errorf("reach the database %s: %w", hostOf(address), Redact(err))
	}
	s := over(d.pool(db, d.connections), d)
	s.address, s.direct = dsn, dsn
	if d.name == migrations.Postgres {
		if db, err = d.open(dsn); err != nil {
			return nil, errors.Join(Redact(err), s.Close())
		}
		s.people = d.pool(db, personConnections)
		s.people.Mapper = s.db.Mapper
	}
	if err := s.reach(ctx, address, direct); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// open is sql.Open, for connections that end with their contexts and keep their statements where a
// driver's own do not.
func (d *dialect) open(dsn string) (*sql.DB, error) {
	if d.name == migrations.Postgres {
		return openPostgres(dsn)
	}
	return openSQLite(dsn)
}

func (d *dialect) pool(db *sql.DB, connections int) *sqlx.DB {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return sqlx.NewDb(db, d.driver)
}

// reach tries the addresses of a new store.
func (s *Store) reach(ctx context.Context, address, direct string) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database %s: %w", hostOf(address), Redact(err))
	}
	if s.dialect.name != migrations.Postgres {
		return nil
	}
	if direct != "" {
		d, dsn, err := parse(direct)
		if err != nil || d.name != migrations.Postgres {
			return errors.New("the direct address of the database is not postgres://USER:PASSWORD@HOST/NAME")
		}
		s.direct = dsn
	}
	return s.checkPool(ctx)
}

// checkPool refuses a pool in which one statement may read another's rows.
func (s *Store) checkPool(ctx context.Context) error {
	safe, err := oneRoundTrip(ctx, s.db.DB)
	if err != nil {
		return fmt.Errorf("try the database: %w", Redact(err))
	}
	if safe {
		return nil
	}
	pooler := TransactionPooler // of a pool that was handed in nothing else is known
	if s.address != "" {
		if pooler, err = s.Pooler(ctx); err != nil {
			return err
		}
	}
	if pooler != TransactionPooler {
		return nil
	}
	return errors.New("use this pool: it sends a statement and its parameters in two parts, between which a connection pooler may give " +
		"the server to somebody else, and rows get mixed up. Write binary_parameters=yes in the address of the database")
}

// oneRoundTrip reports whether a statement and its parameters go to the server
// together. lib/pq does that exactly if it sends bytes in binary, and four bytes
// read as a number say whether it did. Other drivers refuse bytes for a number, or
// the server does that cannot read what they send.
func oneRoundTrip(ctx context.Context, db *sql.DB) (bool, error) {
	var n int64
	err := db.QueryRowContext(ctx, "SELECT CAST($1 AS integer)", []byte("1234")).Scan(&n)
	if err == nil {
		return n != 1234, nil
	}
	if state := sqlState(err); ctx.Err() != nil || state != "" && !strings.HasPrefix(state, "22") {
		return false, err
	}
	return true, db.PingContext(ctx)
}

// OpenDB is Open with a pool that the caller has set up, for a driver of its own
// that wraps ours. SQLite's must open its connections after OpenDB, which gives
// SQLite its clock. Without an address there is nothing to Listen to. A Postgres
// pool of lib/pq must have binary_parameters=yes in its address: it is asked a
// question to see that, for ten seconds at most, and refused otherwise.
func OpenDB(db *sql.DB, name migrations.Dialect) (*Store, error) {
	if name != migrations.Postgres {
		d, err := sqliteDialect()
		if err != nil {
			return nil, err
		}
		return over(sqlx.NewDb(db, d.driver), d), nil
	}
	d := postgres()
	d.notifies = false
	s := over(sqlx.NewDb(db, d.driver), d)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.checkPool(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// dedicated opens up to n connections apart from the pool, which the caller
// closes: nobody else's statements stand before theirs. They go to the direct
// address if there is one. A store without an address has none to give.
func (s *Store) dedicated(n int) (*sql.DB, error) {
	if s.direct == "" {
		return nil, errors.New("a store over a pool that was handed in has no address for further connections")
	}
	db, err := s.dialect.open(s.direct)
	if err != nil {
		return nil, Redact(err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
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
	return postgres(), named(inOneRoundTrip(u)), nil
}

// named has the server show whose sessions these are, unless the address says otherwise.
func named(address string) string {
	return address + "&fallback_application_name=easel"
}

// inOneRoundTrip has lib/pq send a statement and its parameters together, unless
// the address says otherwise. Between two parts a connection pooler may hand the
// server to somebody else, and rows come back that are not ours.
func inOneRoundTrip(u *url.URL) string {
	if u.Query().Has("binary_parameters") {
		return u.String()
	}
	with := *u
	if with.RawQuery != "" {
		with.RawQuery += "&"
	}
	with.RawQuery += "binary_parameters=yes"
	return with.String()
}

// How long a connection waits for SQLite's one writer: others than the heartbeat
// have nothing better to do.
const (
	sqliteWait     = "busy_timeout(10000)"
	sqliteBeatWait = "busy_timeout(1000)"
)

func sqliteDSN(path string) string {
	q := url.Values{"_time_format": {"sqlite"}, "_txlock": {"immediate"},
		"_pragma": {sqliteWait, "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "sqlite" {
		return address
	}
	host := cmp.Or(u.Host, u.Query().Get("host")) // the rest of the query may hold a password
	return host + u.Path
}

// Redact takes from a database error what may hold a password: drivers print
// the address they could not parse.
func Redact(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
