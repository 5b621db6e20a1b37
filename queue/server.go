package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"
)

// Server takes the deliveries of one provider.
type Server struct {
	Queue    *Queue
	Provider string

	// Handler takes one delivery and returns its verdict. A panic is logged, and the delivery
	// comes again after five seconds.
	//
	// Its context ends when Drain is over and at no other time. It is detached
	// from asynq's own, which ends when Redis was out of reach for half a minute: a
	// call that is being paid for must not die of that. asynq then gives the
	// delivery up while Handler still runs and ignores its verdict, so the same
	// delivery may come a second time, here or elsewhere.
	//
	// A Handler that waits watches the context given to Run as well, and hands its
	// work back with a Retry when that one ends.
	Handler func(ctx context.Context, d Delivery) Verdict

	Concurrency int           // handlers at once, never more; default 10
	Drain       time.Duration // how long running handlers may go on after Run's context ended; default 2 min
	Poll        time.Duration // longest pause between two looks at empty queues, when no message says that something was published; default 1 s
	Forward     time.Duration // pause between two looks at what has become due; default 500 ms
}

const (
	// lastCall is how long a handler may take to return once its context has ended.
	lastCall = time.Second
	// stopGrace is how long asynq's own loops may take to stop after the handlers.
	// Their writes end with the leases, after half a minute; one of them, the
	// subscription, can wait for a Redis that hangs without a limit.
	stopGrace = 30 * time.Second
)

// Run takes deliveries until ctx ends. It then fetches no more and waits for the
// running handlers, at most for Drain; then it ends their context and waits one
// second more. It returns nil when all have returned and asynq has stopped, and
// an error that says what has not. The deliveries of handlers that stay are put
// back and come elsewhere.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Validate(); err != nil {
		return err
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	running := &run{
		Server: *s,
		ctx:    work,
		ending: ctx.Done(),
		slots:  make(chan struct{}, cmp.Or(s.Concurrency, 10)),
	}
	running.Drain = cmp.Or(s.Drain, 2*time.Minute)
	running.Queue = &Queue{Redis: s.Queue.Redis, Log: s.Queue.Log.With().Str("provider", s.Provider).Logger()}

	published := newWakeUp()
	listening, stop := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		published.listen(listening, s.Queue.Redis, s.Provider)
	}()
	defer func() { stop(); <-stopped }()

	idle := &waiter{queues: len(queueNames(s.Provider)), poll: cmp.Or(s.Poll, time.Second), wakeUp: published, empty: make(map[string]bool),
		wake: func() { running.Queue.wakeServers(work, s.Provider) }}
	subscriptions, unsubscribe := separate(s.Queue.Redis)
	server := asynq.NewServerFromRedisClient(serverClient{s.Queue.Redis, ctx.Done(), idle, subscriptions}, running.config())
	if err := server.Start(asynq.HandlerFunc(running.take)); err != nil {
		return errors.Join(fmt.Errorf("queue: server of %s: %w", s.Provider, err), unsubscribe())
	}
	<-ctx.Done()
	return running.drain(cancel, func() {
		server.Stop()
		server.Shutdown()
		_ = unsubscribe() // nobody listens any more
	})
}

// Validate reports every field of s that Run cannot work with.
func (s *Server) Validate() error {
	var errs []error
	if s.Queue == nil || s.Queue.Redis == nil {
		errs = append(errs, errors.New("queue: server has no redis client"))
	}
	if s.Handler == nil {
		errs = append(errs, errors.New("queue: server has no handler"))
	}
	if s.Concurrency < 0 || s.Concurrency > 100_000 {
		errs = append(errs, fmt.Errorf("queue: concurrency is %d; it must be 1 to 100000, or 0 for 10", s.Concurrency))
	}
	for name, d := range map[string]time.Duration{"drain": s.Drain, "poll": s.Poll, "forward": s.Forward} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("queue: %s is %s; it must not be negative", name, d))
		}
	}
	return errors.Join(append(errs, validProvider(s.Provider))...)
}

// run is one run of a Server.
type run struct {
	Server
	ctx    context.Context // of all handlers; outlives ending by up to Drain
	ending <-chan struct{}

	// slots holds one token per running handler. asynq's own limit is not enough:
	// it gives the slot of a handler away as soon as its own context ends.
	slots chan struct{}
}

func (r *run) config() asynq.Config {
	return asynq.Config{
		Concurrency:              cap(r.slots),
		Queues:                   queueNames(r.Provider),
		TaskCheckInterval:        time.Microsecond, // asynq sleeps so long after each round of empty queues; the waiting is done by waiter
		DelayedTaskCheckInterval: cmp.Or(r.Forward, 500*time.Millisecond),
		JanitorInterval:          time.Hour,          // nothing of ours is retained
		ShutdownTimeout:          r.Drain + lastCall, // then asynq puts what still runs back
		RetryDelayFunc:           retryDelay,
		IsFailure:                func(error) bool { return false }, // the row counts tries
		Logger:                   asynqLog{r.Queue.Log},
		LogLevel:                 asynqLevel(r.Queue.Log),
	}
}

// take is asynq's handler.
func (r *run) take(outer context.Context, t *asynq.Task) error {
	d, err := received(outer, t)
	if err != nil {
		r.log(d).Err(err).Msg("delivery not understood")
		return r.tell(d, unreadable(err))
	}
	if !r.enter(outer) {
		return Verdict{Action: Retry, Reason: "the worker is stopping"}.asynq(false)
	}
	defer func() { <-r.slots }()
	return r.tell(d, r.handle(d))
}

// tell is how asynq is told a verdict on the delivery. A person's Run is kept alive through
// a handler that had to wait before it could act on it. If Redis cannot say, the Run is lost
// and can be repeated.
func (r *run) tell(d Delivery, v Verdict) error {
	if v.Action != Retry {
		return v.asynq(false)
	}
	wasRun, err := r.Queue.WasRun(r.ctx, d)
	return v.asynq(wasRun && err == nil)
}

// enter waits for a slot. It reports false when the worker drains, or when
// asynq has taken the delivery back meanwhile.
func (r *run) enter(outer context.Context) bool {
	select {
	case r.slots <- struct{}{}:
	case <-r.ending:
		return false
	case <-outer.Done():
		return false
	}
	select {
	case <-r.ending: // both were ready
		<-r.slots
		return false
	default:
		return true
	}
}

// handle calls the Handler and makes a verdict of its panic.
func (r *run) handle(d Delivery) (v Verdict) {
	defer func() {
		if cause := recover(); cause != nil {
			r.log(d).Str("stack", string(debug.Stack())).Msgf("handler panicked: %v", cause)
			v = Verdict{Action: Retry, After: errorDelay, Reason: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	return r.Handler(r.ctx, d)
}

// drain stops asynq and waits for the handlers, both at once: asynq counts its
// ShutdownTimeout from here.
func (r *run) drain(cancel context.CancelFunc, stop func()) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	left := r.wait(cap(r.slots), r.Drain)
	cancel()
	left = r.wait(left, lastCall)

	var errs []error
	if left > 0 {
		errs = append(errs, fmt.Errorf("queue: %d handlers of %s still run after a drain of %s", left, r.Provider, r.Drain))
	}
	select {
	case <-stopped:
	case <-time.After(stopGrace):
		errs = append(errs, fmt.Errorf("queue: asynq's server of %s still waits for redis after %s", r.Provider, stopGrace))
	}
	return errors.Join(errs...)
}

// wait takes n slots, for at most d, and returns how many it did not get.
func (r *run) wait(n int, d time.Duration) int {
	over := time.NewTimer(d)
	defer over.Stop()
	for ; n > 0; n-- {
		select {
		case r.slots <- struct{}{}:
		case <-over.C:
			return n
		}
	}
	return 0
}
