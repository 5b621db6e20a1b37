package web

import (
	"context"
	"sync"
	"time"

	"github.com/easelqueue/easel/store"
)

// How old what count remembers may be: a page that looks again by itself tells of a
// change within two of its looks, and counting takes a twentieth of one connection at most.
const (
	countAge   = 3 * time.Second
	countShare = 20
)

// count is a tally that all readers share, however many tabs are open: counting reads
// every task. Its zero value has counted nothing.
type count struct {
	mu      sync.Mutex
	known   []store.Tally
	until   time.Time     // from then on it is counted again
	changes int           // by people here; a count that began before one is not kept
	counts  chan struct{} // closed when the count that is under way has ended; nil if none is
}

// tally returns what f picks by status, provider and kind, counted at most countAge ago,
// or longer where counting is slow. Readers who come meanwhile wait for the same count; one
// whose reader has gone is made again.
func (c *count) tally(ctx context.Context, t tasks, f store.Filter) ([]store.Tally, error) {
	for {
		c.mu.Lock()
		if time.Now().Before(c.until) {
			defer c.mu.Unlock()
			return c.known, nil
		}
		counting := c.counts
		if counting == nil {
			c.counts = make(chan struct{})
		}
		c.mu.Unlock()
		if counting == nil {
			return c.again(ctx, t, f)
		}
		select {
		case <-counting:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *count) again(ctx context.Context, t tasks, f store.Filter) ([]store.Tally, error) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		close(c.counts)
		c.counts = nil
	}()
	c.mu.Lock()
	changes := c.changes
	c.mu.Unlock()
	began := time.Now()
	known, err := t.Tally(ctx, f)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.known, c.until = known, time.Now().Add(max(countAge, countShare*time.Since(began)))
	}
	return known, nil
}

// forget has the next reader count, who may have changed something.
func (c *count) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
	c.changes++
}
