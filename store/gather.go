package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// gatherer writes together what is asked for at the same time. Calls that come while a flush is
// on its way wait for its end and are the next flush. Nothing waits for company: a call that
// finds no flush on its way is one by itself, at once. V is what a call writes, R what comes of it.
//
// Of one task there is one call in a flush, and its calls are written in their order. A call holds
// no copy of its value while it waits, so that what waits takes no more memory than its
// callers do; see limits for what a flush takes.
type gatherer[V, R any] struct {
	// write writes all values, each as if it were alone, or none of them. It returns what came of each,
	// in their order; the error is about all. After an error that is poisoned nothing was
	// written, and after others nobody knows.
	write func(ctx context.Context, values []V) ([]outcome[R], error)
	// poisoned reports whether an error of write is about one of the values, or more.
	poisoned func(error) bool
	task     func(V) int64 // 0 is none
	size     func(V) int   // about its bytes
	alone    func(V) bool  // it does not belong into a flush: it is so large that others would wait for it
	limits   limits
	left     *leftCalls

	mu       sync.Mutex
	waiting  []*gathered[V, R] // in the order in which they came
	flushing bool
	flushes  sync.WaitGroup
}

// outcome is what came of one value of a flush.
type outcome[R any] struct {
	result R
	err    error
}

// errAlone is the outcome of what a flush did not write: it is to be written by itself, which
// says why, or waits for what is in its way.
var errAlone = errors.New("it is to be written by itself")

// limits bound a flush.
type limits struct {
	rows  int
	bytes int
	time  time.Duration // until nobody waits for the database any more
}

// gathered is a call that waits for its outcome.
type gathered[V, R any] struct {
	value    V
	flush    *flush // nil while it waits for one
	answered chan struct{}
	outcome  outcome[R]
}

// flush is one transaction on its way. It ends early if nobody waits for it any more.
type flush struct {
	ctx     context.Context
	cancel  context.CancelFunc
	callers int
	left    []int64 // tasks whose callers have gone
	done    chan struct{}
}

// do writes v and returns what came of it. If ctx ends while v waits, nothing is written. If it ends
// while v is being written, do returns at once, and v may have been written or not; what is asked
// for of its task next has to await that, see leftCalls.
func (g *gatherer[V, R]) do(ctx context.Context, v V) (R, error) {
	var none R
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if g.alone(v) {
		return none, errAlone
	}
	c := &gathered[V, R]{value: v, answered: make(chan struct{})}
	g.add(c)
	select {
	case <-c.answered:
	case <-ctx.Done():
		if written := g.leave(c); written != nil {
			return none, fmt.Errorf("%w: %w", written, ctx.Err())
		}
	}
	return c.outcome.result, c.outcome.err
}

var (
	errNotWritten     = errors.New("nothing was written")
	errPerhapsWritten = errors.New("it was being written")
)

func (g *gatherer[V, R]) add(c *gathered[V, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
	if !g.flushing {
		g.flushing = true
		g.flushes.Go(g.flushAll)
	}
}

// leave takes back a call whose caller goes; nil if its outcome is there.
func (g *gatherer[V, R]) leave(c *gathered[V, R]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-c.answered:
		return nil
	default:
	}
	if c.flush == nil {
		g.waiting = slices.DeleteFunc(g.waiting, func(other *gathered[V, R]) bool { return other == c })
		return errNotWritten
	}
	if task := g.task(c.value); task != 0 {
		c.flush.left = append(c.flush.left, task)
		g.left.add(task, c.flush.done)
	}
	if c.flush.callers--; c.flush.callers == 0 {
		c.flush.cancel()
	}
	return errPerhapsWritten
}

// flushAll flushes until nobody waits.
func (g *gatherer[V, R]) flushAll() {
	for {
		f, calls := g.next()
		if f == nil {
			return
		}
		values := make([]V, len(calls))
		for i, c := range calls {
			values[i] = c.value
		}
		g.end(f, calls, g.writeAll(f.ctx, values))
	}
}

// next makes a flush of those that have waited longest; nil if nobody waits.
func (g *gatherer[V, R]) next() (*flush, []*gathered[V, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var calls, rest []*gathered[V, R]
	tasks, bytes := make(map[int64]bool), 0
	for i, c := range g.waiting {
		size := g.size(c.value)
		if len(calls) == g.limits.rows || len(calls) > 0 && bytes+size > g.limits.bytes {
			rest = append(rest, g.waiting[i:]...)
			break
		}
		if task := g.task(c.value); tasks[task] {
			rest = append(rest, c)
			continue
		} else if task != 0 {
			tasks[task] = true
		}
		calls, bytes = append(calls, c), bytes+size
	}
	g.waiting = rest
	if len(calls) == 0 {
		g.flushing = false
		return nil, nil
	}
	f := &flush{callers: len(calls), done: make(chan struct{})}
	f.ctx, f.cancel = context.WithTimeout(context.Background(), g.limits.time) // no caller's own: it is everybody's
	for _, c := range calls {
		c.flush = f
	}
	return f, calls
}

// writeAll writes the values, in halves if one of them is poisoned: it is found among n by some
// log n flushes more, and is alone in the last of them.
func (g *gatherer[V, R]) writeAll(ctx context.Context, values []V) []outcome[R] {
	all, err := g.writeOnce(ctx, values)
	if err == nil {
		return all
	}
	if g.poisoned(err) && len(values) > 1 {
		half := len(values) / 2
		return append(g.writeAll(ctx, values[:half]), g.writeAll(ctx, values[half:])...)
	}
	if g.poisoned(err) {
		err = errAlone
	}
	all = make([]outcome[R], len(values))
	for i := range all {
		all[i].err = err
	}
	return all
}

// writeOnce is write, whose panic is an error: it runs in nobody's goroutine, and those who
// wait hold what was paid for.
func (g *gatherer[V, R]) writeOnce(ctx context.Context, values []V) (all []outcome[R], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while writing: %v", p)
		}
	}()
	all, err = g.write(ctx, values)
	if err == nil && len(all) != len(values) {
		err = fmt.Errorf("%d outcomes of %d values", len(all), len(values))
	}
	return all, err
}

func (g *gatherer[V, R]) end(f *flush, calls []*gathered[V, R], all []outcome[R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, c := range calls {
		c.outcome = all[i]
		close(c.answered)
	}
	f.cancel()
	close(f.done)
	g.left.remove(f)
}

// leftCalls are those of calls whose callers have gone while they were being written. Their flush goes on,
// and what is asked for of their tasks next comes after it, as it would after a direct call: who
// asks whether a call was begun must not be told no just before it is.
type leftCalls struct {
	mu sync.Mutex
	of map[int64][]<-chan struct{} // by task: the ends of their flushes
}

func (l *leftCalls) add(task int64, done <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = make(map[int64][]<-chan struct{})
	}
	l.of[task] = append(l.of[task], done)
}

func (l *leftCalls) remove(f *flush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, task := range f.left {
		l.of[task] = slices.DeleteFunc(l.of[task], func(done <-chan struct{}) bool { return done == f.done })
		if len(l.of[task]) == 0 {
			delete(l.of, task)
		}
	}
}

// await waits for the ends of the flushes in which the task has such calls.
func (l *leftCalls) await(ctx context.Context, task int64) error {
	l.mu.Lock()
	flushes := slices.Clone(l.of[task])
	l.mu.Unlock()
	for _, done := range flushes {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
