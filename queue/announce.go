package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// workersKey holds the workers that use this Redis, by when each has last said so on Redis'
// own clock. Losing it stops nothing.
const workersKey = "easel:workers"

// announcedFor is for how many seconds a worker that has announced itself counts as there.
const announcedFor = 15

var (
	announce = redis.NewScript(`
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 1, '+inf') -- of before the clock was set back
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 1
`)
	announced = redis.NewScript(`
local now = tonumber(redis.call('TIME')[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[1]), now)
`)
)

// Announce says that a worker uses this Redis. It has to say so again within 15 seconds.
func (q *Queue) Announce(ctx context.Context, worker string) error {
	if err := announce.Run(ctx, q.Redis, []string{workersKey}, worker, announcedFor).Err(); err != nil {
		return fmt.Errorf("queue: announce a worker: %w", err)
	}
	return nil
}

// Announced returns the ids of the workers that use this Redis, whatever their database.
func (q *Queue) Announced(ctx context.Context) ([]string, error) {
	ids, err := announced.Run(ctx, q.Redis, []string{workersKey}, announcedFor).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("queue: workers: %w", err)
	}
	return ids, nil
}
