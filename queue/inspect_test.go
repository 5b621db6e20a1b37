package queue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/task"
)

// oneOfEach leaves a delivery in each state, named after it, and one that is absent.
func oneOfEach(t *testing.T, q *Queue) map[State]Delivery {
	t.Helper()
	deliveries := map[State]Delivery{Pending: delivery(1), Scheduled: delivery(2), Retrying: delivery(3), Archived: delivery(4), Active: delivery(5), Orphaned: delivery(6), Absent: delivery(7)}
	later := deliveries[Scheduled]
	later.At = time.Now().Add(time.Hour)
	release := make(chan struct{})
	stop := serve(t, Server{Queue: q, Handler: func(_ context.Context, r Delivery) Verdict {
		switch r.Ref {
		case delivery(3).Ref:
			return Verdict{Action: Retry, After: time.Hour}
		case delivery(4).Ref:
			return Verdict{Action: Archive, Reason: "moderated"}
		}
		<-release
		return Verdict{}
	}})
	publishAll(t, q, later, deliveries[Retrying], deliveries[Archived])
	eventually(t, "the handlers have returned", func() bool {
		return state(t, q, deliveries[Retrying]) == Retrying && state(t, q, deliveries[Archived]) == Archived
	})
	close(release)
	must(t, stop())
	publishAll(t, q, deliveries[Active], deliveries[Orphaned], deliveries[Pending])
	begin(t, q, deliveries[Active], time.Now().Add(30*time.Second))
	begin(t, q, deliveries[Orphaned], time.Now().Add(-orphanAge-time.Minute))
	return deliveries
}

// begin makes the next pending delivery active, as asynq's dequeue does.
func begin(t *testing.T, q *Queue, r Delivery, lease time.Time) {
	t.Helper()
	id, ctx := r.Ref.String(), t.Context()
	must(t, q.Redis.LRem(ctx, "asynq:{openai}:pending", 0, id).Err())
	must(t, q.Redis.LPush(ctx, "asynq:{openai}:active", id).Err())
	must(t, q.Redis.HSet(ctx, "asynq:{openai}:t:"+id, "state", "active").Err())
	must(t, q.Redis.ZAdd(ctx, "asynq:{openai}:lease", redis.Z{Score: float64(lease.Unix()), Member: id}).Err())
}

func TestInspect(t *testing.T) {
	onBoth(t, claims{
		"States tells each state in the order asked": func(t *testing.T, q *Queue) {
			deliveries := oneOfEach(t, q)
			want := slices.Sorted(maps.Keys(deliveries))
			asked := make([]Delivery, len(want))
			for i, s := range want {
				asked[i] = deliveries[s]
			}
			got, err := q.States(t.Context(), asked)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
			must(t, q.Redis.ZRem(t.Context(), "asynq:{openai}:lease", "5.0").Err())
			if got := state(t, q, deliveries[Active]); got != Orphaned {
				t.Errorf("an active one without a lease is %s", got)
			}
		},
		"States agrees with asynq's own inspector": func(t *testing.T, q *Queue) {
			for s, r := range oneOfEach(t, q) {
				if s == Absent || s == Orphaned {
					continue
				}
				if got := info(t, q, r).State.String(); got != string(s) {
					t.Errorf("asynq calls it %s, we call it %s", got, s)
				}
			}
		},
		"States of many deliveries and queues stay in order": func(t *testing.T, q *Queue) {
			var deliveries []Delivery
			want := make([]State, 2*page+10)
			for i := range want {
				r := Delivery{Ref: task.Ref{Task: int64(i + 1)}, Provider: "openai", Priority: task.Priority(i%3 - 1)}
				deliveries = append(deliveries, r)
				want[i] = Absent
				if i%7 == 0 {
					want[i] = Pending
					publishAll(t, q, r)
				}
			}
			got, err := q.States(t.Context(), deliveries)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		},
		"Walk sees what waits and what is archived, in every queue": func(t *testing.T, q *Queue) {
			deliveries := oneOfEach(t, q)
			high := Delivery{Ref: task.Ref{Task: 9, Delivery: 3}, Provider: "fal", Priority: task.High}
			publishAll(t, q, high)
			enqueue(t, q, "not-ours", "{}")
			want := map[Delivery]State{deliveries[Pending]: Pending, deliveries[Scheduled]: Scheduled, deliveries[Retrying]: Retrying, deliveries[Archived]: Archived, high: Pending}
			got := map[Delivery]State{}
			must(t, q.Walk(t.Context(), func(r Delivery, s State) error { got[r] = s; return nil }))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		},
		"Walk goes through all pages and stops at an error": func(t *testing.T, q *Queue) {
			deliveries := make([]Delivery, 3*page)
			for i := range deliveries {
				deliveries[i] = delivery(int64(i + 1))
				if i%2 == 0 {
					deliveries[i].At = time.Now().Add(time.Hour)
				}
			}
			publishAll(t, q, deliveries...)
			seen := map[task.Ref]bool{}
			must(t, q.Walk(t.Context(), func(r Delivery, _ State) error { seen[r.Ref] = true; return nil }))
			if len(seen) != len(deliveries) {
				t.Errorf("it saw %d of %d", len(seen), len(deliveries))
			}
			enough := errors.New("enough")
			calls := 0
			if err := q.Walk(t.Context(), func(Delivery, State) error { calls++; return enough }); !errors.Is(err, enough) || calls != 1 {
				t.Errorf("%v after %d calls", err, calls)
			}
		},
	})
}
