//go:build unix

package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/easelqueue/easel/internal/pause"
)

const (
	idleTime   = 5 * time.Second
	pickupTime = 12 * time.Second
	pickups    = 200              // at most, in that time
	settle     = 3 * time.Second  // until a worker that has begun is idle
	oneLimit   = 30 * time.Second // for one task
)

// pickup measures a worker that has nothing to do: what it asks for meanwhile, and how soon a task
// that comes then is in its hands, and its call is made.
func (m *measurement) pickup(ctx context.Context) (err error) {
	w, err := m.hire(orders{Idle: true, Tells: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.dismiss()) }()
	for range 5 { // until everything is open
		if _, _, err := m.one(ctx, w); err != nil {
			return err
		}
	}
	if err := pause.For(ctx, settle); err != nil {
		return err
	}
	if err := m.idle(ctx, w); err != nil {
		return err
	}
	var toHand, toCall []time.Duration
	for began := time.Now(); len(toHand) < pickups && time.Since(began) < pickupTime; {
		hand, call, err := m.one(ctx, w)
		if err != nil {
			return err
		}
		toHand, toCall = append(toHand, hand), append(toCall, call)
		if err := pause.For(ctx, 20*time.Millisecond+rand.N(40*time.Millisecond)); err != nil {
			return err
		}
	}
	m.note("pickup_p50_ms", quantile(toHand, 0.5))
	m.note("pickup_p99_ms", quantile(toHand, 0.99))
	m.note("call_p50_ms", quantile(toCall, 0.5))
	m.note("call_p99_ms", quantile(toCall, 0.99))
	return nil
}

// one enqueues a task, and returns how long it took from the queue to the worker, and from the
// beginning to the call of its provider.
func (m *measurement) one(ctx context.Context, w *worker) (toHand, toCall time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, oneLimit)
	defer cancel()
	began := time.Now()
	handed, err := m.Enqueue(ctx, 1)
	if err != nil {
		return 0, 0, err
	}
	inHand, err := w.wait(ctx, taken)
	if err != nil {
		return 0, 0, err
	}
	atCall, err := w.wait(ctx, called)
	return inHand.Sub(handed), atCall.Sub(began), err
}

// idle notes what a worker asks for that has nothing to do.
func (m *measurement) idle(ctx context.Context, w *worker) error {
	before, err := m.asked(ctx)
	if err != nil {
		return err
	}
	used, err := spent(w.pid())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause.For(ctx, idleTime); err != nil {
		return err
	}
	usedLater, err := spent(w.pid())
	if err != nil {
		return err
	}
	after, err := m.asked(ctx)
	if err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	m.note("idle_requests", (after.requests-before.requests-1)/seconds) // one was our own
	m.note("idle_statements", (after.statements-before.statements)/seconds)
	m.note("idle_processor", 100*(usedLater-used).Seconds()/seconds)
	return nil
}

// quantile is in milliseconds.
func quantile(all []time.Duration, q float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)].Seconds() * 1000
}
