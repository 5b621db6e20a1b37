package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

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
			s.DB().SetMaxOpenConns(1 + len(starts)) // one of them is the app's: who judges stands in no line
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
	s.DB().SetMaxOpenConns(60)
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

func TestWhatIsOnlySlowMayGoOn(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	// An index that is built beside the work waits for whoever reads, and holds up nobody.
	reader, err := s.DB().Begin()
	must(t, err)
	_, err = reader.Exec("DECLARE everything CURSOR FOR SELECT id FROM image_generations")
	must(t, err)
	building, stop := context.WithCancel(t.Context())
	built := make(chan struct{})
	go func() {
		defer close(built)
		_, _ = s.DB().ExecContext(building, "CREATE INDEX CONCURRENTLY beside ON image_generations (prompt)")
	}()
	defer func() { stop(); <-built }()
	defer reader.Rollback()
	must(t, s.ForPerson(t.Context(), func(ctx context.Context) error {
		_, err := s.DB().ExecContext(ctx, "SELECT pg_sleep(7)")
		return err
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
