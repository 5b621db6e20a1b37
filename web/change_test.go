package web

import (
	"context"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// listening is actions that only hear what it is asked to retry.
type listening struct {
	actions
	heard *store.Filter
}

func (l listening) RetryAll(_ context.Context, f store.Filter, _ bool, _ func(*task.Task)) (int, error) {
	*l.heard = f
	return 0, nil
}

func TestChange(t *testing.T) {
	t.Run("Retry brings the delivery back that the reader saw", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		w := b.post("/tasks/1/retry", url.Values{"delivery": {"0"}})
		if w.Code != 303 || w.Header().Get("Location") != "/tasks/1" || b.status(1) != task.Pending {
			t.Errorf("got %d to %q, the task is %s", w.Code, w.Header().Get("Location"), b.status(1))
		}
	})
	t.Run("A page from before the last retry retries nothing", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		again, err := b.store.Retry(t.Context(), task.Ref{Task: 1}, false)
		b.check(err)
		b.fail(again, task.Auth, "still no key")
		b.refuses(b.post("/tasks/1/retry", url.Values{"delivery": {"0"}}), 409, "has moved on")
		if got := b.status(1); got != task.Failed {
			t.Errorf("the task is %s", got)
		}
	})
	t.Run("What a status does not allow is refused in a sentence", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		b.refuses(b.post("/tasks/1/retry", url.Values{"delivery": {"0"}}), 409, "Task 1 is completed and cannot be retried")
		b.refuses(b.post("/tasks/1/cancel", nil), 409, "Task 1 is completed and cannot be cancelled")
		b.refuses(b.post("/tasks/9/cancel", nil), 404, "no such task")
	})
	t.Run("Cancel ends the task", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		if w := b.post("/tasks/1/cancel", nil); w.Code != 303 || w.Header().Get("Location") != "/tasks/1" || b.status(1) != task.Cancelled {
			t.Errorf("got %d, the task is %s", w.Code, b.status(1))
		}
	})
	t.Run("Only the box that is ticked says not charged", func(t *testing.T) {
		for box, want := range map[string]task.AttemptState{"": task.AttemptUnknown, "no": task.AttemptUnknown, "yes": task.AttemptRejected} {
			b := newBench(t)
			b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut")
			b.post("/tasks/1/retry", url.Values{"delivery": {"0"}, "not_charged": {box}})
			attempts, err := b.store.Attempts(t.Context(), 1)
			b.check(err)
			if got := attempts[0].State; got != want || b.status(1) != task.Pending {
				t.Errorf("%q: the attempt is %s, the task %s", box, got, b.status(1))
			}
		}
	})
	t.Run("A form without a delivery is refused", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		for _, delivery := range []string{"", "-1", "x"} {
			b.refuses(b.post("/tasks/1/retry", url.Values{"delivery": {delivery}}), 400, "delivery is")
		}
		b.refuses(b.post("/tasks/x/retry", url.Values{"delivery": {"0"}}), 400, "whole numbers")
		b.refuses(b.post("/tasks/x/cancel", nil), 400, "whole numbers")
	})
	t.Run("Retry of a kind never asks for what has not failed", func(t *testing.T) {
		b := newBench(t)
		var heard store.Filter
		b.site.Actions = listening{b.site.Actions, &heard}
		b.post("/failed/retry", url.Values{"kind": {"auth"}, "confirmed": {"yes"}})
		if d := cmp.Diff(store.Filter{Statuses: []task.Status{task.Failed}, Kinds: []task.Kind{task.Auth}}, heard); d != "" {
			t.Error(d)
		}
	})
}
