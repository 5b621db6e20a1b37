package enqueue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// TestMain puts the process far from UTC, for SQLite compares times as text, and
// sees that no goroutine stays.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("Chatham", 12*3600+45*60)
	servertest.NothingStays(m)
}

// claim is what must hold, and how it is proven on an empty rig.
type claim struct {
	name  string
	prove func(r *rig)
}

// inBubble proves claims with SQLite and an in-process Redis, in fake time.
func inBubble(t *testing.T, claims []claim) {
	t.Helper()
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			database := tables.SQLite(t) // outside of the bubble
			synctest.Test(t, func(t *testing.T) { c.prove(bubbleRig(t, database)) })
		})
	}
}

// onServers proves claims with Postgres and Redis, in real time.
func onServers(t *testing.T, claims []claim) {
	t.Helper()
	address := servertest.Redis(t).URL
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			client, err := queue.Redis(address)
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{T: t, redis: client, every: 50 * time.Millisecond, lease: 2 * time.Second, patience: 20 * time.Second}
			r.furnish(tables.Postgres(t))
			r.check(client.FlushAll(t.Context()).Err())
			c.prove(r)
		})
	}
}

// rig is a database and a Redis; nobody works on tasks.
type rig struct {
	*testing.T
	tasks    *store.Store
	redis    redis.UniversalClient
	queue    *queue.Queue
	client   *enqueue.Client
	services provider.Services
	down     atomic.Bool // Redis refuses every command

	lease, every, patience time.Duration
}

func bubbleRig(t *testing.T, database string) *rig {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	t.Cleanup(m.Close)
	// The address is an IP because go-redis resolves names outside of the bubble.
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", DialerRetries: 1, ContextTimeoutEnabled: true, PoolSize: 200, // its pool waits with timers that outlive a bubble
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }})
	r := &rig{T: t, redis: client, every: time.Second, lease: 9 * time.Second, patience: time.Hour}
	r.furnish(database)
	return r
}

func (r *rig) furnish(database string) {
	r.Helper()
	r.Cleanup(func() { r.redis.Close() })
	r.redis.AddHook(outage{&r.down})
	tasks, err := store.Open(r.Context(), database)
	r.check(err)
	r.Cleanup(func() { tasks.Close() })
	r.services = provider.Services{"painter": {Name: "painter", DefaultModel: "brush", Accounts: []provider.Account{{Name: "main", Provider: painter{}}}}}
	log := zerolog.New(zerolog.NewTestWriter(r)).Level(zerolog.InfoLevel)
	r.tasks, r.queue = tasks, &queue.Queue{Redis: r.redis, Log: log}
	r.client = &enqueue.Client{Tasks: tasks, Queue: r.queue, Services: r.services, Log: log}
}

// runs starts a loop that ends with the test, or when the returned function is called.
func (r *rig) runs(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			r.check(<-ended)
		}
	}
	r.Cleanup(stop)
	return stop
}

func (r *rig) relay() *enqueue.Relay {
	return &enqueue.Relay{Tasks: r.tasks, Queue: r.queue, Services: r.services, Every: r.every, Log: r.queue.Log}
}

func (r *rig) reconciler() *enqueue.Reconciler {
	return &enqueue.Reconciler{Tasks: r.tasks, Queue: r.queue, Services: r.services, Every: r.every, Sweep: 5 * r.every,
		Lease: r.lease, Grace: 5 * r.every, Log: r.queue.Log}
}

// painter is a service that is never called.
type painter struct{ provider.Sync }

func (painter) Capabilities(string) provider.Capabilities { return provider.Capabilities{MaxImages: 4} }
func (painter) Prepare(q provider.Request) (provider.Call, error) {
	return provider.NewCall("/draw", q.Model, q.Prompt)
}
func (painter) Submit(context.Context, provider.Call) (provider.Answer, error) {
	return provider.Answer{}, errors.New("nobody works here")
}

// outage is a hook that refuses commands while it lasts.
type outage struct{ down *atomic.Bool }

func (outage) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o outage) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if o.down.Load() {
			cmd.SetErr(errors.New("connection refused"))
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func (o outage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if o.down.Load() {
			return errors.New("connection refused")
		}
		return next(ctx, cmds)
	}
}

func (r *rig) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// facts are values by their names, so that a failure names those that differ.
type facts map[string]any

func (r *rig) same(got, want any) {
	r.Helper()
	if d := cmp.Diff(want, got); d != "" {
		r.Errorf("want (-), got (+):\n%s", d)
	}
}

func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	tick := time.NewTicker(r.every / 4)
	defer tick.Stop()
	limit := time.NewTimer(r.patience)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			r.Fatalf("in vain: %s", what)
		}
	}
}

// passes lets time go by, for claims that something does not happen.
func (r *rig) passes(d time.Duration) { <-time.After(d) }

func (r *rig) exec(query string) {
	r.Helper()
	if _, err := r.tasks.DB().ExecContext(r.Context(), query); err != nil {
		r.Fatalf("%s: %v", query, err)
	}
}

func (r *rig) get(id int64) *task.Task {
	r.Helper()
	t, err := r.tasks.Get(r.Context(), id)
	r.check(err)
	return t
}

// lighthouse is a task as an app makes it.
func lighthouse() *task.Task {
	return &task.Task{Request: task.Request{Provider: "painter", Prompt: "a lighthouse"}}
}

// inserts stores a task that nobody publishes.
func (r *rig) inserts(t *task.Task) *task.Task {
	r.Helper()
	_, err := r.tasks.Insert(r.Context(), []*task.Task{t})
	r.check(err)
	return t
}

func (r *rig) where(ref task.Ref) queue.State {
	r.Helper()
	states, err := r.queue.States(r.Context(), []queue.Delivery{{Ref: ref, Provider: "painter"}})
	r.check(err)
	return states[0]
}

func (r *rig) in(ref task.Ref, s queue.State) {
	r.Helper()
	r.until(fmt.Sprintf("delivery %s is %s", ref, s), func() bool { return r.where(ref) == s })
}

// publishes puts a delivery into the queue that no row asked for.
func (r *rig) publishes(delivery queue.Delivery) {
	r.Helper()
	r.check(r.queue.Publish(r.Context(), []queue.Delivery{delivery})[0])
}

// archives does what asynqmon's Archive does.
func (r *rig) archives(ref task.Ref) {
	r.Helper()
	id := ref.String()
	r.check(r.redis.LRem(r.Context(), "asynq:{painter}:pending", 0, id).Err())
	r.check(r.redis.ZRem(r.Context(), "asynq:{painter}:scheduled", id).Err())
	r.check(r.redis.ZAdd(r.Context(), "asynq:{painter}:archived", redis.Z{Score: float64(time.Now().Unix()), Member: id}).Err())
	r.check(r.redis.HSet(r.Context(), "asynq:{painter}:t:"+id, "state", "archived").Err())
}
