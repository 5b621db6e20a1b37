// Package budget shares what a process has only so much of, such as memory, among those
// who want parts of it, and lets none of them starve the others.
package budget

import (
	"context"
	"slices"
	"sync"
)

// Budget lends up to Size units at a time. Who asks waits in line: nobody comes before
// one that asked earlier and has not had its turn. An owner that holds some gets no
// more than half of all while another one waits. Nil lends without bound. It must not
// be copied.
type Budget struct {
	Size int64 // set before the first use

	mu   sync.Mutex
	used int64
	by   map[string]int64 // used, by owner
	line []*claim
}

// claim is somebody in line.
type claim struct {
	owner string
	n     int64
	turn  chan struct{} // closed when it has come
}

// Half is the largest share that leaves room for others.
func (b *Budget) Half() int64 {
	if b == nil {
		return 0
	}
	return b.Size / 2
}

// Acquire waits for n units and returns what gives them back, once; who asks for more
// than there are gets all of them, and so is alone. Whoever holds units must not wait
// for more. It ends with ctx's error.
func (b *Budget) Acquire(ctx context.Context, owner string, n int64) (release func(), err error) {
	if b == nil {
		return func() {}, nil
	}
	c := &claim{owner, min(n, b.Size), make(chan struct{})}
	b.mu.Lock()
	b.line = append(b.line, c)
	b.serve()
	b.mu.Unlock()
	select {
	case <-c.turn:
	case <-ctx.Done():
		if !b.leave(c) {
			b.release(c)
		}
		return nil, context.Cause(ctx)
	}
	var once sync.Once
	return func() { once.Do(func() { b.release(c) }) }, nil
}

// leave takes c out of the line and reports whether it stood there.
func (b *Budget) leave(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(b.line, c)
	if at >= 0 {
		b.line = slices.Delete(b.line, at, at+1)
		b.serve()
	}
	return at >= 0
}

func (b *Budget) release(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= c.n
	if b.by[c.owner] -= c.n; b.by[c.owner] == 0 {
		delete(b.by, c.owner)
	}
	b.serve()
}

// serve gives those their turn for whom there is room, in order. Who already has its
// half is passed over; who only lacks room keeps its place, so that small claims do
// not starve a large one.
func (b *Budget) serve() {
	if b.by == nil {
		b.by = make(map[string]int64)
	}
	for at := 0; at < len(b.line); {
		c := b.line[at]
		if b.greedy(c) {
			at++
			continue
		}
		if b.used+c.n > b.Size {
			return
		}
		b.used += c.n
		b.by[c.owner] += c.n
		b.line = slices.Delete(b.line, at, at+1)
		close(c.turn)
		at = 0 // somebody may be the only one in line now
	}
}

// greedy reports whether c would take its owner beyond half while others wait.
func (b *Budget) greedy(c *claim) bool {
	held := b.by[c.owner]
	return held > 0 && held+c.n > b.Size/2 && slices.ContainsFunc(b.line, func(other *claim) bool { return other.owner != c.owner })
}
