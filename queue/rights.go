package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Rule is what a user of Redis needs whose rights an ACL limits; for ACL SETUSER.
const Rule = "~asynq:* ~easel:* ~rate:easel:* &asynq:* &easel:* +@read +@write +@scripting +@pubsub +@transaction +@connection +time +info"

// Right is something that easel does with Redis, and what it is needed for.
type Right struct {
	Command string
	For     string
	Err     error // why Redis refuses it; nil if it does not
	Needed  bool  // easel cannot work without it; otherwise something is only not shown
}

// probing is a script with the commands that those of asynq and of the limiter call.
var probing = redis.NewScript(`
redis.call('TIME')
redis.call('HSET', KEYS[1], 'a', 1)
redis.call('HINCRBY', KEYS[1], 'a', 1)
redis.call('PEXPIRE', KEYS[1], 10000)
redis.call('ZADD', KEYS[2], 1, 'a')
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', 0)
redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf', 'LIMIT', 0, 1)
redis.call('LPUSH', KEYS[3], 'a')
redis.call('RPOPLPUSH', KEYS[3], KEYS[3])
redis.call('LREM', KEYS[3], 0, 'a')
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
`)

// Rights tries, with the same user and in the same key spaces, what asynq and easel
// ask of Redis, and returns what is refused. It leaves nothing behind. A Redis that
// does not answer is an error.
func (q *Queue) Rights(ctx context.Context) ([]Right, error) {
	var refused []Right
	for _, r := range q.rights(ctx) {
		if r.Err == nil || errors.Is(r.Err, redis.Nil) {
			continue
		}
		var said redis.Error
		if !errors.As(r.Err, &said) {
			return nil, fmt.Errorf("queue: redis does not answer: %w", r.Err)
		}
		refused = append(refused, r)
	}
	return refused, nil
}

func (q *Queue) rights(ctx context.Context) []Right {
	all := []Right{}
	try := func(needed bool, command, use string, err error) {
		all = append(all, Right{Command: command, For: use, Err: err, Needed: needed})
	}
	for _, prefix := range []string{"asynq:{easel-doctor}:", "easel:limit:{easel-doctor}:", "rate:easel:limit:{easel-doctor}:"} {
		keys := []string{prefix + "hash", prefix + "set", prefix + "list"}
		try(true, "EVALSHA, EVAL", "everything that brings tasks to workers and holds limits, in "+prefix+"*", probing.Run(ctx, q.Redis, keys).Err())
	}
	probe := key("easel-doctor", "probe")
	_, transaction := q.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HGet(ctx, probe, "state")
		p.ZScore(ctx, key("easel-doctor", "lease"), "1")
		return nil
	})
	try(true, "MULTI, EXEC", "looking where a delivery is", transaction)
	try(true, "SET, DEL", "the marker of a Redis that lost its data", errors.Join(q.Redis.SetNX(ctx, probe, 1, time.Second).Err(), q.Redis.Del(ctx, probe).Err()))
	try(true, "SMEMBERS", "the names of the queues", q.Redis.SMembers(ctx, allQueues).Err())
	try(true, "LRANGE", "walking the queues", q.Redis.LRange(ctx, key("easel-doctor", "pending"), 0, 1).Err())
	try(true, "ZSCAN", "walking the queues", q.Redis.ZScan(ctx, key("easel-doctor", "retry"), 0, "", 1).Err())
	for _, channel := range []string{wakeUpChannel("easel-doctor"), cancelChannel} {
		sub := q.Redis.Subscribe(ctx, channel)
		_, err := sub.Receive(ctx)
		sub.Close()
		try(true, "SUBSCRIBE", "waking workers and hearing cancels, on "+channel, err)
	}
	try(true, "PUBLISH", "waking workers", q.Redis.Publish(ctx, wakeUpChannel("easel-doctor"), "").Err())
	try(false, "INFO", "saying what Redis this is, and whether it keeps what it is given", q.Redis.Info(ctx, "server").Err())
	try(false, "MEMORY USAGE", "the size of queues in asynqmon, which shows 0", q.Redis.MemoryUsage(ctx, probe).Err())
	return all
}

// forgiving keeps asynqmon's pages from failing for what they only adorn themselves
// with: the memory that a queue takes, and what Redis says about itself.
type forgiving struct{}

func (forgiving) DialHook(next redis.DialHook) redis.DialHook { return next }

func (forgiving) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (forgiving) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		var said redis.Error
		if err == nil || !errors.As(err, &said) || errors.Is(err, redis.ErrNoScript) || strings.HasPrefix(err.Error(), "NOSCRIPT") {
			return err
		}
		switch one := cmd.(type) {
		case *redis.Cmd:
			if isMemoryUsage(one.Args()) {
				one.SetErr(nil)
				one.SetVal(int64(0))
				return nil
			}
		case *redis.StringCmd:
			if one.Name() == "info" {
				one.SetErr(nil)
				return nil
			}
		}
		return err
	}
}

// isMemoryUsage recognises asynq's script that measures a queue, by its keys: its
// lists and sets, the groups last.
func isMemoryUsage(args []any) bool {
	const numKeys = 7
	if len(args) < 3+numKeys || !slices.Contains([]any{"eval", "evalsha"}, args[0]) || fmt.Sprint(args[2]) != fmt.Sprint(numKeys) {
		return false
	}
	return strings.HasSuffix(fmt.Sprint(args[3]), ":active") && strings.HasSuffix(fmt.Sprint(args[3+numKeys-1]), ":groups")
}
