package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/store/storetest"
	"github.com/easelqueue/easel/task"
)

// TestMain puts the tests into a zone far from UTC: a local time that slips into
// a row is half a day wrong then.
//
// Most tests wait for a server, so that several run at once.
func TestMain(m *testing.M) {
	servertest.AtOnce(6)
	time.Local = time.FixedZone("far", 13*3600)
	os.Exit(m.Run())
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, sqlite)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, postgres)
}

func sqlite(t testing.TB) *store.Store {
	return migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "new folder", "100% easel?.db"))
}

func postgres(t testing.TB) *store.Store { return open(t, tables.Postgres(t)) }

func open(t testing.TB, address string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address)
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

func migrated(t testing.TB, address string) *store.Store {
	t.Helper()
	s := open(t, address)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestInsertTxTakesSqlx(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *store.Store{"SQLite": sqlite, "Postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			driver := map[string]string{"SQLite": "sqlite", "Postgres": "postgres"}[name]
			tx, err := sqlx.NewDb(s.DB(), driver).BeginTxx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			tk := &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat", Parameters: map[string]string{"a": "1"}}}
			if _, err := s.InsertTx(t.Context(), tx, []*task.Task{tk}); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(t.Context(), tk.ID); err != nil || got.Parameters["a"] != "1" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestReadyBeforeMigrate(t *testing.T) {
	t.Parallel()
	addresses := map[string]string{"SQLite": "sqlite:" + filepath.Join(t.TempDir(), "easel.db"), "Postgres": servertest.Postgres(t)}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			s := open(t, address)
			if err := s.Ready(t.Context()); err != store.ErrNotMigrated {
				t.Errorf("before: %v", err)
			}
			if _, err := s.Insert(t.Context(), []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "a boat"}}}); !errors.Is(err, store.ErrNotMigrated) {
				t.Errorf("an insert before: %v", err)
			}
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("after: %v", err)
			}
		})
	}
}
