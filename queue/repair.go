package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrActive means that a worker holds the delivery right now.
var ErrActive = errors.New("queue: the delivery is being worked on")

// removeCmd takes a delivery out of every place where asynq may have left it,
// also when its hash is gone. It leaves alone what is active under a lease, and
// on request everything that waits. It returns 1 if it removed something, 0 if
// there was nothing and -1 if the delivery is active.
//
// KEYS: task, lease, active, pending, scheduled, retry, archived, completed.
// ARGV: id, end of the lease of an orphan, "1" to remove orphans only.
var removeCmd = redis.NewScript(`
local state = redis.call("HGET", KEYS[1], "state")
if state == "active" then
	local lease = redis.call("ZSCORE", KEYS[2], ARGV[1])
	if lease and tonumber(lease) >= tonumber(ARGV[2]) then
		return -1
	end
elseif state and ARGV[3] == "1" then
	return 0
end
local n = redis.call("DEL", KEYS[1])
n = n + redis.call("LREM", KEYS[3], 0, ARGV[1])
if ARGV[3] == "1" then
	redis.call("ZREM", KEYS[2], ARGV[1])
	return math.min(n, 1)
end
n = n + redis.call("LREM", KEYS[4], 0, ARGV[1])
for _, i in ipairs({2, 5, 6, 7, 8}) do
	n = n + redis.call("ZREM", KEYS[i], ARGV[1])
end
return math.min(n, 1)
`)

// archiveCmd archives a delivery that waits and appends ARGV[3] to its message. It
// returns -1 if the delivery is active, and otherwise what there was of it.
//
// KEYS: task, pending, scheduled, retry, archived.
// ARGV: id, now in Unix seconds, the fields to append.
var archiveCmd = redis.NewScript(`
local state, msg = unpack(redis.call("HMGET", KEYS[1], "state", "msg"))
if not state or not msg then
	return 0
elseif state == "active" then
	return -1
elseif state == "pending" then
	redis.call("LREM", KEYS[2], 0, ARGV[1])
elseif state == "scheduled" then
	redis.call("ZREM", KEYS[3], ARGV[1])
elseif state == "retry" then
	redis.call("ZREM", KEYS[4], ARGV[1])
elseif state ~= "archived" then
	return 0
end
if state ~= "archived" then
	redis.call("ZADD", KEYS[5], ARGV[2], ARGV[1])
end
if string.sub(msg, -#ARGV[3]) ~= ARGV[3] then
	msg = msg .. ARGV[3]
end
redis.call("HSET", KEYS[1], "msg", msg, "state", "archived")
return 1
`)

// Remove deletes a delivery that no worker holds: one that waits, is archived,
// or is an orphan. One that is absent is fine; for one that is held it returns ErrActive.
func (q *Queue) Remove(ctx context.Context, r Delivery) error {
	n, err := q.remove(ctx, r.Queue(), r.Ref.String(), false)
	if err == nil && n < 0 {
		return ErrActive
	}
	return err
}

// Repair removes from the queues of providers what asynq will never move again,
// and returns how much: deliveries that are active without a lease, whose data
// are gone (one of them breaks asynqmon's page of the queue) or cannot be
// decoded (one of them keeps asynq's recoverer from all others). The rows they
// are of look unpublished afterwards, and are published again.
func (q *Queue) Repair(ctx context.Context, providers []string) (int, error) {
	removed := 0
	for _, provider := range providers {
		for queue := range queueNames(provider) {
			n, err := q.repair(ctx, queue)
			removed += n
			if err != nil {
				return removed, err
			}
		}
	}
	return removed, nil
}

func (q *Queue) repair(ctx context.Context, queue string) (removed int, err error) {
	for start := int64(0); ; start += page {
		ids, err := q.Redis.LRange(ctx, key(queue, string(Active)), start, start+page-1).Result()
		if err != nil {
			return removed, fmt.Errorf("queue: active deliveries of %s: %w", queue, err)
		}
		if len(ids) == 0 {
			return removed, nil
		}
		states, err := q.statesOf(ctx, queue, ids)
		if err != nil {
			return removed, err
		}
		for i, state := range states {
			if state != Orphaned && state != Absent {
				continue
			}
			n, err := q.remove(ctx, queue, ids[i], true)
			if err != nil {
				return removed, err
			}
			removed += max(n, 0)
		}
	}
}

func (q *Queue) remove(ctx context.Context, queue, id string, orphansOnly bool) (int, error) {
	keys := []string{taskKey(queue, id), key(queue, "lease")}
	for _, s := range []State{Active, Pending, Scheduled, Retrying, Archived, Completed} {
		keys = append(keys, key(queue, string(s)))
	}
	only := "0"
	if orphansOnly {
		only = "1"
	}
	n, err := removeCmd.Run(ctx, q.Redis, keys, id, orphaned(), only).Int()
	if err != nil {
		return 0, fmt.Errorf("queue: %s of %s not removed: %w", id, queue, err)
	}
	return n, nil
}

// Archive archives a delivery that waits, because its row has failed, and notes
// why. On one that is archived already it notes only that: after it, WasRun
// knows a Run also of what a person archived in asynqmon. One that is absent is
// fine; for one that a worker holds it returns ErrActive.
func (q *Queue) Archive(ctx context.Context, d Delivery, reason string) error {
	return q.archive(ctx, d, Verdict{Action: Archive, Reason: reason}.asynq(false).Error())
}

// archive is Archive with the whole of the last error that asynq is to keep.
func (q *Queue) archive(ctx context.Context, d Delivery, text string) error {
	queue, now := d.Queue(), time.Now().Unix()
	keys := []string{taskKey(queue, d.Ref.String())}
	for _, s := range []State{Pending, Scheduled, Retrying, Archived} {
		keys = append(keys, key(queue, string(s)))
	}
	n, err := archiveCmd.Run(ctx, q.Redis, keys, d.Ref.String(), now, lastError(text)).Int()
	if err != nil {
		return fmt.Errorf("queue: %s not archived: %w", d.Ref, err)
	}
	if n < 0 {
		return ErrActive
	}
	return nil
}

// lastError returns the field error_msg of asynq's message, number 7 of a
// protocol buffer, where the last of several values counts: appended to a
// message it replaces the error that is there.
func lastError(text string) []byte {
	const tag = 7<<3 | 2 // field 7, bytes with their length before them
	field := binary.AppendUvarint([]byte{tag}, uint64(len(text)))
	return append(field, text...)
}
