package limit

import (
	"context"
	"errors"
	"slices"
	"time"
)

// renewBatch bounds the slots that one script renews, since Redis serves nobody
// else meanwhile.
const renewBatch = 1000

// Run renews the leases of all slots that this process holds, three times per
// lease, until ctx ends. It releases nothing then: it must run for as long as
// calls are under way, or their slots become free before they end.
func (l *Limiter) Run(ctx context.Context) error {
	every := l.lease() / 3
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.renew(ctx, every); err != nil && ctx.Err() == nil {
			l.Log.Warn().Err(err).Msg("leases of calls in flight not renewed")
		}
	}
}

// renew renews every lease once, account by account, within limit.
func (l *Limiter) renew(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var errs []error
	for account, slots := range l.holding() {
		for batch := range slices.Chunk(slots, renewBatch) {
			errs = append(errs, l.renewBatch(ctx, account, batch))
		}
	}
	return errors.Join(errs...)
}

// renewBatch renews the slots of one account. One that was released meanwhile
// has been put back by the script, and is removed again.
func (l *Limiter) renewBatch(ctx context.Context, account string, slots []string) error {
	args := []any{l.lease().Milliseconds()}
	for _, p := range slots {
		args = append(args, p)
	}
	if err := l.run(ctx, account, renew, args...); err != nil {
		return err
	}
	released := l.released(account, slots)
	if len(released) == 0 {
		return nil
	}
	if err := l.Redis.ZRem(ctx, slotsKey(account), released...).Err(); err != nil {
		return failed(account, err)
	}
	return nil
}

// hold makes Run renew the slot from now on.
func (l *Limiter) hold(g *Slot) {
	if g.slot == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]map[string]bool{}
	}
	if l.held[g.account] == nil {
		l.held[g.account] = map[string]bool{}
	}
	l.held[g.account][g.slot] = true
}

// drop reports whether the slot was held, and makes it so no longer.
func (l *Limiter) drop(g *Slot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.held[g.account][g.slot]
	delete(l.held[g.account], g.slot)
	return held
}

// holding copies the slots of this process.
func (l *Limiter) holding() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string][]string, len(l.held))
	for account, slots := range l.held {
		for p := range slots {
			all[account] = append(all[account], p)
		}
	}
	return all
}

// released are those of the slots that are held no longer.
func (l *Limiter) released(account string, slots []string) []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	var gone []any
	for _, p := range slots {
		if !l.held[account][p] {
			gone = append(gone, p)
		}
	}
	return gone
}
