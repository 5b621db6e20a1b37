package queue

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

func TestMarker(t *testing.T) {
	onBoth(t, claims{
		"A Redis that was emptied is noticed once": func(t *testing.T, q *Queue) {
			for i, want := range []bool{true, false, true, false} { // it is new, known, emptied, known
				if i == 2 {
					must(t, q.Redis.FlushAll(t.Context()).Err())
				}
				if lost, err := q.Marker(t.Context()); lost != want || err != nil {
					t.Errorf("look %d: %t, %v", i, lost, err)
				}
			}
		},
		"Queues are known to asynq again": func(t *testing.T, q *Queue) {
			must(t, q.EnsureQueues(t.Context(), nil))
			must(t, q.EnsureQueues(t.Context(), []string{"fal", "openai"}))
			got, err := inspector(q).Queues()
			slices.Sort(got)
			want := []string{"fal", "fal:high", "fal:low", "openai", "openai:high", "openai:low"}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
			for _, name := range want {
				if _, err := inspector(q).GetQueueInfo(name); err != nil {
					t.Errorf("asynqmon cannot show the empty queue %s: %v", name, err)
				}
			}
			if err := q.EnsureQueues(t.Context(), []string{"a:b"}); err == nil {
				t.Error("a name with a colon is taken")
			}
		},
	})
}

func TestWatchHints(t *testing.T) {
	onBoth(t, claims{
		"A hint is heard by who watches until the watch ends": func(t *testing.T, q *Queue) {
			ctx, cancel := context.WithCancel(t.Context())
			got, ended := make(chan int64, 1_000), make(chan error, 1)
			go func() { ended <- q.WatchWakeUps(ctx, func(id int64) { got <- id }) }()
			eventually(t, "the hint is heard", func() bool {
				must(t, q.Redis.Publish(t.Context(), hintChannel, "no id").Err())
				must(t, q.Wake(t.Context(), 81234))
				return len(got) > 0
			})
			if id := <-got; id != 81234 {
				t.Errorf("heard %d", id)
			}
			cancel()
			must(t, receive(t, "it ends", ended))
		},
	})
}

func TestWatchCancels(t *testing.T) {
	// watch watches and returns what was cancelled, and what ends it.
	watch := func(t *testing.T, q *Queue) (chan task.Ref, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		got, ended := make(chan task.Ref, 1_000), make(chan error, 1)
		go func() { ended <- q.WatchCancels(ctx, func(r task.Ref) { got <- r }) }()
		return got, func() {
			cancel()
			must(t, receive(t, "it ends", ended))
		}
	}
	want := task.Ref{Task: 81234, Delivery: 2}
	cancelUntilHeard := func(t *testing.T, q *Queue, got chan task.Ref) {
		t.Helper()
		eventually(t, "the cancel is heard", func() bool {
			_ = inspector(q).CancelProcessing("f3b4-not-ours")
			_ = inspector(q).CancelProcessing("81234.2")
			return len(got) > 0
		})
		if ref := <-got; ref != want {
			t.Errorf("heard %s", ref)
		}
		for len(got) > 0 {
			<-got
		}
	}
	onBoth(t, claims{
		"A cancel in asynqmon is heard until the watch ends": func(t *testing.T, q *Queue) {
			got, end := watch(t, q)
			cancelUntilHeard(t, q, got)
			end()
		},
	})
	t.Run("A cancel is heard again after Redis was away", func(t *testing.T) {
		server := servertest.Redis(t)
		q := open(t, server.URL)
		got, end := watch(t, q)
		cancelUntilHeard(t, q, got)
		must(t, server.Kill())
		must(t, server.Restart(t.Context()))
		cancelUntilHeard(t, q, got)
		end()
	})
	t.Run("A closed client ends the watch with an error", func(t *testing.T) {
		q := open(t, servertest.Redis(t).URL)
		ended := make(chan error, 1)
		var heard atomic.Bool
		go func() { ended <- q.WatchCancels(t.Context(), func(task.Ref) { heard.Store(true) }) }()
		eventually(t, "it listens", func() bool { _ = inspector(q).CancelProcessing("1.0"); return heard.Load() })
		must(t, q.Redis.Close())
		if err := receive(t, "it ends", ended); err == nil {
			t.Error("it ended without an error")
		}
	})
}
