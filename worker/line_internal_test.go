package worker

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestATurnIsOnesAloneAndIsNeverLost(t *testing.T) {
	var g gate
	var inside, had atomic.Int64
	var all sync.WaitGroup
	cancelled, cancel := context.WithCancel(t.Context())
	defer cancel()
	draining := make(chan struct{})
	if err := g.enter(t.Context(), draining, task.Normal); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		ctx, p := t.Context(), task.Priority(i%3-1)
		if i%4 == 0 {
			ctx = cancelled
		}
		all.Go(func() {
			if g.enter(ctx, draining, p) != nil {
				return
			}
			for range 2 {
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the turn", n)
				}
				if had.Add(1) == 2000 {
					cancel()
				}
				inside.Add(-1)
				if g.yield(ctx, draining, p) != nil {
					return
				}
			}
			g.leave()
		})
	}
	for waiting := 0; waiting < 5000; runtime.Gosched() {
		g.mu.Lock()
		waiting = len(g.waiting[0]) + len(g.waiting[1]) + len(g.waiting[2])
		g.mu.Unlock()
	}
	g.leave()
	ended := make(chan struct{})
	go func() { defer close(ended); all.Wait() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("a turn was lost after %d", had.Load())
	}
	if had.Load() < 2*3750 {
		t.Errorf("%d turns were had; each of the 3750 that wait to the end has two", had.Load())
	}
	if g.taken || len(g.waiting[0])+len(g.waiting[1])+len(g.waiting[2]) > 0 {
		t.Errorf("the gate is left with %+v", g.waiting)
	}
}
