package migrations

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/lib/pq"
	"github.com/pressly/goose/v3/lock"

	"github.com/easelqueue/easel/internal/servertest"
)

func TestWhoLooksAtTheChangesWaitsForNobodyWhoMakesThem(t *testing.T) {
	db, err := sql.Open("postgres", servertest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	maker, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer maker.Close()
	if _, err := maker.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if all, err := Status(ctx, db, Postgres); err != nil || len(all) == 0 || all[0].Applied {
		t.Errorf("%v, %v", all, err)
	}
}

func TestWorkersGoOnWhileTablesChange(t *testing.T) {
	db, err := sql.Open("postgres", servertest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	run := func(query string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TABLE busy (id int)")
	change := fstest.MapFS{"00001_change.sql": {Data: []byte("-- +goose Up\nALTER TABLE busy ADD COLUMN more int;\n-- +goose Down\nALTER TABLE busy DROP COLUMN more;\n")}}
	holder, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback()
	if _, err := holder.ExecContext(t.Context(), "SELECT count(*) FROM busy"); err != nil {
		t.Fatal(err)
	}

	t.Run("A change that does not get its table gives up with what to do, and changes nothing", func(t *testing.T) {
		_, err := up(t.Context(), db, Postgres, change, 1)
		if err == nil || !strings.Contains(err.Error(), "pg_stat_activity") || !strings.Contains(err.Error(), "lock timeout") {
			t.Errorf("%v", err)
		}
		var columns int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM information_schema.columns WHERE table_name = 'busy'").Scan(&columns); err != nil || columns != 1 {
			t.Errorf("%d columns (%v)", columns, err)
		}
	})

	t.Run("One that waits keeps nobody waiting for longer than its timeout, and is made when the table is free", func(t *testing.T) {
		done := make(chan error, 1)
		go func() {
			_, err := up(t.Context(), db, Postgres, change, lockTries)
			done <- err
		}()
		released := time.After(2 * (lockTimeout + lockPause))
		for longest := time.Duration(0); ; {
			began := time.Now()
			run("INSERT INTO busy (id) VALUES (1)")
			if longest = max(longest, time.Since(began)); longest > lockTimeout+time.Second {
				t.Fatalf("a worker's insert waited %s", longest)
			}
			select {
			case <-released:
				if longest < lockTimeout/2 {
					t.Errorf("the longest wait was %s: the change cannot have been tried", longest)
				}
				if err := holder.Commit(); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
				return
			default:
			}
		}
	})

	t.Run("The connection is given back as it was", func(t *testing.T) {
		db.SetMaxOpenConns(1)
		var timeout string
		if err := db.QueryRowContext(t.Context(), "SHOW lock_timeout").Scan(&timeout); err != nil || timeout != "0" {
			t.Errorf("lock_timeout is %s (%v)", timeout, err)
		}
	})
}
