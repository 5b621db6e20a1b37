package queue

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/task"
)

// cancelChannel is where asynqmon's Cancel publishes the id of a task.
const cancelChannel = "asynq:cancel"

// WatchCancels calls cancelled, one call at a time, with each delivery that
// somebody cancels in asynqmon, until ctx ends. It subscribes again when the
// connection is lost; what is published meanwhile nobody hears. Every process
// that watches hears every cancel.
func (q *Queue) WatchCancels(ctx context.Context, cancelled func(task.Ref)) error {
	sub := q.Redis.Subscribe(ctx, cancelChannel)
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
			if ref, ours := parseID(m.Payload); ours {
				cancelled(ref)
			}
		}
	}
}
