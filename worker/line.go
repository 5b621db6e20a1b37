package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/easelqueue/easel/task"
)

// line is one in which steps wait for room at a service.
type line struct {
	provider  string
	fallsBack bool
	model     string // empty is all that every account may use
}

// gate lets one step of a line at a time ask the limiter: the most urgent that waits, and
// of those the first that came. The zero value is open.
type gate struct {
	mu      sync.Mutex
	taken   bool
	waiting [3][]chan struct{} // high, normal, low; a turn is given by closing its channel
}

func class(p task.Priority) int {
	switch {
	case p > 0:
		return 0
	case p < 0:
		return 2
	}
	return 1
}

// enter waits for its turn until ctx ends or draining is closed, and returns why it has none.
func (g *gate) enter(ctx context.Context, draining <-chan struct{}, p task.Priority) error {
	g.mu.Lock()
	if !g.taken {
		g.taken = true
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting[class(p)] = append(g.waiting[class(p)], turn)
	g.mu.Unlock()
	return g.wait(ctx, draining, turn, class(p))
}

func (g *gate) wait(ctx context.Context, draining <-chan struct{}, turn chan struct{}, at int) error {
	select {
	case <-turn:
		return nil
	case <-draining:
		g.forget(turn, at)
		return errDraining
	case <-ctx.Done():
		g.forget(turn, at)
		return ctx.Err()
	}
}

// forget takes a turn that is waited for no longer out of the line; one that was given
// meanwhile goes to the next.
func (g *gate) forget(turn chan struct{}, at int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting[at], turn); i >= 0 {
		g.waiting[at] = slices.Delete(g.waiting[at], i, i+1)
		return
	}
	g.next()
}

// leave gives the turn to the next.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next()
}

// next is leave for who has the lock.
func (g *gate) next() {
	for i := range g.waiting {
		if len(g.waiting[i]) > 0 {
			turn := g.waiting[i][0]
			g.waiting[i] = g.waiting[i][1:]
			close(turn)
			return
		}
	}
	g.taken = false
}

// yield lets a more urgent one go first, if one waits: whoever yields has its turn again
// before all others of its own class. With an error it has none.
func (g *gate) yield(ctx context.Context, draining <-chan struct{}, p task.Priority) error {
	g.mu.Lock()
	urgent := false
	for i := range class(p) {
		urgent = urgent || len(g.waiting[i]) > 0
	}
	if !urgent {
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting[class(p)] = slices.Insert(g.waiting[class(p)], 0, turn)
	g.next()
	g.mu.Unlock()
	return g.wait(ctx, draining, turn, class(p))
}
