package store_test

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/store/storetest"
)

// pooled is a store behind a pooler that gives three servers to transactions, and
// the pooler's address.
func pooled(t testing.TB, database string) (*store.Store, string) {
	t.Helper()
	pooler := servertest.PgBouncer(t, database, nil).URL
	s, err := store.OpenDirect(t.Context(), pooler, database)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	_, err = s.Migrate(t.Context())
	must(t, err)
	return s, pooler
}

// asOwner is the address of a database for a user whose tables lie in a schema
// that only that user's search_path names.
func asOwner(t testing.TB) string {
	t.Helper()
	address := servertest.Postgres(t)
	db := open(t, address).DB()
	for _, q := range []string{"DROP ROLE IF EXISTS painter_app", "CREATE ROLE painter_app LOGIN", "CREATE SCHEMA pictures AUTHORIZATION painter_app",
		"ALTER ROLE painter_app SET search_path = pictures", "REVOKE ALL ON SCHEMA public FROM public"} {
		_, err := db.Exec(q)
		must(t, err)
	}
	t.Cleanup(func() {
		_, err := db.Exec("DROP OWNED BY painter_app CASCADE; DROP ROLE painter_app")
		must(t, err)
	})
	u, err := url.Parse(address)
	must(t, err)
	u.User = url.User("painter_app")
	return u.String()
}

// TestPostgresBehindAPooler is of tables that only a search_path names; TestPostgresBatchedBehindAPooler
// of those in the public schema.
func TestPostgresBehindAPooler(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) *store.Store {
		s, _ := pooled(t, asOwner(t))
		var schema string
		must(t, s.DB().QueryRow("SELECT schemaname FROM pg_tables WHERE tablename = 'image_generations'").Scan(&schema))
		if schema != "pictures" {
			t.Fatalf("the tables lie in %s", schema)
		}
		return s
	})
}

func TestPoolerIsRecognised(t *testing.T) {
	t.Parallel()
	database := servertest.Postgres(t)
	for name, c := range map[string]struct {
		settings map[string]string
		want     store.Pooler
	}{
		"Transactions":                      {nil, store.TransactionPooler},
		"Transactions, servers in turn":     {map[string]string{"server_round_robin": "1"}, store.TransactionPooler},
		"Transactions, one server":          {map[string]string{"default_pool_size": "1"}, store.TransactionPooler},
		"Transactions, every setting taken": {map[string]string{"ignore_startup_parameters": "easel.knock"}, store.TransactionPooler},
		"Sessions":                          {map[string]string{"pool_mode": "session"}, store.SessionPooler},
		"Sessions, one server":              {map[string]string{"pool_mode": "session", "default_pool_size": "2"}, store.SessionPooler},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, servertest.PgBouncer(t, database, c.settings).URL)
			got, err := s.Pooler(t.Context())
			must(t, err)
			if got != c.want {
				t.Errorf("it looks like %q, not %q", got, c.want)
			}
		})
	}
	t.Run("None", func(t *testing.T) {
		if got, err := open(t, database).Pooler(t.Context()); err != nil || got != store.NoPooler {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestPoolThatMixesRowsIsRefused(t *testing.T) {
	t.Parallel()
	database := servertest.Postgres(t)
	pooler := servertest.PgBouncer(t, database, nil).URL
	refused := func(t *testing.T, s *store.Store, err error) {
		t.Helper()
		if err == nil {
			s.Close()
			t.Fatal("it was opened")
		}
		if !strings.Contains(err.Error(), "Write binary_parameters=yes") {
			t.Error(err)
		}
	}
	t.Run("Two round trips behind a pooler are refused", func(t *testing.T) {
		s, err := store.Open(t.Context(), pooler+"&binary_parameters=no")
		refused(t, s, err)
	})
	t.Run("Two round trips without a pooler are the user's choice", func(t *testing.T) {
		s, err := store.Open(t.Context(), database+"&binary_parameters=no")
		must(t, err)
		s.Close()
	})
	t.Run("A pool that was handed in makes one, or is refused", func(t *testing.T) {
		for address, ok := range map[string]bool{database: false, database + "&binary_parameters=yes": true} {
			db, err := sql.Open("postgres", address)
			must(t, err)
			defer db.Close()
			s, err := store.OpenDB(db, migrations.Postgres)
			if ok {
				must(t, err)
				continue
			}
			refused(t, s, err)
		}
	})
}

func TestWithoutADirectAddress(t *testing.T) {
	t.Parallel()
	database := tables.Postgres(t)
	s := open(t, servertest.PgBouncer(t, database, nil).URL)
	t.Run("Migrate names the variable", func(t *testing.T) {
		if _, err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "EASEL_DATABASE_DIRECT_URL") {
			t.Error(err)
		}
	})
	t.Run("Nobody listens on a server that is lent", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		must(t, s.Listen(ctx, func() { t.Error("woken") }))
		if n := listeners(t, s); n != 0 {
			t.Errorf("%d servers listen", n)
		}
	})
}

// listeners counts the database's processes whose last statement was LISTEN.
func listeners(t testing.TB, s *store.Store) (n int) {
	t.Helper()
	must(t, s.DB().QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").Scan(&n))
	return n
}

func TestListenGoesPastThePooler(t *testing.T) {
	t.Parallel()
	s, _ := pooled(t, tables.Postgres(t))
	ctx, cancel := context.WithCancel(t.Context())
	woken, done := make(chan struct{}, 100), make(chan error, 1)
	go func() { done <- s.Listen(ctx, func() { woken <- struct{}{} }) }()
	for heard := false; !heard; { // nobody says when it has begun to listen
		_, err := s.DB().Exec("INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a boat')")
		must(t, err)
		select {
		case <-woken:
			heard = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	must(t, <-done)
}
