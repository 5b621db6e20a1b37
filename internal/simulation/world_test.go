package simulation

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

const (
	lease       = 9 * time.Second
	callTimeout = 150 * time.Second
	jobDeadline = 10 * time.Minute
	grace       = 4 * time.Minute // of a worker that is told to stop; longer than any call
	producers   = -2              // the slot of producers
	people      = -3              // the slot of persons and of the simulation itself: no fault meets them
)

// plan is all that a run depends on, besides the order in which goroutines run.
type plan struct {
	Seed      uint64
	Workers   int
	Tasks     int
	First     time.Duration // when the first task comes
	Over      time.Duration // in which the tasks come
	Providers []string      // each is a class and a policy: "sync-hold", "async-retry"
	Faults    []fault
	Until     time.Duration // when the faults end
}

// world is one run: one database, one Redis, one shelf of pictures and one
// fake provider, in which processes come and go.
type world struct {
	plan
	began        time.Time
	rnd          *rand.Rand // of people and vandals only
	db           *database
	redis        *miniredis.Miniredis
	fakeProvider *fakeProvider
	shelf        *shelf
	book         *book
	log          zerolog.Logger
	logged       *logged

	mu          sync.Mutex
	armed       []*armed
	noRedis     outage
	noDatabase  outage
	noStorage   outage
	noPolls     outage
	noDownloads outage
	slots       []*process
	producer    *process
	all         []*process
	number      int
	closing     bool
	helpers     sync.WaitGroup // what faults have still to do
	person      *process
}

// newWorld must be called inside of a bubble.
func newWorld(p plan) *world {
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	w := &world{plan: p, began: time.Now(), rnd: rand.New(rand.NewPCG(p.Seed, 1)), db: newDatabase(), redis: m, logged: &logged{}}
	w.book = newBook(w)
	w.fakeProvider = newFakeProvider(w)
	w.shelf = newShelf()
	w.log = zerolog.New(w.logged).Level(zerolog.InfoLevel).With().Timestamp().Logger()
	w.slots = make([]*process, p.Workers)
	return w
}

func (w *world) now() time.Duration { return time.Since(w.began) }

// logged keeps what the product says.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// open makes a process with its own connections to everything.
func (w *world) open(id string, slot int) *process {
	p := &process{id: id, slot: slot, sessions: make(map[*session]bool), conns: make(map[net.Conn]bool)}
	for _, f := range w.Faults {
		if f.Kind == clockOff && f.Slot == slot {
			p.skew = f.For
		}
	}
	p.db = w.connect(p)
	tasks, err := store.OpenDB(p.db, migrations.SQLite)
	if err != nil {
		panic(err)
	}
	p.tasks = tasks
	p.redis = w.connectRedis(p)
	log := w.log.With().Str("process", id).Logger()
	p.queue = &queue.Queue{Redis: p.redis, Log: log}
	p.client = &enqueue.Client{Tasks: p.tasks, Queue: p.queue, Services: w.services(p), Log: log}
	w.mu.Lock()
	w.all = append(w.all, p)
	w.mu.Unlock()
	return p
}

// classAndPolicy takes the name of a provider apart.
func classAndPolicy(name string) (class, policy string) {
	class, policy, _ = strings.Cut(name, "-")
	return class, policy
}

// services are the configured providers as p reaches them.
func (w *world) services(p *process) provider.Services {
	all := make(provider.Services)
	for _, name := range w.Providers {
		class, policy := classAndPolicy(name)
		all[name] = &provider.Service{Name: name, DefaultModel: "brush", Concurrency: 20, Timeout: callTimeout, Deadline: jobDeadline,
			Retry:    task.Retry{OnUnknown: task.OnUnknown(policy)},
			Accounts: []provider.Account{{Name: "main", Provider: &adapter{w: w, p: p, name: name, class: class, Key: accountKey}, Limits: provider.Limits{InFlight: 20}}},
			Prices:   provider.Prices{{Micros: 40_000, Currency: "USD", Version: "1"}}}
	}
	return all
}

// start starts a worker process in the slot, as `easel worker` wires one.
func (w *world) start(slot int) {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return
	}
	w.number++
	id := fmt.Sprintf("w%d.%d", slot, w.number)
	w.mu.Unlock()

	p := w.open(id, slot)
	services, log := p.client.Services, p.client.Log
	ctx, ending := context.WithCancel(context.Background())
	p.ending, p.ended = ending, make(chan struct{})
	limiter := &limit.Limiter{Redis: p.redis, Log: log}
	wk := &worker.Worker{Self: store.Worker{ID: id, Host: "simulation"}, Journal: journalOver(p.tasks), Leases: p.tasks, Tasks: p.tasks, OpenCalls: p.tasks, Services: services, Limiter: limiter,
		Pictures: hand{w, p}, Checker: &codec.Checker{}, Client: &provider.Client{HTTP: &http.Client{Transport: &adapter{w: w, p: p, Key: accountKey}}},
		Redeliveries: p.queue, Draining: ctx.Done(), Lease: lease, Log: log}

	supporting, stop := context.WithCancel(context.Background())
	var support, servers errgroup.Group
	support.Go(func() error { return wk.Run(supporting) })
	support.Go(func() error { return limiter.Run(supporting) })
	support.Go(func() error {
		return p.queue.WatchCancels(supporting, func(ref task.Ref) { p.client.Cancel(supporting, task.Seen{Task: ref.Task}) })
	})
	for _, name := range services.Names() {
		s := &queue.Server{Queue: p.queue, Provider: name, Handler: wk.Handle, Concurrency: 20, Drain: grace, Poll: time.Second, Forward: time.Second}
		servers.Go(func() error { return s.Run(ctx) })
	}
	relay := &enqueue.Relay{Tasks: p.tasks, Queue: p.queue, Services: services, Log: log}
	servers.Go(func() error { return relay.Run(ctx) })
	reconciler := &enqueue.Reconciler{Tasks: p.tasks, Queue: p.queue, Services: services, Lease: lease, Log: log}
	servers.Go(func() error { return reconciler.Run(ctx) })
	go func() {
		defer close(p.ended)
		servers.Wait()
		stop()
		support.Wait()
	}()
	w.mu.Lock()
	w.slots[slot] = p
	w.mu.Unlock()
}

func (w *world) in(slot int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slot < 0 {
		return w.producer
	}
	return w.slots[slot]
}

func (w *world) everybody() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*process(nil), w.all...)
}

// later does f after d. The world does not end before that.
func (w *world) later(d time.Duration, f func()) {
	w.helpers.Go(func() {
		<-time.After(d)
		f()
	})
}

// kill kills p; another process takes its slot after d.
func (w *world) kill(p *process, d time.Duration) {
	if p == nil || p.slot == people {
		return
	}
	p.freeze()
	if p.slot == producers {
		w.replaceProducer()
		return
	}
	if w.in(p.slot) == p {
		w.vacate(p.slot)
		w.later(max(d, time.Second), func() { w.start(p.slot) })
	}
}

func (w *world) vacate(slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slots[slot] = nil
}

// pause freezes p for d.
func (w *world) pause(p *process, d time.Duration) {
	if p == nil || p.slot == people || !p.running() {
		return
	}
	p.freeze()
	w.later(d, func() {
		if p.slot == producers || w.in(p.slot) == p { // else it was killed meanwhile
			p.thaw()
		}
	})
}

// drain tells p to stop; another process takes its slot when it has.
func (w *world) drain(p *process, d time.Duration) {
	if p == nil || p.slot < 0 {
		return
	}
	p.ending()
	w.helpers.Go(func() {
		<-p.ended
		if w.in(p.slot) == p {
			<-time.After(d)
			w.start(p.slot)
		}
	})
}

func (w *world) replaceProducer() {
	w.mu.Lock()
	old := w.producer
	w.number++
	id := fmt.Sprintf("p.%d", w.number)
	w.mu.Unlock()
	if old != nil { // its clients see at once that it is gone
		old.freeze()
		old.breakOff()
	}
	p := w.open(id, producers)
	w.mu.Lock()
	w.producer = p
	w.mu.Unlock()
}

// journalOver is the journal over s: with EASEL_JOURNAL=batched that which writes together.
func journalOver(s *store.Store) worker.Journal {
	if os.Getenv("EASEL_JOURNAL") == "batched" {
		return store.NewBatched(s)
	}
	return s
}
