package store_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
)

// handedIn is a store over a pool of that many connections.
func handedIn(t *testing.T, connections int) *store.Store {
	t.Helper()
	address := tables.Postgres(t)
	db, err := sql.Open("postgres", address+"&binary_parameters=yes")
	must(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(connections)
	s, err := store.OpenDB(db, migrations.Postgres)
	must(t, err)
	return s
}

func heart(t *testing.T, s *store.Store) *store.HeartbeatConn {
	t.Helper()
	h, err := s.OpenHeartbeat(time.Minute)
	must(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

func TestOwnConnections(t *testing.T) {
	t.Parallel()
	t.Run("The only connection of a pool that was handed in is not kept, so that nobody waits for it for ever", func(t *testing.T) {
		s := handedIn(t, 1)
		h := heart(t, s)
		for range 3 {
			soon(t, "a heartbeat", func(ctx context.Context) error { return h.Heartbeat(ctx, store.Worker{ID: "first"}, time.Minute) })
			soon(t, "another statement", func(ctx context.Context) error { _, err := s.Workers(ctx); return err })
		}
	})
	t.Run("Of a larger one it keeps its own", func(t *testing.T) {
		s := handedIn(t, 2)
		must(t, heart(t, s).Heartbeat(t.Context(), store.Worker{ID: "first"}, time.Minute))
		if n := s.DB().Stats().InUse; n != 1 {
			t.Errorf("%d connections are kept", n)
		}
	})
	t.Run("A heartbeat leaves a server that takes no writes any more", func(t *testing.T) {
		s := postgres(t)
		h := heart(t, s)
		mode := func(readOnly string) {
			_, err := s.DB().Exec("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = " + readOnly + "'; END $$")
			must(t, err)
		}
		mode("on")
		if err := h.Heartbeat(t.Context(), store.Worker{ID: "first"}, time.Minute); err == nil {
			t.Fatal("the server takes writes")
		}
		mode("off")
		must(t, h.Heartbeat(t.Context(), store.Worker{ID: "first"}, time.Minute))
	})
}
