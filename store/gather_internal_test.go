package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// order is a value that the tests write.
type order struct {
	id     int
	task   int64
	size   int
	fenced bool // by itself
	poison bool // for its whole flush
	after  time.Duration
	until  time.Duration // how long its caller waits
}

var (
	errPoison = errors.New("poison")
	errAway   = errors.New("the database is away")
)

// ledger is a database that writes orders.
type ledger struct {
	t    *rapid.T
	took func() time.Duration
	away func() bool

	mu      sync.Mutex
	busy    bool
	flushes [][]order
	written []order
}

func (l *ledger) write(ctx context.Context, orders []order) ([]outcome[int], error) {
	l.mu.Lock()
	if l.busy {
		l.t.Error("two flushes at once")
	}
	l.busy = true
	l.flushes = append(l.flushes, slices.Clone(orders))
	took, away := l.took(), l.away()
	l.mu.Unlock()
	defer func() { l.mu.Lock(); l.busy = false; l.mu.Unlock() }()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if away {
		return nil, errAway
	}
	all := make([]outcome[int], len(orders))
	for i, o := range orders {
		switch {
		case o.poison:
			return nil, errPoison
		case o.fenced:
			all[i].err = ErrFenced
		default:
			all[i].result = 10 * o.id
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = append(l.written, orders...)
	return all, nil
}

// large is the size of an order that is written by itself.
const large = 100

func gathererOf(l *ledger, bounds limits) *gatherer[order, int] {
	return &gatherer[order, int]{write: l.write, limits: bounds, left: new(leftCalls),
		poisoned: func(err error) bool { return errors.Is(err, errPoison) },
		task:     func(o order) int64 { return o.task }, size: func(o order) int { return o.size },
		alone: func(o order) bool { return o.size > large }}
}

func TestGathererUnderRandomCrowds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		orders := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order {
			ms := func(most int, name string) time.Duration {
				return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
			}
			return order{task: rapid.Int64Range(0, 6).Draw(t, "task"), size: rapid.IntRange(0, 120).Draw(t, "size"), after: ms(20, "after"), until: 1 + ms(60, "until"),
				fenced: rapid.IntRange(0, 4).Draw(t, "fenced") == 0, poison: rapid.IntRange(0, 9).Draw(t, "poison") == 0}
		}), 1, 30).Draw(rt, "orders")
		took := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 20).Draw(rt, "took")
		away := rapid.IntRange(0, 9).Draw(rt, "away")
		synctest.Test(t, func(*testing.T) { crowded(rt, orders, took, away) })
	})
}

// crowded makes all calls at their times and checks what came of them. The away-th flush fails.
func crowded(t *rapid.T, orders []order, took []int, away int) {
	l := &ledger{t: t}
	l.took = func() time.Duration { return time.Duration(took[len(l.flushes)%len(took)]) * time.Millisecond }
	l.away = func() bool { return len(l.flushes) == away }
	bounds := limits{rows: 5, bytes: 200, time: 10 * time.Millisecond}
	g := gathererOf(l, bounds)
	results, errs, awaited := make([]int, len(orders)), make([]error, len(orders)), make([]int, len(orders))
	var all sync.WaitGroup
	for i := range orders {
		orders[i].id, awaited[i] = i+1, -1
		all.Go(func() {
			o := orders[i]
			time.Sleep(o.after)
			ctx, cancel := context.WithTimeout(context.Background(), o.until)
			defer cancel()
			results[i], errs[i] = g.do(ctx, o)
			if o.task == 0 || !errors.Is(errs[i], errPerhapsWritten) {
				return
			}
			if err := g.left.await(context.Background(), o.task); err != nil {
				t.Error(err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			awaited[i] = len(l.written)
		})
	}
	all.Wait()
	g.flushes.Wait()
	for i, o := range orders {
		l.judge(t, o, results[i], errs[i])
		if at := awaited[i]; at >= 0 && slices.ContainsFunc(l.written[at:], func(w order) bool { return w.id == o.id }) {
			t.Errorf("order %d was written after its end was awaited", o.id)
		}
	}
	for _, f := range l.flushes {
		judgeFlush(t, bounds, f)
	}
	if len(g.waiting) > 0 || g.flushing || len(g.left.of) > 0 {
		t.Errorf("left behind: %d that wait, flushing %v, %v", len(g.waiting), g.flushing, g.left.of)
	}
}

// judge compares what a caller heard with what was written.
func (l *ledger) judge(t *rapid.T, o order, result int, err error) {
	times := 0
	for _, w := range l.written {
		if w.id == o.id {
			times++
		}
	}
	tried := slices.ContainsFunc(l.flushes, func(f []order) bool { return slices.ContainsFunc(f, func(w order) bool { return w.id == o.id }) })
	told := fmt.Sprintf("order %d: %v, tried %v, written %d times", o.id, err, tried, times)
	switch {
	case times > 1:
		t.Error(told)
	case o.size > large && tried:
		t.Errorf("so large a value was in a flush: %s", told)
	case err == nil && (times != 1 || result != 10*o.id || o.fenced || o.poison):
		t.Error(told)
	case errors.Is(err, ErrFenced) && (times != 1 || !o.fenced):
		t.Error(told)
	case errors.Is(err, errNotWritten) && (tried || !errors.Is(err, context.DeadlineExceeded)):
		t.Error(told)
	case errors.Is(err, errAlone) && (times > 0 || !o.poison && o.size <= large || !o.poison && tried):
		t.Error(told)
	case errors.Is(err, errPerhapsWritten) && !tried:
		t.Error(told)
	case errors.Is(err, errAway) && times > 0:
		t.Error(told)
	}
}

func judgeFlush(t *rapid.T, bounds limits, f []order) {
	bytes, tasks := 0, make(map[int64]bool)
	for _, o := range f {
		if bytes += o.size; o.task != 0 && tasks[o.task] {
			t.Errorf("a task is twice in a flush: %+v", f)
		}
		tasks[o.task] = true
	}
	if len(f) > bounds.rows || len(f) > 1 && bytes > bounds.bytes {
		t.Errorf("a flush of %d rows and %d bytes", len(f), bytes)
	}
}

// inBubble runs f with a gatherer of flushes that take a second.
func inBubble(t *testing.T, f func(t *testing.T, g *gatherer[order, int], l *ledger)) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{took: func() time.Duration { return time.Second }, away: func() bool { return false }}
		g := gathererOf(l, limits{rows: 100, bytes: 1000, time: time.Minute})
		f(t, g, l)
		g.flushes.Wait()
	})
}

func TestGatherer(t *testing.T) {
	t.Parallel()
	t.Run("A call that finds nothing on its way is flushed at once, and those that come meanwhile together", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], l *ledger) {
			began := time.Now()
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					if _, err := g.do(t.Context(), order{id: i}); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			all.Wait()
			if len(l.flushes) != 2 || len(l.flushes[0]) != 1 || time.Since(began) != 2*time.Second {
				t.Errorf("%d flushes in %v", len(l.flushes), time.Since(began))
			}
		})
	})
	t.Run("What is beyond the bounds of a flush is in the next", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], l *ledger) {
			for i := range 251 {
				g.flushes.Go(func() { _, _ = g.do(t.Context(), order{id: i}) })
				synctest.Wait()
			}
			g.flushes.Wait()
			var rows []int
			for _, f := range l.flushes {
				rows = append(rows, len(f))
			}
			if !slices.Equal(rows, []int{1, 100, 100, 50}) || len(l.written) != 251 {
				t.Errorf("%d were written, in flushes of %v", len(l.written), rows)
			}
		})
	})
	t.Run("Calls of one task are written in their order", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], l *ledger) {
			for i := range 5 {
				go g.do(t.Context(), order{id: i, task: 7})
				synctest.Wait()
			}
			g.flushes.Wait()
			for i, o := range l.written {
				if o.id != i || len(l.flushes) != 5 {
					t.Fatalf("written: %+v", l.written)
				}
			}
		})
	})
	t.Run("One poisoned value among many fails alone, and is found soon", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], l *ledger) {
			failed := make([]error, 65)
			for i := range failed {
				g.flushes.Go(func() { _, failed[i] = g.do(t.Context(), order{id: i, poison: i == 40}) })
				synctest.Wait() // the first is a flush by itself
			}
			g.flushes.Wait()
			for i, err := range failed {
				if (err != nil) != (i == 40) || err != nil && err != errAlone {
					t.Errorf("order %d: %v", i, err)
				}
			}
			if len(l.flushes) != 1+1+2*6 {
				t.Errorf("%d flushes", len(l.flushes))
			}
		})
	})
	t.Run("A flush that nobody waits for any more is ended", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], l *ledger) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err := g.do(ctx, order{id: 1})
			g.flushes.Wait()
			if !errors.Is(err, errPerhapsWritten) || len(l.written) > 0 || time.Since(began) != time.Millisecond {
				t.Errorf("%v after %v, written %v", err, time.Since(began), l.written)
			}
		})
	})
	t.Run("A flush that the others wait for goes on", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], l *ledger) {
			go g.do(t.Context(), order{id: 1})
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			went := make(chan error, 1)
			go func() { _, err := g.do(ctx, order{id: 2, task: 2}); went <- err }()
			go g.do(t.Context(), order{id: 3})
			if err := <-went; !errors.Is(err, errPerhapsWritten) {
				t.Error(err)
			}
			if err := g.left.await(t.Context(), 2); err != nil || len(l.written) != 3 {
				t.Errorf("%v, written %v", err, l.written)
			}
		})
	})
	t.Run("Who goes just when the answer is there has it", func(t *testing.T) {
		g := gathererOf(&ledger{}, limits{})
		c := &gathered[order, int]{flush: &flush{}, answered: make(chan struct{})}
		close(c.answered)
		if err := g.leave(c); err != nil || len(g.left.of) > 0 {
			t.Errorf("%v, left %v", err, g.left.of)
		}
	})
	t.Run("A panic is everybody's error", func(t *testing.T) {
		inBubble(t, func(t *testing.T, g *gatherer[order, int], _ *ledger) {
			g.write = func(context.Context, []order) ([]outcome[int], error) { panic("oh") }
			if _, err := g.do(t.Context(), order{id: 1}); err == nil || err.Error() != "panic while writing: oh" {
				t.Error(err)
			}
		})
	})
}
