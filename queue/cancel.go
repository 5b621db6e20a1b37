package queue

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/task"
)

// cancelChannel is where asynqmon's Cancel publishes the id of a task.
const cancelChannel = "asynq:cancel"

// hintChannel is where we say that there is news of a task.
const hintChannel = "easel:hint"

// Wake tells every process that watches that there may be news of the task at its
// provider. Who does not hear it asks in its own time.
func (q *Queue) Wake(ctx context.Context, id int64) error {
	return q.Redis.Publish(ctx, hintChannel, id).Err()
}

// WatchWakeUps calls hinted, one call at a time, with each task of which there may be
// news, until ctx ends, in the way of WatchCancels.
func (q *Queue) WatchWakeUps(ctx context.Context, hinted func(id int64)) error {
	return q.watch(ctx, hintChannel, func(payload string) {
		if id, err := strconv.ParseInt(payload, 10, 64); err == nil {
			hinted(id)
		}
	})
}

// WatchCancels calls cancelled, one call at a time, with each delivery that
// somebody cancels in asynqmon, until ctx ends. It subscribes again when the
// connection is lost; what is published meanwhile nobody hears. Every process
// that watches hears every cancel.
func (q *Queue) WatchCancels(ctx context.Context, cancelled func(task.Ref)) error {
	return q.watch(ctx, cancelChannel, func(payload string) {
		if ref, ours := parseID(payload); ours {
			cancelled(ref)
		}
	})
}

// watch calls heard with each message of the channel until ctx ends.
func (q *Queue) watch(ctx context.Context, channel string, heard func(payload string)) error {
	sub := q.Redis.Subscribe(ctx, channel)
	defer sub.Close()
	messages := sub.Channel(redis.WithChannelSize(10_000)) // Cancel All sends one for each active task
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, open := <-messages:
			if !open { // the client was closed
				return redis.ErrClosed
			}
			heard(m.Payload)
		}
	}
}
