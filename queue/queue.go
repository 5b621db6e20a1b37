// Package queue is the only one that knows asynq and asynqmon. It publishes
// rows, runs the server that takes what is published, and keeps the dashboard. The
// row is the truth: whatever is in Redis may be lost, doubled or late, and
// nothing here decides what becomes of a task.
package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// publishers bounds the goroutines of one Publish. More would only wait for
// connections: go-redis opens ten per processor.
const publishers = 32

// handlerTimeout is when asynq gives up on a handler. Its default of half an
// hour would free the slot of one that still runs; the task's own deadline decides.
const handlerTimeout = 365 * 24 * time.Hour

// Queue is the deliveries in one Redis. Its methods may be called concurrently.
type Queue struct {
	// Redis must stay open until every Server.Run has returned nil: asynq's
	// subscription ends the process with a panic when its client is closed.
	Redis redis.UniversalClient
	Log   zerolog.Logger
}

// Publish publishes deliveries and returns one error for each of them, nil where one
// is in Redis. A delivery that is there already, in whatever state, counts
// as published: the same row is published by its producer, the relay and the reconciler,
// and a reply lost on the network is sent again by go-redis. After the first
// error from Redis the rest is not tried, so an outage costs one timeout.
//
// Each call uses an asynq client of its own. A client that is kept remembers
// which queue names it has written and never writes them again after Redis
// lost its data.
//
// go-redis's AutoPipeline is not used: it is marked experimental, must be
// closed, and makes a fraction more of deliveries that outnumber by far the rows
// which a database commits (BenchmarkPublish).
func (q *Queue) Publish(ctx context.Context, deliveries []Delivery) []error {
	client := asynq.NewClientFromRedisClient(q.Redis)
	errs := make([]error, len(deliveries))
	var next atomic.Int64
	var down atomic.Pointer[error]
	var group sync.WaitGroup
	for range min(publishers, len(deliveries)) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(deliveries)); i = next.Add(1) - 1 {
				if cause := down.Load(); cause != nil {
					errs[i] = *cause
					continue
				}
				errs[i] = publish(ctx, client, deliveries[i], &down)
			}
		})
	}
	group.Wait()
	told := make(map[string]bool)
	for i, r := range deliveries {
		if errs[i] == nil && !told[r.Provider] {
			told[r.Provider] = true
			q.wakeServers(ctx, r.Provider)
		}
	}
	return errs
}

// wakeServers tells the servers of a provider that there is something for them. It does
// not matter if that fails: they look by themselves a little later.
func (q *Queue) wakeServers(ctx context.Context, provider string) {
	if err := q.Redis.Publish(ctx, wakeUpChannel(provider), "").Err(); err != nil {
		q.Log.Debug().Err(err).Str("provider", provider).Msg("servers were not woken")
	}
}

func publish(ctx context.Context, client *asynq.Client, r Delivery, down *atomic.Pointer[error]) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("queue: %s not published: %w", r.Ref, err)
	}
	data, err := r.payload()
	if err != nil {
		return fmt.Errorf("queue: %s not published: %w", r.Ref, err)
	}
	_, err = client.EnqueueContext(ctx, asynq.NewTask(Type, data),
		asynq.TaskID(r.Ref.String()),
		asynq.Queue(r.Queue()),
		asynq.ProcessAt(roundUp(r.At)),
		asynq.MaxRetry(math.MaxInt32), // the row counts tries; asynq must never archive by itself
		asynq.Timeout(handlerTimeout))
	if err == nil || errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	err = fmt.Errorf("queue: %s not published: %w", r.Ref, err)
	down.CompareAndSwap(nil, &err)
	return err
}
