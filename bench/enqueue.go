//go:build unix

package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	producers   = 16
	enqueueTime = 2 * time.Second // of each way
	batch       = 1000
)

// enqueue measures how fast tasks come in while nobody works.
func (m *measurement) enqueue(ctx context.Context) error {
	one := func(n int) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := m.Enqueue(ctx, n)
			return err
		}
	}
	if err := one(1)(ctx); err != nil { // opens what it needs
		return err
	}
	if err := m.rate(ctx, "enqueue_one", 1, 1, one(1)); err != nil {
		return err
	}
	if err := m.rate(ctx, "enqueue_16", producers, 1, one(1)); err != nil {
		return err
	}
	if err := m.rate(ctx, "enqueue_1000", 1, batch, one(batch)); err != nil {
		return err
	}
	if alone, ok := m.producer.(aloneProducer); ok {
		return m.rate(ctx, "enqueue_alone", 1, batch, func(ctx context.Context) error { return alone.EnqueueAlone(ctx, batch) })
	}
	return nil
}

// rate notes how many tasks a second come in, n with each call, from so many at once.
func (m *measurement) rate(ctx context.Context, figure string, at, n int, call func(context.Context) error) error {
	var total atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for range at {
		group.Go(func() error {
			for time.Since(began) < enqueueTime {
				if err := call(ctx); err != nil {
					return err
				}
				total.Add(int64(n))
			}
			return nil
		})
	}
	err := group.Wait()
	m.note(figure, float64(total.Load())/time.Since(began).Seconds())
	return err
}
