package web

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// listening is actions that only hear what it is asked to look at.
type listening struct {
	actions
	heard *store.Filter
}

func (l listening) Retryable(_ context.Context, f store.Filter) ([]task.Seen, int, error) {
	*l.heard = f
	return nil, 0, nil
}

func TestChange(t *testing.T) {
	t.Run("Retry brings the delivery back that the reader saw", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		w := b.post("/tasks/1/retry", b.seen(1, url.Values{}))
		if w.Code != 303 || w.Header().Get("Location") != "/tasks/1" || b.status(1) != task.Pending {
			t.Errorf("got %d to %q, the task is %s", w.Code, w.Header().Get("Location"), b.status(1))
		}
	})
	t.Run("A page from before the last retry retries nothing", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		before := b.seen(1, nil)
		if w := b.post("/tasks/1/retry", before); w.Code != 303 {
			t.Errorf("got %d", w.Code)
		}
		b.refuses(b.post("/tasks/1/retry", before), 409, "it was failed, and is pending now")
		again, err := b.store.Get(t.Context(), 1)
		b.check(err)
		b.fail(again, task.Auth, "still no key")
		b.refuses(b.post("/tasks/1/retry", before), 409, "it was brought back meanwhile, and is failed again")
		if got := b.status(1); got != task.Failed {
			t.Errorf("the task is %s", got)
		}
	})
	t.Run("Of two words that contradict each other the second is refused", func(t *testing.T) {
		words := map[string]url.Values{"/tasks/1/retry": {"not_charged": {"yes"}}, "/tasks/1/give-up": {"charged": {"yes"}}}
		for first, form := range words {
			for second, other := range words {
				b := newBench(t)
				b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut")
				form, other = b.seen(1, maps.Clone(form)), b.seen(1, maps.Clone(other))
				if w := b.post(first, form); w.Code != 303 {
					t.Errorf("%s: got %d", first, w.Code)
				}
				b.refuses(b.post(second, other), 409, "has moved on since the page was shown")
			}
		}
	})
	t.Run("A page from before it was given up buys nothing", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut")
		before := b.seen(1, nil)
		b.post("/tasks/1/give-up", b.seen(1, url.Values{"charged": {"yes"}}))
		b.refuses(b.post("/tasks/1/retry", before), 409, "a call of it was given up as charged, or was heard of after that")
		if got := b.status(1); got != task.Failed {
			t.Errorf("the task is %s", got)
		}
	})
	t.Run("What was given up as charged is bought again by its own button, and by no retry", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut")
		b.post("/tasks/1/give-up", b.seen(1, url.Values{"charged": {"yes"}}))
		b.has(b.get("/tasks/1"), "The call was charged, and I pay once more", "Buy again</button>", "It is paid for as well.")
		b.hasNot(b.get("/tasks/1"), "Retry</button>")
		b.has(b.get("/failed"), `<a class="button" href="/tasks/1">Buy again…</a>`)
		b.hasNot(b.get("/failed"), "<form")
		b.refuses(b.post("/tasks/1/retry", b.seen(1, nil)), 409, "call 1 was given up as charged, and a new one is paid for as well")
		b.has(b.post("/failed/retry", url.Values{"kind": {"charged"}}).Body.String(), "Nothing to retry")
		if w := b.post("/tasks/1/retry", b.seen(1, url.Values{"buy_again": {"yes"}})); w.Code != 303 || b.status(1) != task.Pending {
			t.Errorf("got %d, the task is %s", w.Code, b.status(1))
		}
	})
	t.Run("A call that was heard of since the page was shown is not given up by it", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Expired, "gone")
		b.exec("UPDATE generation_attempt SET state = 'accepted'")
		b.has(b.get("/tasks/1"), `name="taken" value="1.accepted"`)
		b.exec("UPDATE generation_attempt SET state = 'answered'")
		b.refuses(b.post("/tasks/1/retry", b.seen(1, url.Values{"buy_again": {"yes"}, "taken": {"1.accepted"}})), 409, "A call of task 1 was heard of since the page was shown")
		b.has(b.get("/tasks/1"), `name="taken" value="1.answered"`)
		b.refuses(b.post("/tasks/1/retry", b.seen(1, url.Values{"buy_again": {"yes"}, "taken": {"one"}})), 400, "taken is &#34;one&#34;")
		if w := b.post("/tasks/1/retry", b.seen(1, url.Values{"buy_again": {"yes"}, "taken": {"1.answered"}})); w.Code != 303 || b.status(1) != task.Pending {
			t.Errorf("got %d, the task is %s", w.Code, b.status(1))
		}
	})
	t.Run("A cancel is for what its reader saw, also if a worker has taken it since", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		waiting := b.seen(1, nil)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		cancelled := b.seen(2, nil)
		again, err := b.store.Retry(t.Context(), task.Seen{Task: 2, Fence: 1, Status: task.Failed}, false)
		b.check(err)
		b.refuses(b.post("/tasks/2/cancel", cancelled), 409, "it was failed, and is pending now")
		one, err := b.store.Get(t.Context(), 1)
		b.check(err)
		b.begin(one)
		if w := b.post("/tasks/1/cancel", waiting); w.Code != 303 || b.status(1) != task.Cancelled || b.status(again.ID) != task.Pending {
			t.Errorf("got %d, the tasks are %s and %s", w.Code, b.status(1), b.status(2))
		}
	})
	t.Run("Each form says how its reader sees the task", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut")
		b.exec("UPDATE image_generations SET delivery = 3, fence = 7")
		for path, forms := range map[string]int{"/tasks/1": 3, "/failed": 1} {
			page := b.get(path)
			if got, seen := strings.Count(page, `<form method="post" action="/tasks/1/`), strings.Count(page, `<input type="hidden" name="delivery" value="3"><input type="hidden" name="fence" value="7"><input type="hidden" name="status" value="failed">`); got != seen || path == "/tasks/1" && got != forms {
				t.Errorf("%s: %d forms, %d that say it", path, got, seen)
			}
		}
		b.add(task.Task{})
		b.has(b.get("/tasks/2"), `action="/tasks/2/cancel"><input type="hidden" name="delivery" value="0"><input type="hidden" name="fence" value="0"><input type="hidden" name="status" value="pending">`)
	})
	t.Run("What a status does not allow is refused in a sentence", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		b.refuses(b.post("/tasks/1/retry", b.seen(1, url.Values{})), 409, "Task 1 is completed and cannot be retried")
		b.refuses(b.post("/tasks/1/cancel", b.seen(1, nil)), 409, "Task 1 is completed and cannot be cancelled")
		b.refuses(b.post("/tasks/9/cancel", b.seen(9, nil)), 404, "no such task")
	})
	t.Run("Cancel ends the task", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		if w := b.post("/tasks/1/cancel", b.seen(1, nil)); w.Code != 303 || w.Header().Get("Location") != "/tasks/1" || b.status(1) != task.Cancelled {
			t.Errorf("got %d, the task is %s", w.Code, b.status(1))
		}
	})
	t.Run("Only the box that is ticked says not charged", func(t *testing.T) {
		for box, want := range map[string]task.AttemptState{"": task.AttemptUnknown, "no": task.AttemptUnknown, "yes": task.AttemptRejected} {
			b := newBench(t)
			b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut")
			b.post("/tasks/1/retry", b.seen(1, url.Values{"not_charged": {box}}))
			attempts, err := b.store.Attempts(t.Context(), 1)
			b.check(err)
			if got := attempts[0].State; got != want || b.status(1) != task.Pending {
				t.Errorf("%q: the attempt is %s, the task %s", box, got, b.status(1))
			}
		}
	})
	t.Run("A form that does not say how its reader saw the task is refused", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		for field, wrong := range map[string][]string{"delivery": {"", "-2147483649", "x", "2147483648"}, "fence": {"", "-1", "x"}, "status": {"", "gone"}} {
			for _, value := range wrong {
				form := b.seen(1, nil)
				form.Set(field, value)
				for _, path := range []string{"/tasks/1/retry", "/tasks/1/cancel", "/tasks/1/give-up"} {
					b.refuses(b.post(path, form), 400, field+" is &#34;"+value+"&#34;")
				}
			}
		}
		b.refuses(b.post("/tasks/x/retry", b.seen(1, nil)), 400, "whole numbers")
		b.refuses(b.post("/tasks/x/cancel", b.seen(1, nil)), 400, "whole numbers")
	})
	t.Run("A row that an app wrote with a delivery below zero is retried like any", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "no key")
		b.exec("UPDATE image_generations SET delivery = -3 WHERE id = 1")
		if w := b.post("/tasks/1/retry", b.seen(1, nil)); w.Code != 303 || b.status(1) != task.Pending {
			t.Errorf("got %d, the task is %s", w.Code, b.status(1))
		}
	})
	t.Run("Retry of a kind that meets a locked table says how many came back before", func(t *testing.T) {
		b := newBench(t)
		b.site.Actions = locked{b.site.Actions}
		b.refuses(b.post("/failed/retry", url.Values{"kind": {"auth"}, "confirmed": {"yes"}, "looked": {"1.0.1 2.0.1 3.0.1 4.0.1"}}), 409, "2 of the 4 tasks are pending again.")
	})
	t.Run("Retry of a kind never asks for what has not failed", func(t *testing.T) {
		b := newBench(t)
		var heard store.Filter
		b.site.Actions = listening{b.site.Actions, &heard}
		b.post("/failed/retry", url.Values{"kind": {"auth"}})
		if d := cmp.Diff(store.Filter{Statuses: []task.Status{task.Failed}, Kinds: []task.Kind{task.Auth}, Limit: maxLooked}, heard); d != "" {
			t.Error(d)
		}
	})
	t.Run("Retry of a kind names what the reader saw, and no more than one form holds", func(t *testing.T) {
		b := newBench(t)
		for _, looked := range []string{"", "1.0", "1.0.1x", "1.0.1 x", strings.Repeat("1.0.1 ", maxLooked+1)} {
			b.refuses(b.post("/failed/retry", url.Values{"kind": {"auth"}, "confirmed": {"yes"}, "looked": {looked}}), 400, "Open the page of failed tasks again.")
		}
		longest := lookedText([]task.Seen{{Task: math.MaxInt64, Delivery: math.MaxInt32, Fence: math.MaxInt64}}) + " "
		form := url.Values{"kind": {"auth"}, "provider": {strings.Repeat("网", task.MaxText)}, "confirmed": {"yes"}, "looked": {strings.Repeat(longest, maxLooked)}}
		asked := 0
		b.site.Actions = counting{b.site.Actions, &asked}
		if w := b.post("/failed/retry", form); w.Code != 303 || asked != maxLooked {
			t.Errorf("got %d, and %d tasks were asked for, want %d", w.Code, asked, maxLooked)
		}
	})
}

// counting retries nothing.
type counting struct {
	actions
	asked *int
}

func (c counting) RetryEach(_ context.Context, seen []task.Seen, _ bool, _ func(*task.Task)) (int, error) {
	*c.asked += len(seen)
	return 0, nil
}

// locked retries two tasks and finds the others locked.
type locked struct{ actions }

func (locked) RetryEach(context.Context, []task.Seen, bool, func(*task.Task)) (int, error) {
	return 2, fmt.Errorf("task 3: %w", &store.Locked{})
}
