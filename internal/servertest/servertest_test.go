//go:build unix

package servertest

import (
	"database/sql"
	"net/url"
	"testing"
	"time"
)

func TestPostgres(t *testing.T) {
	t.Run("Every call returns a new, empty database on one server", func(t *testing.T) {
		one, two := Postgres(t), Postgres(t)
		if one == two {
			t.Fatalf("twice the same database: %s", one)
		}
		if a, b := parse(t, one), parse(t, two); a.Host != b.Host {
			t.Errorf("two servers: %s and %s", a.Host, b.Host)
		}
		run(t, one, "CREATE TABLE only_here (id int)")
		run(t, two, "CREATE TABLE only_here (id int)")
	})
	t.Run("Copies of a template hold what was prepared once, each for itself", func(t *testing.T) {
		prepared := 0
		template := NewTemplate(func(address string) error {
			prepared++
			db, err := sql.Open("postgres", address)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Exec("CREATE TABLE notes AS SELECT 1 AS n")
			return err
		})
		one, two := template.Copy(t), template.Copy(t)
		run(t, one, "INSERT INTO notes VALUES (2)")
		run(t, two, "CREATE UNIQUE INDEX ON notes ((true))") // it has one row
		if prepared != 1 || one == two {
			t.Errorf("prepared %d times, copied to %s and %s", prepared, one, two)
		}
	})
	t.Run("A database is dropped although somebody is connected", func(t *testing.T) {
		var name string
		outer := t // outlives the database
		t.Run("user", func(t *testing.T) {
			server := Postgres(t)
			name = parse(t, server).Path[1:]
			open(outer, server)
		})
		s, err := shared()
		if err != nil {
			t.Fatal(err)
		}
		var found int
		if err := open(t, s.URL).QueryRow("SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&found); err != nil {
			t.Fatal(err)
		}
		if found != 0 {
			t.Errorf("database %s is still there", name)
		}
	})
	t.Run("What was committed survives a kill", func(t *testing.T) {
		s := PostgresServer(t)
		run(t, s.URL, "CREATE TABLE kept AS SELECT 1")
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, s.URL, "SELECT * FROM kept")
	})
}

func TestRedis(t *testing.T) {
	if a, b := Redis(t), Redis(t); a.URL == b.URL || a.Pid() == b.Pid() {
		t.Errorf("two tests share the Redis at %s", a.URL)
	}
}

// open returns connections of which one is in use, and stays so until t ends.
func open(t *testing.T, server string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	return db
}

func run(t *testing.T, server, statement string) {
	t.Helper()
	db := open(t, server)
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func parse(t *testing.T, server string) *url.URL {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestClock(t *testing.T) {
	server := PostgresClock(t)
	db, err := sql.Open("postgres", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // a session that is open sees it too
	for _, off := range []time.Duration{0, time.Minute, -time.Minute, 0} {
		if err := server.SetClock(off); err != nil {
			t.Fatal(err)
		}
		var now time.Time
		if err := db.QueryRow("SELECT now()").Scan(&now); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(now); (got - off).Abs() > 10*time.Second {
			t.Errorf("the clock is off by %s, want %s", got, off)
		}
	}
}
