package app

import (
	"context"
	"time"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
)

// RedisTimeout bounds what a command asks of Redis.
const RedisTimeout = 3 * time.Second

// OpenClient returns what brings tasks to the queue, and what closes it. Without a Redis
// that answers, of which say is told, it only writes rows: they are safe, and a worker
// finds them.
func OpenClient(ctx context.Context, cfg config.Config, s *store.Store, say func(format string, args ...any)) (*enqueue.Client, func()) {
	client := &enqueue.Client{Tasks: s, Services: cfg.Services}
	if cfg.RedisURL == "" {
		return client, func() {}
	}
	redis, err := queue.Redis(string(cfg.RedisURL))
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, RedisTimeout)
		defer cancel()
		if err = redis.Ping(ctx).Err(); err != nil {
			redis.Close()
		}
	}
	if err != nil {
		say("Redis at %s does not answer (%v): what is asked for is written down, and a worker takes it up when Redis is back", cfg.RedisURL, err)
		return client, func() {}
	}
	client.Queue = &queue.Queue{Redis: redis}
	return client, func() { redis.Close() }
}
