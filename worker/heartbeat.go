package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/store"
)

// pulse is what a worker knows of its own heartbeat. Its lock is held for a few
// instructions at a time.
type pulse struct {
	mu     sync.Mutex
	beaten time.Time // when the last heartbeat that worked was begun
	lapsed time.Time // when the first heartbeat after the last lease that ran out was begun
	err    error     // of the last heartbeat; nil if it worked
}

// Run keeps the worker's lease until ctx ends, tells running steps when their
// task was cancelled, adopts what others left in the spool and collects what is late. It must begin
// before the first Handle and end after the last. When it returns, the lease is given up, or runs
// out if the database is away. The heartbeat shares neither connection nor goroutine with anything.
func (w *Worker) Run(ctx context.Context) error {
	heart, err := w.Leases.OpenHeartbeat(w.lease() / 2)
	if err != nil {
		return fmt.Errorf("the heartbeat's connection: %w", err)
	}
	defer heart.Close()
	w.late = newLateCalls()
	var loops errgroup.Group
	loops.Go(func() error { return every(ctx, w.lease()/3, func() { w.beat(ctx, heart) }) })
	loops.Go(func() error { return every(ctx, time.Second, func() { w.lookForCancelled(ctx) }) })
	loops.Go(func() error { return every(ctx, w.lease()/3, func() { w.releaseLost(ctx) }) })
	loops.Go(func() error { return every(ctx, w.lease()/3, func() { w.lookAtJournal(ctx) }) })
	loops.Go(func() error { return every(ctx, adoptEvery, func() { w.adoptSpool(ctx) }) })
	loops.Go(func() error { return w.takeLeft(ctx, &loops) })
	loops.Go(func() error { return every(ctx, lateEvery, func() { w.lookForLate(ctx, &loops) }) })
	err = loops.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if unsaid := heart.Deregister(leave, w.Self.ID); unsaid != nil {
		w.Log.Warn().Err(unsaid).Msg("the database does not know that this worker has gone; its lease runs out")
	}
	return err
}

// every does f at once, and again each d, until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for ctx.Err() == nil {
		f()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// beat beats once. One that hangs must not delay the next for long; one that
// is slow makes us doubt that others can beat, before their leases are over.
func (w *Worker) beat(ctx context.Context, heart *store.HeartbeatConn) {
	beating, cancel := context.WithTimeout(ctx, w.lease()/2)
	defer cancel()
	defer time.AfterFunc(w.lease()/4, w.Leases.ResetWatch).Stop()
	began := time.Now()
	self := w.Self
	self.Providers = "," + strings.Join(w.Services.Names(), ",") + ","
	err := heart.Heartbeat(beating, self, w.lease())
	if took := time.Since(began); err == nil && took > w.lease()/4 {
		w.Log.Warn().Dur("took", took).Msg("heartbeat was slow")
	}
	if err != nil {
		w.Leases.ResetWatch()
		if ctx.Err() == nil {
			w.Log.Warn().Err(err).Msg("heartbeat failed; running calls go on")
		}
	}
	w.pulse.note(began, err, w.lease())
}

// note takes down how a heartbeat that was begun then has ended just now. Others see
// it when it has ended: until then the one before counts for them.
func (p *pulse) note(began time.Time, err error, lease time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	if err != nil {
		return
	}
	if !p.beaten.IsZero() && time.Since(p.beaten) >= lease {
		p.lapsed = began
	}
	p.beaten = began
}

// keeps reports whether a lease that was kept at t, by a claim or a heartbeat, has
// been kept ever since. What was held before a lapse may have been taken away,
// although the worker beats again now.
func (p *pulse) keeps(t time.Time, lease time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := t
	if p.beaten.After(since) {
		since = p.beaten
	}
	return time.Since(since) < lease && !p.lapsed.After(t)
}

// age is how old the last heartbeat that worked is; ok is false if there was none.
func (p *pulse) age() (age time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.beaten), !p.beaten.IsZero()
}

// late reports whether the database seems to be away: the last heartbeat has failed, or
// is so old that another should have worked since.
func (p *pulse) late(lease time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil || time.Since(p.beaten) > lease/2
}

// alive reports whether others can see that this worker lives.
func (w *Worker) alive() bool {
	age, ok := w.pulse.age()
	return ok && age < w.lease()
}

// Ready returns nil if the worker's heartbeat is in time, and else an error that
// says how late it is. Anybody may read it, so why is in the log alone.
func (w *Worker) Ready() error {
	age, ok := w.pulse.age()
	w.pulse.mu.Lock()
	err := w.pulse.err
	w.pulse.mu.Unlock()
	switch {
	case !ok && err == nil:
		return errors.New("the worker has not begun to work yet")
	case !ok:
		return errors.New("no heartbeat of the worker has reached the database yet; its log says why")
	case age <= w.lease()*2/3:
		return nil
	}
	return fmt.Errorf("the worker's heartbeat is late: the last one is %s old, and its tasks are taken away after %s; its log says why",
		age.Round(100*time.Millisecond), w.lease())
}
