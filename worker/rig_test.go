package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/picture/dir"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/worker"
)

// TestMain puts the process far from UTC, for SQLite compares times as text, and
// sees that no goroutine stays.
func TestMain(m *testing.M) {
	servertest.AtOnce(4)
	time.Local = time.FixedZone("Chatham", 12*3600+45*60)
	servertest.NothingStays(m)
}

// claim is what must hold, and how it is proven on an empty rig.
type claim struct {
	name  string
	prove func(r *rig)
}

// inBubble proves claims with SQLite and an in-process Redis, in fake time: the
// leases and back-offs are those of production and cost nothing. A look at an empty queue
// does, for the Redis starts Lua anew for each, so there are fewer of them. Under the
// race detector, which makes easel five times as slow, one in five is proven; make test
// proves all of them without it.
func inBubble(t *testing.T, claims []claim) {
	t.Helper()
	t.Parallel()
	for i, c := range claims {
		if servertest.UnderRace() && i%5 != 0 {
			continue
		}
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
	t.Parallel()
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := realRig(t, tables.Postgres(t), servertest.Redis(t).URL)
			r.svc.Retry.Base = 20 * time.Millisecond
			c.prove(r)
		})
	}
}

// rig is easel without its program: one database, one Redis, one picture folder
// and one service, in which a test starts and stops worker processes.
type rig struct {
	*testing.T
	tasks    *store.Store
	queue    *queue.Queue
	redis    redis.UniversalClient
	client   *enqueue.Client
	limiter  *limit.Limiter
	pictures *shelf
	painter  *painter
	svc      *provider.Service
	services provider.Services

	equip func(w *worker.Worker) // changes a worker before it starts; may be nil

	panics   panicHook
	mayPanic bool // it is what the test is about

	web  http.HandlerFunc // what the service's picture addresses lead to; see serves
	next atomic.Pointer[http.HandlerFunc]
	host string // where web is served
	http *http.Client

	lease    time.Duration
	every    time.Duration // of all loops that look
	poll     time.Duration // of a queue, if no message says that something was published
	forward  time.Duration // of what has become due
	patience time.Duration // of until
	drain    time.Duration // of a process that stops
	started  int
	real     bool
}

func bubbleRig(t *testing.T, database string) *rig {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	t.Cleanup(m.Close)
	// The address is an IP because go-redis resolves names outside of the bubble.
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", DialerRetries: 1, ContextTimeoutEnabled: true, PoolSize: 200, // its pool waits with timers that outlive a bubble
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }})
	r := &rig{T: t, redis: client, host: "http://painter.example", lease: 9 * time.Second, every: time.Second, poll: 5 * time.Second, forward: 2 * time.Second,
		patience: 15 * time.Minute, drain: 10 * time.Minute}
	r.http = &http.Client{Transport: served{r}}
	r.furnish(database)
	return r
}

// realRig is a rig on real servers, in real time. Its lease is long enough for a busy machine:
// a look that takes longer than a quarter of it is given up with its connection, and the new
// one costs more than the look.
func realRig(t *testing.T, database, address string) *rig {
	t.Helper()
	client, err := queue.Redis(address)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, real: true, redis: client, lease: 3 * time.Second, every: 200 * time.Millisecond, poll: 100 * time.Millisecond, forward: 200 * time.Millisecond,
		patience: 2 * time.Minute, drain: 10 * time.Second}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.web(w, req) }))
	t.Cleanup(server.Close)
	r.host, r.http = server.URL, &http.Client{Transport: provider.NewTransport()}
	r.furnish(database)
	return r
}

func (r *rig) furnish(database string) {
	r.Helper()
	r.Cleanup(func() { r.redis.Close() })
	tasks, err := store.Open(r.Context(), database)
	r.check(err)
	r.Cleanup(func() { tasks.Close() })
	folder, err := dir.New(r.TempDir(), "http://localhost/pictures")
	r.check(err)
	r.Cleanup(func() { folder.Close() })
	r.web = http.NotFound
	r.painter = newPainter()
	r.pictures = &shelf{Lister: folder, over: make(chan struct{})}
	r.svc = &provider.Service{Name: "painter", DefaultModel: "brush", Concurrency: 50, Timeout: 2 * time.Minute,
		Accounts: []provider.Account{{Name: "main", Provider: r.painter}},
		Prices:   provider.Prices{{Micros: 40_000, Currency: "USD", Version: "2026-01"}}}
	r.services = provider.Services{"painter": r.svc}
	r.tasks = tasks
	log := zerolog.New(zerolog.NewTestWriter(r)).With().Timestamp().Logger().Level(zerolog.InfoLevel).Hook(&r.panics)
	r.Cleanup(func() {
		if r.panics.seen.Load() && !r.mayPanic {
			r.Error("a step panicked")
		}
	})
	r.queue = &queue.Queue{Redis: r.redis, Log: log}
	r.limiter = &limit.Limiter{Redis: r.redis, Log: log}
	r.client = &enqueue.Client{Tasks: tasks, Queue: r.queue, Services: r.services, Log: log}
}

// panicHook notices in the log what a guard has turned into an error.
type panicHook struct{ seen atomic.Bool }

func (h *panicHook) Run(_ *zerolog.Event, _ zerolog.Level, message string) {
	if strings.Contains(message, "panic") {
		h.seen.Store(true)
	}
}

// process is one worker process with a relay and a reconciler.
type process struct {
	*worker.Worker
	heartStops context.CancelFunc // without it the process lives on as a zombie
	ending     context.CancelFunc
	ended      chan error
}

// start starts a process. It is drained when the test ends at the latest.
func (r *rig) start() *process {
	r.Helper()
	ctx, ending := context.WithCancel(context.WithoutCancel(r.Context()))
	beating, heartStops := context.WithCancel(context.WithoutCancel(ctx))
	p := &process{heartStops: heartStops, ending: ending, ended: make(chan error, 1), Worker: r.worker(ctx.Done())}
	var support, servers errgroup.Group
	limiting, stopLimiter := context.WithCancel(context.WithoutCancel(ctx))
	support.Go(func() error { return p.Worker.Run(beating) })
	support.Go(func() error { return r.limiter.Run(limiting) })
	for _, name := range r.services.Names() {
		server := &queue.Server{Queue: r.queue, Provider: name, Handler: p.Handle, Concurrency: r.svc.Concurrency,
			Drain: r.drain, Poll: r.poll, Forward: r.forward}
		servers.Go(func() error { return server.Run(ctx) })
	}
	servers.Go(func() error { return r.relay().Run(ctx) })
	servers.Go(func() error { return r.reconciler().Run(ctx) })
	go func() {
		err := servers.Wait()
		heartStops()
		stopLimiter()
		p.ended <- errors.Join(err, support.Wait())
	}()
	r.Cleanup(func() { r.stop(p) })
	return p
}

// worker is one that does not run.
func (r *rig) worker(draining <-chan struct{}) *worker.Worker {
	r.started++
	w := &worker.Worker{Self: store.Worker{ID: fmt.Sprintf("worker-%d", r.started), Host: "test"}, Journal: journalOver(r.tasks), Leases: r.tasks, Tasks: r.tasks, OpenCalls: r.tasks, Services: r.services,
		Limiter: r.limiter, Pictures: r.pictures, Checker: &codec.Checker{}, Client: &provider.Client{HTTP: r.http},
		Redeliveries: r.queue, Draining: draining, Lease: r.lease, Log: r.queue.Log.With().Int("process", r.started).Logger()}
	if r.equip != nil {
		r.equip(w)
	}
	return w
}

// journalOver is the journal over s: with EASEL_JOURNAL=batched that which writes together.
func journalOver(s *store.Store) worker.Journal {
	if os.Getenv("EASEL_JOURNAL") == "batched" {
		return store.NewBatched(s)
	}
	return s
}

func (r *rig) relay() *enqueue.Relay {
	return &enqueue.Relay{Tasks: r.tasks, Queue: r.queue, Services: r.services, Every: r.every, Log: r.queue.Log}
}

func (r *rig) reconciler() *enqueue.Reconciler {
	return &enqueue.Reconciler{Tasks: r.tasks, Queue: r.queue, Services: r.services, Every: r.every, Sweep: 5 * r.every,
		Lease: r.lease, Grace: 5 * r.every, Log: r.queue.Log}
}

// stop drains the process and returns when it has ended.
func (r *rig) stop(p *process) {
	r.Helper()
	p.ending()
	if p.ended == nil {
		return
	}
	err := <-p.ended
	p.ended = nil // also for the end of the test, if this ends it
	r.check(err)
}

// serves changes what the addresses lead to while workers run.
func (r *rig) serves(f http.HandlerFunc) { r.next.Store(&f) }

// served is an http.RoundTripper that needs no network.
type served struct{ r *rig }

func (s served) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	web := s.r.web
	if next := s.r.next.Load(); next != nil {
		web = *next
	}
	web(w, req)
	return w.Result(), nil
}
