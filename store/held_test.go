package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestALockedTableKeepsAPersonForSecondsOnly(t *testing.T) {
	for table, words := range map[string][]string{
		"image_generations":  {"Retry", "Retry of what has not ended", "BuyAgain", "GiveUp", "Cancel", "Delete", "Look", "ReadyNow"},
		"generation_attempt": {"Retry", "BuyAgain", "GiveUp", "Look", "ReadyNow"},
	} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := postgres(t)
			both := boats(t, s, 2)
			failed, waiting := both[0], both[1]
			_, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET status = 'failed', error_kind = 'outcome_unknown' WHERE id = $1", failed.ID)
			must(t, err)
			failed, err = s.Get(t.Context(), failed.ID)
			must(t, err)
			app, err := s.DB().Begin()
			must(t, err)
			defer app.Rollback()
			_, err = app.Exec("LOCK TABLE " + table)
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ask := map[string]func() error{
				"Retry":                       func() error { _, err := s.Retry(ctx, failed.Seen(), true); return err },
				"Retry of what has not ended": func() error { _, err := s.Retry(ctx, waiting.Seen(), false); return err },
				"BuyAgain":                    func() error { _, err := s.BuyAgain(ctx, failed.Seen()); return err },
				"GiveUp":                      func() error { _, err := s.GiveUp(ctx, failed.Seen(), nil); return err },
				"Cancel":                      func() error { _, err := s.Cancel(ctx, waiting.Seen()); return err },
				"Delete":                      func() error { return s.Delete(ctx, failed.ID) },
				"Look":                        func() error { _, err := s.Look(ctx, failed.ID); return err },
				"ReadyNow":                    func() error { return s.ReadyNow(ctx) },
			}
			var asking sync.WaitGroup
			for _, word := range words {
				asking.Go(func() {
					if err := ask[word](); !errors.As(err, new(*store.Locked)) || ctx.Err() != nil {
						t.Errorf("%s: %v", word, err)
					}
				})
			}
			asking.Wait()
		})
	}
}

func TestWhoHasWaitedForARowWaitsForATableNoWholeTimeMore(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	failed := boats(t, s, 1)[0]
	_, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET status = 'failed', error_kind = 'outcome_unknown' WHERE id = $1", failed.ID)
	must(t, err)
	failed, err = s.Get(t.Context(), failed.ID)
	must(t, err)
	table, err := s.DB().Begin()
	must(t, err)
	defer table.Rollback()
	_, err = table.Exec("LOCK TABLE generation_attempt")
	must(t, err)
	row, err := s.DB().Begin()
	must(t, err)
	defer row.Rollback()
	_, err = row.Exec("SELECT 1 FROM image_generations WHERE id = $1 FOR UPDATE", failed.ID)
	must(t, err)
	defer time.AfterFunc(3500*time.Millisecond, func() { row.Rollback() }).Stop()
	if _, err := s.GiveUp(t.Context(), failed.Seen(), nil); !errors.As(err, new(*store.Locked)) {
		t.Error(err)
	}
}

func TestAFullPoolIsNoLock(t *testing.T) {
	t.Parallel()
	s := handedIn(t, 1)
	waiting := boats(t, s, 1)[0]
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	_, err = s.Cancel(t.Context(), waiting.Seen())
	if errors.As(err, new(*store.Locked)) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAnAppsOpenDeleteDelaysItsOwnCallsOnly(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	var calls []*task.Attempt
	for _, tk := range boats(t, s, 8) {
		c := claimed(t, s, tk)
		a := &task.Attempt{Key: fmt.Sprint("key ", tk.ID), Provider: "painter"}
		must(t, tables.Begin(t.Context(), s, c, a))
		calls = append(calls, a)
	}
	for _, a := range calls[6:] {
		answered := *a
		answered.State = task.AttemptAnswered
		must(t, tables.Err(s.Record(t.Context(), store.Answered{Held: task.Token{Task: a.TaskID}, Attempt: answered})))
	}
	free := boats(t, s, 1)[0]
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	_, err = app.Exec("DELETE FROM image_generations WHERE id <> $1", free.ID)
	must(t, err)
	s.DB().SetMaxOpenConns(2) // one of them is the app's
	var saving sync.WaitGroup
	for _, write := range []func(a *task.Attempt) error{
		func(a *task.Attempt) error {
			return tables.Err(s.Record(t.Context(), store.Answered{Held: task.Token{Task: a.TaskID}, Attempt: *a}))
		},
		func(a *task.Attempt) error { return tables.Err(s.Record(t.Context(), store.AttemptEnded{Attempt: *a})) },
		func(a *task.Attempt) error {
			_, err := s.Record(t.Context(), store.AttemptEndedIf{Attempt: *a, State: task.AttemptSending})
			return err
		},
		func(a *task.Attempt) error {
			return tables.Err(s.Record(t.Context(), store.Collected{Attempt: tables.WithRaw(a, nil)}))
		},
	} {
		for range 2 {
			a := *calls[0]
			calls = calls[1:]
			a.State = task.AttemptAnswered
			saving.Go(func() {
				if err := write(&a); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for range 20 {
		soon(t, "a whole step of another task", func(ctx context.Context) error {
			return s.Release(ctx, claimed(t, s, free).Token(), 0, "")
		})
	}
	must(t, app.Rollback())
	saving.Wait()
	var written int
	must(t, s.DB().QueryRow("SELECT count(*) FROM generation_attempt WHERE state = 'answered'").Scan(&written))
	if written != 8 {
		t.Errorf("%d of 8 calls were written once the app was done", written)
	}
}
