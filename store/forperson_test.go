package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// reads is what pages and commands read, and what enqueue writes.
func reads(s *store.Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"List":        func(ctx context.Context) error { _, err := s.List(ctx, store.Filter{}); return err },
		"Tally":       func(ctx context.Context) error { _, err := s.Tally(ctx, store.Filter{}); return err },
		"WorkersSeen": func(ctx context.Context) error { _, err := s.WorkersSeen(ctx); return err },
		"Insert": func(ctx context.Context) error {
			_, err := s.Insert(ctx, []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "a boat"}}})
			return err
		},
	}
}

func TestWhatAPersonStartsEndsWhileATableIsLocked(t *testing.T) {
	for table, starts := range map[string][]string{"image_generations": {"List", "Tally", "Insert"}, "easel_worker": {"WorkersSeen"}} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := postgres(t)
			app, err := s.DB().Begin()
			must(t, err)
			defer app.Rollback()
			_, err = app.Exec("LOCK TABLE " + table)
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var asking sync.WaitGroup
			for _, name := range starts {
				asking.Go(func() {
					err := s.ForPerson(ctx, reads(s)[name])
					locked := new(store.Locked)
					if !errors.As(err, &locked) || ctx.Err() != nil || locked.Table != table || locked.Holder == "" {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			asking.Wait()
		})
	}
}

func TestWhoChangesTheTablesIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	for _, migrates := range []bool{false, true} {
		tx, err := s.DB().Begin()
		must(t, err)
		if migrates {
			_, err = tx.Exec("SELECT pg_advisory_xact_lock($1)", int64(migrations.LockID))
			must(t, err)
		}
		_, err = tx.Exec("LOCK TABLE image_generations")
		must(t, err)
		locked := new(store.Locked)
		if err := s.ForPerson(t.Context(), reads(s)["List"]); !errors.As(err, &locked) {
			t.Fatalf("migrates %t: %v", migrates, err)
		}
		if version := strings.Contains(locked.Waits(), "new version") && strings.Contains(locked.Error(), "new version"); locked.Table != "image_generations" || version != migrates || strings.Contains(locked.Waits(), "another transaction") == migrates {
			t.Errorf("migrates %t: %v; %s", migrates, locked, locked.Waits())
		}
		must(t, tx.Rollback())
	}
}

// They come one after the other, as pages do.
func TestManyWhoWaitForATableAreToldWhichItIs(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	_, err = app.Exec("LOCK TABLE image_generations")
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var asking sync.WaitGroup
	for i := range 50 {
		asking.Go(func() {
			<-time.After(time.Duration(i) * 5 * time.Millisecond)
			err := s.ForPerson(ctx, reads(s)["List"])
			locked := new(store.Locked)
			if !errors.As(err, &locked) || locked.Table != "image_generations" || locked.Holder == "" {
				t.Errorf("table %q, holder %q: %v", locked.Table, locked.Holder, err)
			}
		})
	}
	asking.Wait()
}

func TestAPersonWhoEnqueuesWaitsForAKeyOfAnOpenTransactionForSecondsOnly(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	keyed := func() []*task.Task {
		return []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "a boat", IdempotencyKey: "cover"}}}
	}
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	_, err = s.InsertTx(t.Context(), app, keyed())
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = s.ForPerson(ctx, func(ctx context.Context) error { _, err := s.Insert(ctx, keyed()); return err })
	if !errors.As(err, new(*store.Locked)) || ctx.Err() != nil {
		t.Error(err)
	}
}

// slowWorkers has every read of the workers take that many seconds.
func slowWorkers(t *testing.T, s *store.Store, seconds int) {
	for _, q := range []string{"ALTER TABLE easel_worker RENAME TO the_workers", fmt.Sprintf("CREATE VIEW easel_worker AS SELECT w.* FROM the_workers w RIGHT JOIN pg_sleep(%d) ON true WHERE w.id <> ''", seconds)} {
		_, err := s.DB().Exec(q)
		must(t, err)
	}
}

func TestWhatIsOnlySlowMayGoOn(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	slowWorkers(t, s, 8)
	// Somebody else of ours waits for a lock all the while.
	app, err := s.DB().Begin()
	must(t, err)
	_, err = app.Exec("LOCK TABLE image_generations")
	must(t, err)
	waiting, stop := context.WithCancel(t.Context())
	waited := make(chan struct{})
	go func() { defer close(waited); _ = reads(s)["List"](waiting) }() // which ends with stop
	defer func() { stop(); <-waited }()
	defer app.Rollback()
	began := time.Now()
	must(t, s.ForPerson(t.Context(), reads(s)["WorkersSeen"]))
	if took := time.Since(began); took < 8*time.Second {
		t.Errorf("it was not slow, and took %s", took)
	}
}

func TestAPersonIsToldWhatIsLockedWhoeverElseIsConnected(t *testing.T) {
	t.Parallel()
	behind := func(t *testing.T) *store.Store { s, _ := pooled(t, tables.Postgres(t)); return s }
	for name, open := range map[string]func(t *testing.T) *store.Store{
		"By another name past the pooler": func(t *testing.T) *store.Store {
			address := tables.Postgres(t)
			s, err := store.OpenDirect(t.Context(), address, address+"&application_name=other")
			must(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		},
		"Behind a pooler": behind,
		"While workers that wait for the table hold the whole pool": func(t *testing.T) *store.Store {
			s := postgres(t)
			s.DB().SetMaxOpenConns(1)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			app, err := s.DB().Begin()
			must(t, err)
			defer app.Rollback()
			_, err = app.Exec("LOCK TABLE image_generations")
			must(t, err)
			for what, write := range map[string]func(ctx context.Context) error{"List": reads(s)["List"], "Insert": reads(s)["Insert"],
				"MarkPublished": func(ctx context.Context) error { return s.MarkPublished(ctx, []task.Ref{{Task: 1}}) }} {
				err := s.ForPerson(t.Context(), write)
				if locked := new(store.Locked); !errors.As(err, &locked) || locked.Table != "image_generations" || locked.Holder == "" {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func TestAWriteOnlyWaitsForThoseWhoKeepWritersOut(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	_, err = app.Exec("LOCK TABLE image_generations IN SHARE MODE")
	must(t, err)
	must(t, s.ForPerson(t.Context(), reads(s)["List"]))
	err = s.ForPerson(t.Context(), reads(s)["Insert"])
	if locked := new(store.Locked); !errors.As(err, &locked) || locked.Table != "image_generations" {
		t.Error(err)
	}
}

func TestWhatAPersonReadsComesFromOneTransaction(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	const open = "SELECT coalesce(string_agg(CAST(xact_start AS text), ', '), '') FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
	var first, left string
	must(t, s.ForPerson(t.Context(), func(ctx context.Context) error {
		for _, read := range []string{"List", "Tally", "WorkersSeen", "List"} { // some follow indexes, and others do not
			must(t, reads(s)[read](ctx))
			var now string
			must(t, s.DB().QueryRow(open).Scan(&now))
			if first == "" {
				first = now
			}
			if now == "" || now != first {
				t.Errorf("after %s the transactions of %q are open, and first that of %q", read, now, first)
			}
		}
		return nil
	}))
	must(t, s.DB().QueryRow(open).Scan(&left))
	if left != "" {
		t.Errorf("those of %q are left open", left)
	}
}

func TestAPersonHasOneConnectionAtATime(t *testing.T) {
	t.Parallel()
	s := handedIn(t, 1)
	soon(t, "reading, writing and reading again", func(ctx context.Context) error {
		return s.ForPerson(ctx, func(ctx context.Context) error {
			for _, step := range []string{"List", "Insert", "List"} {
				if err := reads(s)[step](ctx); err != nil {
					return fmt.Errorf("%s: %w", step, err)
				}
			}
			return s.MarkPublished(ctx, []task.Ref{{Task: 1}})
		})
	})
}

func TestWhatFollowsIndexesLeavesOthersTheirPlans(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	must(t, s.Heartbeat(t.Context(), store.Worker{ID: "first"}, time.Minute))
	for _, q := range []string{"ALTER TABLE easel_worker RENAME TO the_workers",
		"CREATE VIEW easel_worker AS SELECT id, host, pid, current_setting('enable_seqscan') || current_setting('enable_sort') AS version, providers, started_at, seen_at, lease_until FROM the_workers"} {
		_, err := s.DB().Exec(q)
		must(t, err)
	}
	must(t, s.ForPerson(t.Context(), func(ctx context.Context) error {
		for range 2 {
			must(t, reads(s)["List"](ctx))
			workers, err := s.WorkersSeen(ctx)
			if err != nil || len(workers) != 1 || workers[0].Version != "onon" {
				t.Errorf("%+v, %v", workers, err)
			}
		}
		return nil
	}))
}

func TestSQLiteThatSomebodyWritesToIsLocked(t *testing.T) {
	t.Parallel()
	address := "sqlite:" + filepath.Join(t.TempDir(), "easel.db")
	s, app := migrated(t, address), open(t, address)
	waiting := boats(t, s, 1)[0]
	tx, err := app.DB().Begin()
	must(t, err)
	defer tx.Rollback()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var asking sync.WaitGroup
	for name, start := range map[string]func(s *store.Store) error{
		"a word":                         func(s *store.Store) error { _, err := s.Cancel(ctx, waiting.Seen()); return err },
		"enqueue":                        func(s *store.Store) error { return s.ForPerson(ctx, reads(s)["Insert"]) },
		"a page of a process that waits": func(s *store.Store) error { return behind(ctx, s) },
	} {
		s := open(t, address)
		asking.Go(func() {
			err := start(s)
			if locked := new(store.Locked); !errors.As(err, &locked) || ctx.Err() != nil || !locked.File {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	asking.Wait()
}

// behind reads while the pool's one connection waits to write.
func behind(ctx context.Context, s *store.Store) error {
	ctx, cancel := context.WithCancel(ctx)
	worker := make(chan struct{})
	go func() { defer close(worker); _ = reads(s)["Insert"](ctx) }() // which ends with ctx
	defer func() { cancel(); <-worker }()
	for s.DB().Stats().InUse == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return s.ForPerson(ctx, reads(s)["List"])
}
