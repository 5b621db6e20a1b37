package app

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestTogether(t *testing.T) {
	broken := errors.New("broken")
	breaks := func(context.Context) error { return broken }
	lasts := func(ctx context.Context) error { <-ctx.Done(); return nil }
	// crew is a server whose handler waits until it is told to drain, beside others.
	crew := func(t *testing.T, ctx context.Context, server, helper loop) error {
		t.Helper()
		helped := false
		handles := func(draining <-chan struct{}) loop {
			return func(ctx context.Context) error {
				<-ctx.Done()
				<-draining
				synctest.Wait() // whatever else ends now has ended
				if helped {
					t.Error("support ended before the last handler")
				}
				return nil
			}
		}
		helps := func(ctx context.Context) error { <-ctx.Done(); helped = true; return nil }
		return together(ctx, func(draining <-chan struct{}) (servers, support []loop) {
			return []loop{server, handles(draining)}, []loop{helper, helps}
		})
	}
	for claim, c := range map[string]struct {
		server, helper loop
		stop           bool
		want           error
	}{
		"When one server fails, waiting handlers are told, and support ends last": {breaks, lasts, false, broken},
		"When support fails, waiting handlers are told":                           {lasts, breaks, false, broken},
		"When the process is to stop, waiting handlers are told":                  {lasts, lasts, true, nil},
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop {
					go cancel()
				}
				if err := crew(t, ctx, c.server, c.helper); !errors.Is(err, c.want) {
					t.Errorf("ended with %v, want %v", err, c.want)
				}
			})
		})
	}
}

func TestCancelFromTheDashboard(t *testing.T) {
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "easel.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := &App{Tasks: s, Client: &enqueue.Client{Tasks: s}}
	row := &task.Task{Request: task.Request{Provider: "sketch", Prompt: "x"}}
	if _, err := a.Client.Enqueue(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	id := row.ID
	cancelled, err := a.Client.Cancel(t.Context(), task.Seen{Task: id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Client.Retry(t.Context(), cancelled.Seen(), false); err != nil { // its delivery is the first now
		t.Fatal(err)
	}
	status := func() task.Status {
		t.Helper()
		row, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return row.Status
	}
	t.Run("A delivery that the task has left behind is ignored", func(t *testing.T) {
		a.cancelled(t.Context())(task.Ref{Task: id, Delivery: 0})
		if got := status(); got != task.Pending {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("The present delivery is cancelled", func(t *testing.T) {
		a.cancelled(t.Context())(task.Ref{Task: id, Delivery: 1})
		if got := status(); got != task.Cancelled {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("A task that is not there is ignored", func(t *testing.T) {
		a.cancelled(t.Context())(task.Ref{Task: 99})
	})
}
