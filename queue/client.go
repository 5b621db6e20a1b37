package queue

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/crash"
)

// patience is how long a server waits after an error before it asks Redis again.
const patience = 300 * time.Millisecond

// nobodysChannel is a channel on which nobody publishes.
const nobodysChannel = "easel:nothing"

// serverClient is the Redis client of an asynq server, with better manners.
type serverClient struct {
	redis.UniversalClient
	draining      <-chan struct{} // closed when the server drains and must not be held up
	idle          *waiter
	subscriptions redis.UniversalClient // a separate one
}

// separate returns a client of its own for the server of c, and what closes it. asynq's
// subscriber panics if its client is closed before it has stopped, which it may not have when
// Run must return from a Redis that hangs. A kind of client that is not known is shared.
func separate(c redis.UniversalClient) (own redis.UniversalClient, done func() error) {
	switch c := c.(type) {
	case *redis.Client:
		o := *c.Options()
		// Each client has these two of its own; a new connection of c writes to its one.
		o.PushNotificationProcessor, o.MaintNotificationsConfig = nil, nil
		own = redis.NewClient(&o)
	case *redis.ClusterClient:
		o := *c.Options()
		o.PushNotificationProcessor, o.MaintNotificationsConfig = nil, nil
		own = redis.NewClusterClient(&o)
	default:
		return c, func() error { return nil }
	}
	return own, own.Close
}

// EvalSha waits at empty queues (see waiter), and after an error. asynq's fetch loop asks again at once, and some
// errors (LOADING, NOAUTH, READONLY) come back at once: one such server would
// take a whole processor. Everything that asynq fetches, moves or finishes goes
// through EvalSha. A missing script is no error: asynq then sends the script.
func (c serverClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	cmd := c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	c.idle.observe(ctx, keys, cmd, c.draining)
	err := cmd.Err()
	acknowledged(keys, err)
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, redis.ErrNoScript) {
		return cmd
	}
	select {
	case <-time.After(patience):
	case <-ctx.Done():
	case <-c.draining:
	}
	return cmd
}

// Eval is how asynq sends a script that Redis does not have yet.
func (c serverClient) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	cmd := c.UniversalClient.Eval(ctx, script, keys, args...)
	acknowledged(keys, cmd.Err())
	return cmd
}

// acknowledged is where a process may die that has just told Redis that a
// delivery is done.
func acknowledged(keys []string, err error) {
	if crash.Armed && err == nil && isDone(keys) {
		crash.At("acknowledged")
	}
}

// Subscribe keeps asynq from hearing the Cancel of asynqmon. Its answer would
// be to take the delivery back while the handler still runs, to deliver it once
// more and to ignore the handler's verdict. WatchCancels hears it instead, and
// the handler learns of it from its row.
func (c serverClient) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	for i, name := range channels {
		if name == cancelChannel {
			channels[i] = nobodysChannel
		}
	}
	return c.subscriptions.Subscribe(ctx, channels...)
}
