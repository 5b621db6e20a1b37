package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// State says where a delivery is in Redis. It is a hint: it may have changed
// before the caller reads it.
type State string

const (
	Absent    State = "absent" // done, deleted or lost
	Pending   State = "pending"
	Active    State = "active"
	Scheduled State = "scheduled"
	Retrying  State = "retry"
	Archived  State = "archived"
	Completed State = "completed" // kept after success; not by us
	// Silent means that it is active, but its worker has not extended its lease
	// for two beats: it is dead, it sleeps, or its clock is wrong. asynq takes such
	// a delivery back too, but only a minute or two later.
	Silent State = "silent"
	// Orphaned means that asynq calls it active and will never move it again: it
	// has no lease, or one that ended so long ago that asynq's recoverer must
	// have failed on it.
	Orphaned State = "orphaned"
)

// orphanAge is how long ago the lease of an orphan ended. asynq's recoverer
// looks each minute for leases that ended half a minute before.
const orphanAge = 3 * time.Minute

// silence is how much of its lease an active delivery has left when its worker
// is called silent. asynq gives 30 s and extends that each 5 s.
const silence = 20 * time.Second

// page is how many entries are asked for in one round trip.
const page = 500

// The keys of asynq, format of v0.26.0. All keys of a queue share a hash tag and
// so a cluster slot. A task is a hash with the fields msg and state.
const allQueues = "asynq:queues"

func key(queue, name string) string   { return "asynq:{" + queue + "}:" + name }
func taskKey(queue, id string) string { return key(queue, "t:"+id) }

// States returns where each of deliveries is, in their order. It costs one round
// trip per queue and 500 deliveries.
func (q *Queue) States(ctx context.Context, deliveries []Delivery) ([]State, error) {
	byQueue := make(map[string][]int)
	for i, r := range deliveries {
		byQueue[r.Queue()] = append(byQueue[r.Queue()], i)
	}
	states := make([]State, len(deliveries))
	for queue, places := range byQueue {
		for some := range slices.Chunk(places, page) {
			ids := make([]string, len(some))
			for i, place := range some {
				ids[i] = deliveries[place].Ref.String()
			}
			found, err := q.statesOf(ctx, queue, ids)
			if err != nil {
				return nil, err
			}
			for i, place := range some {
				states[place] = found[i]
			}
		}
	}
	return states, nil
}

// statesOf returns where ids of one queue are. It is a transaction: between two
// single commands a delivery could begin, and would look as if it were active
// without a lease.
func (q *Queue) statesOf(ctx context.Context, queue string, ids []string) ([]State, error) {
	fields := make([]*redis.StringCmd, len(ids))
	leases := make([]*redis.FloatCmd, len(ids))
	_, err := q.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			fields[i] = p.HGet(ctx, taskKey(queue, id), "state")
			leases[i] = p.ZScore(ctx, key(queue, "lease"), id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("queue: states of %s: %w", queue, err)
	}
	states := make([]State, len(ids))
	for i := range ids {
		states[i] = State(fields[i].Val())
		lease, noLease := leases[i].Result()
		switch err := fields[i].Err(); {
		case errors.Is(err, redis.Nil):
			states[i] = Absent
		case err != nil:
			return nil, fmt.Errorf("queue: state of %s in %s: %w", ids[i], queue, err)
		case states[i] == Active && (noLease != nil || lease < float64(orphaned())):
			states[i] = Orphaned
		case states[i] == Active && lease < float64(time.Now().Add(silence).Unix()):
			states[i] = Silent
		}
	}
	return states, nil
}

// orphaned returns the end of a lease, in Unix seconds, before which its
// delivery is an orphan.
func orphaned() int64 { return time.Now().Add(-orphanAge).Unix() }

// Walk calls visit with every delivery of ours that waits or is archived, in
// all queues that asynq knows, 500 per round trip, until visit returns an error.
// Deliveries that move meanwhile may be seen twice, or in the state they left.
func (q *Queue) Walk(ctx context.Context, visit func(Delivery, State) error) error {
	queues, err := q.Redis.SMembers(ctx, allQueues).Result()
	if err != nil {
		return fmt.Errorf("queue: names of the queues: %w", err)
	}
	for _, queue := range queues {
		if err := q.walkPending(ctx, queue, visit); err != nil {
			return err
		}
		for _, s := range []State{Scheduled, Retrying, Archived} {
			if err := q.walkSet(ctx, queue, s, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// walkPending goes from the end where asynq adds to the end where it takes, so
// that what is added meanwhile shows an entry twice and hides none.
func (q *Queue) walkPending(ctx context.Context, queue string, visit func(Delivery, State) error) error {
	for start := int64(0); ; start += page {
		ids, err := q.Redis.LRange(ctx, key(queue, string(Pending)), start, start+page-1).Result()
		if err != nil {
			return fmt.Errorf("queue: pending deliveries of %s: %w", queue, err)
		}
		if err := visitAll(queue, ids, Pending, visit); err != nil {
			return err
		}
		if len(ids) < page {
			return nil
		}
	}
}

func (q *Queue) walkSet(ctx context.Context, queue string, s State, visit func(Delivery, State) error) error {
	for cursor := uint64(0); ; {
		pairs, next, err := q.Redis.ZScan(ctx, key(queue, string(s)), cursor, "", page).Result()
		if err != nil {
			return fmt.Errorf("queue: %s deliveries of %s: %w", s, queue, err)
		}
		ids := make([]string, 0, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 { // member, score, member, score …
			ids = append(ids, pairs[i])
		}
		if err := visitAll(queue, ids, s, visit); err != nil {
			return err
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

// visitAll leaves out ids that are not ours: another program may use the same Redis.
func visitAll(queue string, ids []string, s State, visit func(Delivery, State) error) error {
	provider, priority := parseQueue(queue)
	for _, id := range ids {
		ref, ours := parseID(id)
		if !ours {
			continue
		}
		if err := visit(Delivery{Ref: ref, Provider: provider, Priority: priority}, s); err != nil {
			return err
		}
	}
	return nil
}

// WasRun reports whether a person pressed Run on the archived delivery r that
// is being worked on now. A handler whose row has failed asks it: the other way such a
// delivery can come is that asynq lost the write that archived it, and then the
// delivery's last error is the one of asynq's recoverer and not ours.
//
// It holds for deliveries archived by a verdict or by Queue.Archive. One that a person
// archived in asynqmon carries our text only once Archive has stamped it. One that lies in
// the archive while it is worked on was not run: after Redis lost its data the same delivery can
// come twice at a time, and what archives the one puts the other away under it.
func (q *Queue) WasRun(ctx context.Context, r Delivery) (bool, error) {
	inspector := asynq.NewInspectorFromRedisClient(q.Redis)
	info, err := inspector.GetTaskInfo(r.Queue(), r.Ref.String())
	if errors.Is(err, asynq.ErrQueueNotFound) { // Redis lost its data and then was published to by an older client
		if err := q.EnsureQueues(ctx, []string{r.Provider}); err != nil {
			return false, err
		}
		info, err = inspector.GetTaskInfo(r.Queue(), r.Ref.String())
	}
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("queue: last error of %s: %w", r.Ref, err)
	}
	ours := strings.HasPrefix(info.LastErr, archivedPrefix) || strings.HasPrefix(info.LastErr, formerPrefix)
	return ours && info.State != asynq.TaskStateArchived, nil
}

// received returns the delivery that asynq handed over. Its id and its payload
// must name the same one: States, Remove and WasRun find it by the id.
func received(ctx context.Context, t *asynq.Task) (Delivery, error) {
	id, _ := asynq.GetTaskID(ctx)
	queue, _ := asynq.GetQueueName(ctx)
	ref, _ := parseID(id)
	r := Delivery{Ref: ref}
	r.Provider, r.Priority = parseQueue(queue)

	p, err := parsePayload(t.Payload())
	if err != nil {
		return r, err
	}
	if p.Task != ref.Task || p.Delivery != ref.Delivery {
		return r, errors.New("payload is of delivery " + strconv.FormatInt(p.Task, 10) + "." + strconv.Itoa(p.Delivery) + ", its id is " + id)
	}
	return r, nil
}
