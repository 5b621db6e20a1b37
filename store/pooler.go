package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/migrations"
)

// Pooler is what stands between easel and a database server.
type Pooler string

const (
	NoPooler          Pooler = ""
	SessionPooler     Pooler = "session"     // a connection keeps its server for its whole life
	TransactionPooler Pooler = "transaction" // and here only for a transaction
)

const (
	// knock is a setting that a server takes from whoever connects and a pooler
	// refuses or drops.
	knock = "easel.knock"
	// poolerTries are how often two connections are looked at for a change of their servers.
	poolerTries = 5
	// poolerLimit is how long a second connection may wait for a server of its own.
	poolerLimit = 2 * time.Second
)

// Pooler looks whether a connection pooler stands at the address of the pool, and
// of which kind, with up to three connections of its own. SQLite has none.
func (s *Store) Pooler(ctx context.Context) (Pooler, error) {
	if s.dialect.name != migrations.Postgres || s.address == "" {
		return NoPooler, nil
	}
	return poolerAt(ctx, s.address)
}

// DirectPooler is Pooler for the direct address.
func (s *Store) DirectPooler(ctx context.Context) (Pooler, error) {
	if s.dialect.name != migrations.Postgres || s.direct == "" {
		return NoPooler, nil
	}
	return poolerAt(ctx, s.direct)
}

// HasDirect reports whether a direct address was named beside that of the pool.
func (s *Store) HasDirect() bool { return s.direct != s.address }

func poolerAt(ctx context.Context, address string) (Pooler, error) {
	answered, err := answersKnock(ctx, address)
	if err != nil || answered {
		return NoPooler, err
	}
	connector, err := pq.NewConnector(address)
	if err != nil {
		return NoPooler, Redact(err)
	}
	connector.Dialer(boundedDialer{})
	db := sql.OpenDB(connector)
	defer db.Close()
	return changesServers(ctx, db)
}

// boundedDialer makes connections that end after a time: a statement that waits in
// PgBouncer's line for a server does not notice that its context has ended.
type boundedDialer struct{}

func (boundedDialer) Dial(network, address string) (net.Conn, error) {
	return boundedDialer{}.DialTimeout(network, address, poolerLimit)
}

func (d boundedDialer) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (boundedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(2 * poolerLimit))
}

// answersKnock reports whether what we say when we connect reaches the server.
func answersKnock(ctx context.Context, address string) (bool, error) {
	cfg, err := pq.NewConfig(address)
	if err != nil {
		return false, Redact(err)
	}
	if cfg.Runtime == nil {
		cfg.Runtime = make(map[string]string)
	}
	cfg.Runtime[knock] = "here"
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return false, Redact(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var heard sql.NullString
	err = db.QueryRowContext(ctx, "SELECT current_setting('"+knock+"', true)").Scan(&heard)
	if err != nil && strings.Contains(err.Error(), knock) {
		return false, nil // PgBouncer: unsupported startup parameter
	}
	return heard.String == "here", Redact(err)
}

// changesServers tells the two kinds of poolers apart: only behind one that gives
// its servers to transactions do two open connections meet the same process, or
// one of them another than before while the other is within a transaction. Where others
// work too, one of them may take the very server that would have told: it looks again.
func changesServers(ctx context.Context, db *sql.DB) (Pooler, error) {
	first, err := db.Conn(ctx)
	if err != nil {
		return NoPooler, Redact(err)
	}
	defer first.Close()
	for range poolerTries {
		kind, err := serversOfTwo(ctx, db, first)
		if err != nil || kind != NoPooler {
			return kind, err
		}
	}
	return SessionPooler, nil
}

// serversOfTwo looks once, and returns NoPooler if nothing was to be seen.
func serversOfTwo(ctx context.Context, db *sql.DB, first *sql.Conn) (Pooler, error) {
	before, err := serverOf(ctx, first)
	if err != nil {
		return NoPooler, Redact(err)
	}
	waiting, cancel := context.WithTimeout(ctx, poolerLimit)
	defer cancel()
	tx, err := db.BeginTx(waiting, nil)
	if err != nil {
		return waited(ctx, waiting, err)
	}
	defer tx.Rollback()
	other, err := serverOf(waiting, tx)
	if err != nil {
		return waited(ctx, waiting, err)
	}
	if other == before {
		return TransactionPooler, nil
	}
	now, err := serverOf(ctx, first)
	if err != nil {
		return NoPooler, Redact(err)
	}
	if now != before {
		return TransactionPooler, nil
	}
	return NoPooler, nil
}

// waited is what it means that a second connection got no server: the first one
// keeps the only one there is.
func waited(ctx, waiting context.Context, err error) (Pooler, error) {
	if waiting.Err() != nil && ctx.Err() == nil {
		return SessionPooler, nil
	}
	return NoPooler, Redact(err)
}

func serverOf(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (pid int, err error) {
	err = db.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid)
	return pid, err
}

// errNoSession is why something is not done behind a pooler.
var errNoSession = errors.New("a connection pooler stands before the database that changes servers between transactions, and this needs one server for longer: " +
	"name the database's own address in EASEL_DATABASE_DIRECT_URL")

// Sessions returns a pool whose connections keep their server, for migrations: the
// direct address's, or ours if no pooler is in between. done gives it back.
func (s *Store) Sessions(ctx context.Context) (db *sql.DB, done func(), err error) {
	if s.HasDirect() {
		db, err := s.dedicated(2)
		if err != nil {
			return nil, nil, err
		}
		return db, func() { db.Close() }, nil
	}
	pooler, err := s.Pooler(ctx)
	if err != nil {
		return nil, nil, err
	}
	if pooler == TransactionPooler {
		return nil, nil, errNoSession
	}
	return s.db.DB, func() {}, nil
}

// Migrate brings the tables to the newest version.
func (s *Store) Migrate(ctx context.Context) ([]migrations.Migration, error) {
	db, done, err := s.Sessions(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate up: %w", err)
	}
	defer done()
	return migrations.Up(ctx, db, s.dialect.name)
}
