package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// boats stores n tasks.
func boats(t testing.TB, s *store.Store, n int) []*task.Task {
	t.Helper()
	tasks := make([]*task.Task, n)
	for i := range tasks {
		tasks[i] = &task.Task{Request: task.Request{Provider: "painter", Prompt: fmt.Sprint("boat ", i)}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a connection may never come free
	defer cancel()
	_, err := s.Insert(ctx, tasks)
	must(t, err)
	return tasks
}

func claimed(t testing.TB, s *store.Store, tk *task.Task) *task.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, refusal, err := s.Claim(ctx, tk.Ref(), "first", time.Minute)
	must(t, err)
	if refusal != nil {
		t.Fatalf("refused: %+v", refusal)
	}
	return c.Task
}

func refsOf(tasks []task.Task) (all []task.Ref) {
	for i := range tasks {
		all = append(all, tasks[i].Ref())
	}
	return all
}

// soon fails the test if f does not end within a time that no statement takes
// which waits for nobody.
func soon(t testing.TB, what string, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func TestPublishingHoldsNothing(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	boats(t, s, 40)
	s.DB().SetMaxOpenConns(2)
	t.Run("A delivery can be claimed before it is noted", func(t *testing.T) {
		did, err := s.PublishDue(t.Context(), store.UnpublishedPage{Limit: 10}, func(due []task.Task) ([]task.Ref, error) {
			soon(t, "the claim", func(ctx context.Context) error {
				c, refusal, err := s.Claim(ctx, due[0].Ref(), "first", time.Minute)
				if err == nil && c == nil {
					t.Errorf("refused: %+v", refusal)
				}
				return err
			})
			return refsOf(due), nil
		})
		must(t, err)
		if len(did.Found) != 10 || did.Noted != 9 {
			t.Errorf("found %d and noted %d", len(did.Found), did.Noted)
		}
	})
	t.Run("Two that publish the same note each delivery once", func(t *testing.T) {
		var inner store.PublishResult
		outer, err := s.PublishDue(t.Context(), store.UnpublishedPage{Limit: 100}, func(due []task.Task) (_ []task.Ref, err error) {
			inner, err = s.PublishDue(t.Context(), store.UnpublishedPage{Limit: 20}, func(due []task.Task) ([]task.Ref, error) { return refsOf(due), nil })
			return refsOf(due), err
		})
		must(t, err)
		if len(outer.Found) != 30 || inner.Noted != 20 || outer.Noted != 10 {
			t.Errorf("found %d, noted %d and %d", len(outer.Found), inner.Noted, outer.Noted)
		}
	})
}

// lockedRows is a database in which an app's open transaction holds the rows of
// some tasks: of processing ones, and of waiting ones that are published.
type lockedRows struct {
	*store.Store
	held, waiting []*task.Task
	failed        *task.Task
	app           *sql.Tx
}

func lockRows(t *testing.T) *lockedRows {
	l := &lockedRows{Store: postgres(t)}
	for _, tk := range boats(t, l.Store, 20) {
		l.held = append(l.held, claimed(t, l.Store, tk))
	}
	l.waiting = boats(t, l.Store, 20)
	var refs []task.Ref
	for _, tk := range l.waiting {
		refs = append(refs, tk.Ref())
	}
	must(t, l.MarkPublished(t.Context(), refs))
	l.failed = boats(t, l.Store, 1)[0]
	_, err := l.ArchiveNeverClaimed(t.Context(), []task.Ref{l.failed.Ref()}, &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"})
	must(t, err)
	app, err := l.DB().Begin()
	must(t, err)
	t.Cleanup(func() { _ = app.Rollback() })
	_, err = app.Exec("UPDATE image_generations SET metadata = 'mine'")
	must(t, err)
	l.app = app
	l.DB().SetMaxOpenConns(4) // one of them is the app's
	return l
}

func TestAnAppsLockDelaysItsOwnRowsOnly(t *testing.T) {
	t.Parallel()
	l := lockRows(t)
	whole, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var saving sync.WaitGroup
	writes := map[string]func(tk *task.Task) error{
		"Release": func(tk *task.Task) error { return l.Release(whole, tk.Token(), 0, "") },
		"Decided": func(tk *task.Task) error {
			return tables.Err(l.Finish(whole, store.Decided{Held: tk.Token(), Decision: task.Decision{Status: task.Pending, Failure: &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted, Message: "away"}}}))
		},
		"Begin": func(tk *task.Task) error {
			return tables.Begin(whole, l.Store, tk, &task.Attempt{Key: fmt.Sprint("key ", tk.ID), Provider: "painter"})
		},
		"Switched": func(tk *task.Task) error {
			return tables.Err(l.Finish(whole, store.Switched{Held: tk.Token(), To: task.Fallback{Provider: "rival"}, Rest: "", Reason: "away"}))
		},
		"LearntLate": func(tk *task.Task) error { return tables.Err(l.Record(whole, store.LearntLate{Task: tk.ID})) },
	}
	i := 0
	for range 4 {
		for name, write := range writes {
			tk := l.held[i]
			i++
			saving.Go(func() {
				if err := write(tk); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	t.Run("A claim of a locked row comes back at once and says why", func(t *testing.T) {
		for _, tk := range l.waiting {
			soon(t, "the claim", func(ctx context.Context) error {
				c, refusal, err := l.Claim(ctx, tk.Ref(), "second", time.Minute)
				if err == nil && (c != nil || !refusal.Locked) {
					t.Errorf("claimed %v, refused %+v", c, refusal)
				}
				return err
			})
		}
	})
	t.Run("A delivery of a locked row is known for one before it is claimed", func(t *testing.T) {
		free := boats(t, l.Store, 1)[0]
		for tk, locked := range map[*task.Task]bool{l.waiting[0]: true, l.held[0]: false, l.failed: false, free: false, {ID: 1 << 40}: false} {
			soon(t, "looking ahead", func(ctx context.Context) error {
				next, err := l.Next(ctx, tk.Ref())
				if next.Locked != locked || !next.Buys() {
					t.Errorf("task %d: %+v", tk.ID, next)
				}
				return err
			})
		}
	})
	t.Run("What is about many leaves locked rows out and takes the others", func(t *testing.T) {
		free := boats(t, l.Store, 3)
		refs := []task.Ref{free[0].Ref(), free[1].Ref(), free[2].Ref()}
		for _, tk := range l.waiting {
			refs = append(refs, tk.Ref())
		}
		soon(t, "MarkPublished", func(ctx context.Context) error { return l.MarkPublished(ctx, refs) })
		soon(t, "MarkUnpublished", func(ctx context.Context) error { return l.MarkUnpublished(ctx, refs) })
		soon(t, "ResetPublished", func(ctx context.Context) error { _, err := l.ResetPublished(ctx); return err })
		soon(t, "Redeliver", func(ctx context.Context) error { return l.Redeliver(ctx, refs) })
		soon(t, "TakeCancelled", func(ctx context.Context) error { _, err := l.TakeCancelled(ctx, "first"); return err })
		soon(t, "ReclaimExpired", func(ctx context.Context) error { _, err := l.ReclaimExpired(ctx, 100); return err })
		soon(t, "ArchiveNeverClaimed", func(ctx context.Context) error {
			_, err := l.ArchiveNeverClaimed(ctx, refs, &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"})
			return err
		})
		got, err := l.Get(whole, free[0].ID)
		must(t, err)
		if got.Delivery != 1 {
			t.Errorf("a free task has delivery %d", got.Delivery)
		}
	})
	t.Run("Other tasks go on although twenty writes wait", func(t *testing.T) {
		for _, tk := range boats(t, l.Store, 20) {
			soon(t, "a whole step", func(ctx context.Context) error {
				return l.Release(ctx, claimed(t, l.Store, tk).Token(), 0, "")
			})
		}
	})
	t.Run("A write that waits ends with its context and says why", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := l.Release(ctx, l.held[0].Token(), 0, ""); err == nil || !strings.Contains(err.Error(), "another transaction holds the row of the task locked, so nothing was changed") {
			t.Error(err)
		}
	})
	t.Run("What a person asks for says after five seconds that the row is locked", func(t *testing.T) {
		failed, err := l.Get(whole, l.failed.ID)
		must(t, err)
		var asking sync.WaitGroup
		for name, ask := range map[string]func(tk *task.Task) error{
			"Retry": func(*task.Task) error {
				_, err := l.Retry(whole, failed.Seen(), false)
				return err
			},
			"BuyAgain": func(*task.Task) error { _, err := l.BuyAgain(whole, failed.Seen()); return err },
			"GiveUp":   func(*task.Task) error { _, err := l.GiveUp(whole, failed.Seen(), nil); return err },
			"Cancel":   func(tk *task.Task) error { _, err := l.Cancel(whole, task.Seen{Task: tk.ID}); return err },
			"Delete":   func(tk *task.Task) error { return l.Delete(whole, tk.ID) },
		} {
			tk := l.waiting[0]
			if name != "Cancel" {
				tk = l.failed
			}
			asking.Go(func() {
				if err := ask(tk); !errors.As(err, new(*store.Locked)) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		asking.Wait()
	})
	must(t, l.app.Commit())
	saving.Wait()
}

func TestDeadlockIsRepeated(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	_, err := s.DB().Exec("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET deadlock_timeout = ''3s'''; END $$")
	must(t, err)
	s.DB().SetMaxIdleConns(0) // whose connections are new from here on
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	raw := func(key string) error {
		_, err := app.Exec("INSERT INTO image_generations (provider, prompt, idempotency_key) VALUES ('painter', 'theirs', $1)", key)
		return err
	}
	_, err = app.Exec("SET LOCAL deadlock_timeout = '60s'") // so that the library's statement is the one to be ended
	must(t, err)
	must(t, raw("b"))
	done := make(chan error, 1)
	go func() {
		_, err := s.Insert(t.Context(), []*task.Task{
			{Request: task.Request{Provider: "painter", Prompt: "ours", IdempotencyKey: "a"}}, {Request: task.Request{Provider: "painter", Prompt: "ours", IdempotencyKey: "b"}}})
		done <- err
	}()
	for waiting := 0; waiting == 0; { // for the app's b
		must(t, s.DB().QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting))
	}
	must(t, raw("a")) // waits for ours, until the server has ended that
	must(t, app.Rollback())
	must(t, <-done)
}

func TestRefusesWhatBreaksAConstraint(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *store.Store{"SQLite": sqlite, "Postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			tk := claimed(t, s, boats(t, s, 1)[0])
			key := &task.Attempt{Key: "one key", Provider: "painter"}
			must(t, tables.Begin(t.Context(), s, tk, key))
			err := tables.Begin(t.Context(), s, tk, &task.Attempt{Key: "one key", Provider: "painter"})
			if !errors.Is(err, store.ErrRefused) {
				t.Errorf("%v is not said to be refused", err)
			}
			late, cancel := context.WithDeadline(t.Context(), time.Now())
			defer cancel()
			err = tables.Begin(late, s, tk, &task.Attempt{Key: "another key", Provider: "painter"})
			if err == nil || errors.Is(err, store.ErrRefused) {
				t.Errorf("%v of a database that does not answer is said to be a refusal", err)
			}
		})
	}
}
