package queue

import (
	"context"
	"fmt"
	"time"
)

// markerKey holds when Redis was last found empty. Its absence is the fastest
// sign that everything else is gone too.
const markerKey = "easel:marker"

// Marker reports whether Redis lost its data since the marker was last set, and
// sets it again. The caller that is told so publishes every row again that is
// due. Of several callers one is told; if it dies before it has published, or if
// Redis came back with old data and the marker among it, the reconciler's
// ordinary comparison of rows and deliveries finds the rest, only more slowly.
func (q *Queue) Marker(ctx context.Context) (lost bool, err error) {
	lost, err = q.Redis.SetNX(ctx, markerKey, time.Now().UTC().Format(time.RFC3339), 0).Result()
	if err != nil {
		return false, fmt.Errorf("queue: marker: %w", err)
	}
	return lost, nil
}

// EnsureQueues makes the queues of providers known to asynq's inspector and to
// asynqmon. Workers drain a queue that is not in that set, but nobody sees it.
func (q *Queue) EnsureQueues(ctx context.Context, providers []string) error {
	var names []any
	for _, provider := range providers {
		if err := validProvider(provider); err != nil {
			return err
		}
		for name := range queueNames(provider) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := q.Redis.SAdd(ctx, allQueues, names...).Err(); err != nil {
		return fmt.Errorf("queue: names of the queues: %w", err)
	}
	return nil
}
