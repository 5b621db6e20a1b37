//go:build unix

// Package servertest gives tests real servers. A server that is not installed
// fails the test with the command that installs it.
//
// Nothing needs a TestMain: a server and its folder go when the test process
// ends, however it ends, because throwaway's guard sees to it.
package servertest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/throwaway"
)

// shared is the one PostgreSQL of this test process. Starting one takes about a
// second, a database in it a tenth of that.
var shared = sync.OnceValues(func() (*server, error) {
	ctx := context.Background()
	started, err := postgres(ctx, throwaway.Options{Settings: map[string]string{"max_connections": "200"}})
	if err != nil {
		return nil, err
	}
	return manage(started)
})

// server is one that databases are made in, over one connection, for each that is opened
// takes the server as long as a database does.
type server struct {
	*throwaway.Server
	byFiles string // how CREATE DATABASE copies files, in a quarter of the time of a copy through the log

	mu   sync.Mutex
	conn driver.Conn
}

func manage(started *throwaway.Server) (*server, error) {
	s := &server{Server: started, byFiles: " STRATEGY file_copy"}
	var err error
	if s.conn, err = pq.Open(s.URL); err != nil {
		return nil, err
	}
	version, err := s.version()
	if version < 150000 { // it knows no other way, and no word for it
		s.byFiles = ""
	}
	return s, err
}

func (s *server) execute(statement string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conn.(driver.ExecerContext).ExecContext(context.Background(), statement, nil); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func (s *server) version() (int64, error) {
	rows, err := s.conn.(driver.QueryerContext).QueryContext(context.Background(), "SELECT current_setting('server_version_num')::int", nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	first := make([]driver.Value, 1)
	if err := rows.Next(first); err != nil {
		return 0, err
	}
	return first[0].(int64), nil
}

// postgres is throwaway.Postgres from the files that the first one of this machine keeps.
func postgres(ctx context.Context, o throwaway.Options) (*throwaway.Server, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	o.Kept = filepath.Join(cache, "easel-tools")
	return throwaway.Postgres(ctx, o)
}

var databases atomic.Int64

// Postgres returns the URL of a new, empty database on a server that the tests
// of this process share. The database is dropped when t ends, with whoever is
// still connected to it.
func Postgres(t testing.TB) string {
	t.Helper()
	address, err := create("template0")
	if err != nil {
		t.Fatal(err)
	}
	drop(t, address)
	return address
}

// Template is a database on the shared server that is prepared once, and copied.
type Template struct {
	once func() (address string, err error)
}

// NewTemplate returns one that the first Copy has prepare prepare. It must leave
// no connection to the database open.
func NewTemplate(prepare func(address string) error) *Template {
	return &Template{sync.OnceValues(func() (string, error) {
		address, err := create("template0")
		if err != nil {
			return "", err
		}
		return address, prepare(address)
	})}
}

// Copy is Postgres, with all that the template holds in the new database.
func (p *Template) Copy(t testing.TB) string {
	t.Helper()
	original, err := p.once()
	if err != nil {
		t.Fatal(err)
	}
	address, err := create(nameIn(original))
	if err != nil {
		t.Fatal(err)
	}
	drop(t, address)
	return address
}

// create makes a database and returns its URL.
func create(template string) (string, error) {
	server, err := shared()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("easel_%d", databases.Add(1))
	u.Path = "/" + name
	return u.String(), server.execute("CREATE DATABASE " + name + " TEMPLATE " + template + server.byFiles)
}

// nameIn is the name of the database in a URL of ours.
func nameIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.Path[1:]
}

// drop drops the database when t ends.
func drop(t testing.TB, address string) {
	t.Cleanup(func() {
		server, err := shared()
		if err == nil {
			err = server.execute("DROP DATABASE " + nameIn(address) + " WITH (FORCE)")
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// PostgresServer returns a PostgreSQL of its own, for tests that kill or stop it.
func PostgresServer(t testing.TB) *throwaway.Server {
	t.Helper()
	return keep(t)(postgres(t.Context(), throwaway.Options{}))
}

// PgBouncer returns a connection pooler before the database at that address, which
// gives its three servers to transactions. Its URL names the same database.
func PgBouncer(t testing.TB, database string, settings map[string]string) *throwaway.Server {
	t.Helper()
	return keep(t)(throwaway.PgBouncer(t.Context(), database, throwaway.Options{Settings: settings}))
}

// PostgresClock returns a PostgreSQL of its own whose clock can be set.
func PostgresClock(t testing.TB) *throwaway.Server {
	t.Helper()
	return keep(t)(postgres(t.Context(), throwaway.Options{Clock: true}))
}

// Redis returns a Redis of its own. It keeps an append-only file, so that its
// data survive Kill and Restart.
func Redis(t testing.TB) *throwaway.Server {
	t.Helper()
	return keep(t)(throwaway.Redis(t.Context(), throwaway.Options{Durable: true}))
}

// S3 returns an S3 server of its own, without a bucket. Its keys are those of
// package throwaway.
func S3(t testing.TB) *throwaway.Server {
	t.Helper()
	return keep(t)(throwaway.S3(t.Context(), throwaway.Options{}))
}

// keep returns the started server and closes it when t ends.
func keep(t testing.TB) func(*throwaway.Server, error) *throwaway.Server {
	return func(s *throwaway.Server, err error) *throwaway.Server {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}
