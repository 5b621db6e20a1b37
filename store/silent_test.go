package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/store"
)

func TestAServerThatIsSilentKeepsNobody(t *testing.T) {
	t.Parallel()
	server := servertest.PostgresServer(t)
	s := migrated(t, server.URL)
	waiting := boats(t, s, 1)[0]
	for range 3 { // connections that are there already
		must(t, s.ForPerson(t.Context(), reads(s)["List"]))
	}
	must(t, server.Freeze())
	t.Cleanup(func() { _ = server.Thaw() }) // it may run again
	var asking sync.WaitGroup
	for name, ask := range map[string]func(ctx context.Context) error{
		"List":        func(ctx context.Context) error { return s.ForPerson(ctx, reads(s)["List"]) },
		"WorkersSeen": func(ctx context.Context) error { return s.ForPerson(ctx, reads(s)["WorkersSeen"]) },
		"Insert":      func(ctx context.Context) error { return s.ForPerson(ctx, reads(s)["Insert"]) },
		"Cancel":      func(ctx context.Context) error { _, err := s.Cancel(ctx, waiting.Seen()); return err },
		"ReadyNow":    s.ReadyNow,
		"Open": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := store.Open(ctx, server.URL)
			return err
		},
		"A statement of anybody whose context ends": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			return reads(s)["List"](ctx)
		},
	} {
		asking.Go(func() {
			var err error
			soonEnded(t, func(ctx context.Context) error { err = ask(ctx); return nil })
			if err == nil || !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*store.Locked)) || strings.Contains(err.Error(), "table") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	asking.Wait()
	must(t, server.Thaw())
	must(t, s.ForPerson(t.Context(), reads(s)["List"]))
	got, err := s.Get(t.Context(), waiting.ID)
	must(t, err)
	if got.Status != "pending" {
		t.Errorf("the task is %s", got.Status)
	}
}

func TestWhoHasReadIsNotKeptByAServerThatIsSilentSince(t *testing.T) {
	t.Parallel()
	server := servertest.PostgresServer(t)
	s := migrated(t, server.URL)
	t.Cleanup(func() { _ = server.Thaw() })
	soonEnded(t, func(ctx context.Context) error {
		return s.ForPerson(ctx, func(ctx context.Context) error {
			if err := reads(s)["List"](ctx); err != nil {
				return err
			}
			return server.Freeze()
		})
	})
}

// hangingCommits has every commit of a write of tasks hang, until it is cancelled.
func hangingCommits(t *testing.T, s *store.Store) {
	for _, q := range []string{"CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER hangs AFTER INSERT OR UPDATE ON image_generations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang()"} {
		_, err := s.DB().Exec(q)
		must(t, err)
	}
}

func TestOfACommitThatHangsNobodySaysThatNothingWasChanged(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	waiting := boats(t, s, 1)[0]
	hangingCommits(t, s)
	for name, word := range map[string]func(ctx context.Context) error{
		"Insert": func(ctx context.Context) error { return s.ForPerson(ctx, reads(s)["Insert"]) },
		"Cancel": func(ctx context.Context) error { _, err := s.Cancel(ctx, waiting.Seen()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, err := s.DB().Begin() // it keeps the row, so that the word is not the first try
			must(t, err)
			_, err = app.Exec("SELECT FROM image_generations WHERE id = $1 FOR UPDATE", waiting.ID)
			must(t, err)
			time.AfterFunc(time.Second, func() { _ = app.Rollback() })
			soonEnded(t, func(ctx context.Context) error { err = word(ctx); return nil })
			if !errors.As(err, new(*store.Unsure)) || errors.As(err, new(*store.Locked)) || strings.Contains(err.Error(), "nothing was changed") {
				t.Error(err)
			}
		})
	}
}

func TestAWordThatIsSlowIsNotCalledLockedSinceItWasOnce(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	waiting := boats(t, s, 1)[0]
	for _, q := range []string{"CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$",
		"CREATE TRIGGER hangs BEFORE UPDATE ON image_generations FOR EACH ROW EXECUTE FUNCTION hang()"} {
		_, err := s.DB().Exec(q)
		must(t, err)
	}
	app, err := s.DB().Begin()
	must(t, err)
	_, err = app.Exec("SELECT FROM image_generations WHERE id = $1 FOR UPDATE", waiting.ID)
	must(t, err)
	time.AfterFunc(time.Second, func() { _ = app.Rollback() })
	soonEnded(t, func(ctx context.Context) error { _, err = s.Cancel(ctx, waiting.Seen()); return nil })
	if errors.As(err, new(*store.Locked)) || errors.As(err, new(*store.Unsure)) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Error(err)
	}
}

// soonEnded fails the test if f takes longer than a person waits for anything.
func soonEnded(t *testing.T, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := f(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("it took %s", took)
	}
}
