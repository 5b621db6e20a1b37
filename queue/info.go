package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/task"
)

// Info is how one of asynq's queues stands.
type Info struct {
	PausedSince time.Time // zero if it is not paused
	Waiting     int       // deliveries that a worker may take now
	Active      int       // those that workers hold
}

// Infos returns the queues of the providers by name, in one round trip.
func (q *Queue) Infos(ctx context.Context, providers []string) (map[string]Info, error) {
	type asked struct {
		paused          *redis.StringCmd
		waiting, active *redis.IntCmd
	}
	commands := make(map[string]asked)
	_, err := q.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, provider := range providers {
			for name := range queueNames(provider) {
				commands[name] = asked{p.Get(ctx, key(name, "paused")), p.LLen(ctx, key(name, string(Pending))), p.LLen(ctx, key(name, string(Active)))}
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("queue: redis does not answer: %w", err)
	}
	all := make(map[string]Info)
	for name, c := range commands {
		if err := errors.Join(c.waiting.Err(), c.active.Err()); err != nil {
			return nil, fmt.Errorf("queue: redis does not tell how queues stand: %w", err)
		}
		s := Info{Waiting: int(c.waiting.Val()), Active: int(c.active.Val())}
		if since, err := strconv.ParseInt(c.paused.Val(), 10, 64); err == nil {
			s.PausedSince = time.Unix(since, 0).UTC() // asynq notes when it was paused
		}
		all[name] = s
	}
	return all, nil
}

// SetPaused pauses the queues that are named, or resumes them, as asynqmon's buttons do, and
// returns them. The name of a provider stands for its three queues.
func (q *Queue) SetPaused(ctx context.Context, names []string, pause bool) ([]string, error) {
	var all []string
	for _, name := range names {
		if provider, priority := parseQueue(name); priority == task.Normal {
			all = slices.AppendSeq(all, maps.Keys(queueNames(provider)))
		} else {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	_, err := q.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range all {
			if pause {
				p.SetNX(ctx, key(name, "paused"), time.Now().Unix(), 0) // as asynq does: when it was paused first
			} else {
				p.Del(ctx, key(name, "paused"))
			}
		}
		return nil
	})
	return all, err
}
