package store

import (
	"context"
	"runtime"
	"time"
)

// gathers is a gatherer of any kind.
type gathers interface {
	hold() (held bool)
	letGo()
	queued() int
	watch(see func(Flush))
	delay(f func())
}

func (b *Batched) all() map[string]gathers {
	return map[string]gathers{"Claim": &b.claims, "Begin": &b.begins, "Record": &b.records, "Finish": &b.finishes, "Release": &b.releases}
}

// hold keeps a gatherer from flushing, unless it does already.
func (g *gatherer[V, R]) hold() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flushing {
		return false
	}
	g.flushing = true
	return true
}

func (g *gatherer[V, R]) letGo() { g.flushes.Go(g.flushAll) }

func (g *gatherer[V, R]) queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// Flush is what a test sees of one.
type Flush struct {
	Kind        string
	Rows, Alone int
	Err         error
}

func (g *gatherer[V, R]) watch(see func(Flush)) {
	write := g.write
	g.write = func(ctx context.Context, values []V) ([]outcome[R], error) {
		all, err := write(ctx, values)
		f := Flush{Rows: len(values), Err: err}
		for _, one := range all {
			if err == nil && one.err == errAlone {
				f.Alone++
			}
		}
		see(f)
		return all, err
	}
}

// Watch has see called for each flush from here on.
func (b *Batched) Watch(see func(Flush)) {
	for kind, g := range b.all() {
		g.watch(func(f Flush) { f.Kind = kind; see(f) })
	}
}

// Crowd makes calls at the same time, each kind of them in one flush if no other is on its way.
func (b *Batched) Crowd(calls ...func()) {
	var held []gathers
	for _, g := range b.all() {
		if g.hold() {
			held = append(held, g)
		}
	}
	done := make(chan struct{}, len(calls))
	for _, call := range calls {
		go func() { call(); done <- struct{}{} }()
	}
	for began := time.Now(); time.Since(began) < 100*time.Millisecond; runtime.Gosched() { // a call may wait for another's row
		queued := len(done)
		for _, g := range b.all() {
			queued += g.queued()
		}
		if queued >= len(calls) {
			break
		}
	}
	for _, g := range held {
		g.letGo()
	}
	for range calls {
		<-done
	}
}

// Delay has f called before each flush is written from here on.
func (b *Batched) Delay(f func()) {
	for _, g := range b.all() {
		g.delay(f)
	}
}

func (g *gatherer[V, R]) delay(f func()) {
	write := g.write
	g.write = func(ctx context.Context, values []V) ([]outcome[R], error) {
		f()
		return write(ctx, values)
	}
}
