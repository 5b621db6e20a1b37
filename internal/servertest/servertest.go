//go:build unix

// Package servertest gives tests real servers. A server that is not installed
// fails the test with the command that installs it.
//
// Nothing needs a TestMain: a server and its folder go when the test process
// ends, however it ends, because throwaway's guard sees to it.
package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/lib/pq" // the driver behind CREATE DATABASE

	"github.com/easelqueue/easel/internal/throwaway"
)

// shared is the one PostgreSQL of this test process. Starting one takes about a
// second, a database in it a tenth of that.
var shared = sync.OnceValues(func() (*throwaway.Server, error) {
	return postgres(context.Background(), throwaway.Options{Settings: map[string]string{"max_connections": "200"}})
})

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
	how, err := byFiles()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("easel_%d", databases.Add(1))
	u.Path = "/" + name
	return u.String(), execute(server.URL, "CREATE DATABASE "+name+" TEMPLATE "+template+how)
}

// byFiles has a database copied by its files, which takes a quarter of the time of a
// copy through the log; before PostgreSQL 15 there is no other way.
var byFiles = sync.OnceValues(func() (string, error) {
	server, err := shared()
	if err != nil {
		return "", err
	}
	db, err := sql.Open("postgres", server.URL)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var version int
	if err := db.QueryRow("SELECT current_setting('server_version_num')::int").Scan(&version); err != nil || version < 150000 {
		return "", err
	}
	return " STRATEGY file_copy", nil
})

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
			err = execute(server.URL, "DROP DATABASE "+nameIn(address)+" WITH (FORCE)")
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

func execute(server, statement string) error {
	db, err := sql.Open("postgres", server)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
