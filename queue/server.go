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

// Server hears the deliveries of one provider.
type Server struct {
	Queue    *Queue
	Provider string

	// Handler takes one delivery and returns its verdict: nil when the row needs
	// no further ringing, a *Later or a *Parked. Any other error, and a panic, is
	// logged and rings again after five seconds.
	//
	// Its context ends when Drain is over and at no other time. It is detached
	// from asynq's own, which ends when Redis was out of reach for half a minute: a
	// call that is being paid for must not die of that. asynq then gives the
	// delivery up while Handler still runs and ignores its verdict, so the same
	// delivery may ring a second time, here or elsewhere.
	//
	// A Handler that waits watches the context given to Run as well, and hands its
	// work back with Later{} when that one ends.
	Handler func(ctx context.Context, r Delivery) error

	Concurrency int           // handlers at once, never more; default 10
	Drain       time.Duration // how long running handlers may go on after Run's context ended; default 2 min
	Poll        time.Duration // longest pause between two looks at empty queues, when no message says that somebody rang; default 1 s
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

// Run hears deliveries until ctx ends. It then fetches no more and waits for the
// running handlers, at most for Drain; then it ends their context and waits one
// second more. It returns nil when all have returned and asynq has stopped, and
// an error that says what has not. The deliveries of handlers that stay are put
// back and ring elsewhere.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Validate(); err != nil {
		return err
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	run := &shift{
		Server: *s,
		ctx:    work,
		ending: ctx.Done(),
		slots:  make(chan struct{}, cmp.Or(s.Concurrency, 10)),
	}
	run.Drain = cmp.Or(s.Drain, 2*time.Minute)
	run.Queue = &Queue{Redis: s.Queue.Redis, Log: s.Queue.Log.With().Str("provider", s.Provider).Logger()}

	rang := newWakeUp()
	hearing, deafen := context.WithCancel(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		rang.listen(hearing, s.Queue.Redis, s.Provider)
	}()
	defer func() { deafen(); <-heard }()

	idle := &waiter{queues: len(queueNames(s.Provider)), poll: cmp.Or(s.Poll, time.Second), wakeUp: rang, empty: make(map[string]bool),
		wake: func() { run.Queue.wake(work, s.Provider) }}
	server := asynq.NewServerFromRedisClient(serverClient{s.Queue.Redis, ctx.Done(), idle}, run.config())
	if err := server.Start(asynq.HandlerFunc(run.take)); err != nil {
		return fmt.Errorf("queue: server of %s: %w", s.Provider, err)
	}
	<-ctx.Done()
	return run.drain(server, cancel)
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

// shift is one run of a Server.
type shift struct {
	Server
	ctx    context.Context // of all handlers; outlives ending by up to Drain
	ending <-chan struct{}

	// slots holds one token per running handler. asynq's own limit is not enough:
	// it gives the slot of a handler away as soon as its own context ends.
	slots chan struct{}
}

func (s *shift) config() asynq.Config {
	return asynq.Config{
		Concurrency:              cap(s.slots),
		Queues:                   queueNames(s.Provider),
		TaskCheckInterval:        time.Millisecond, // the waiting is done by idler
		DelayedTaskCheckInterval: cmp.Or(s.Forward, 500*time.Millisecond),
		JanitorInterval:          time.Hour,          // nothing of ours is retained
		ShutdownTimeout:          s.Drain + lastCall, // then asynq puts what still runs back
		RetryDelayFunc:           retryDelay,
		IsFailure:                func(error) bool { return false }, // the row counts tries
		Logger:                   asynqLog{s.Queue.Log},
		LogLevel:                 asynqLevel(s.Queue.Log),
	}
}

// take is asynq's handler. What it returns is always a verdict.
func (s *shift) take(outer context.Context, t *asynq.Task) error {
	delivery, err := received(outer, t)
	if err != nil {
		s.log(delivery).Err(err).Msg("delivery not understood")
		return s.verdict(delivery, err)
	}
	if !s.enter(outer) {
		return &Later{Reason: "the worker is stopping"}
	}
	defer func() { <-s.slots }()
	return s.verdict(delivery, s.handle(delivery))
}

// enter waits for a slot. It reports false when the worker drains, or when
// asynq has taken the delivery back meanwhile.
func (s *shift) enter(outer context.Context) bool {
	select {
	case s.slots <- struct{}{}:
	case <-s.ending:
		return false
	case <-outer.Done():
		return false
	}
	select {
	case <-s.ending: // both were ready
		<-s.slots
		return false
	default:
		return true
	}
}

// handle calls the Handler and makes an error of its panic.
func (s *shift) handle(r Delivery) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log(r).Str("stack", string(debug.Stack())).Msgf("handler panicked: %v", cause)
			err = &Later{After: errorDelay, Reason: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	return s.Handler(s.ctx, r)
}

// verdict makes a verdict of whatever a handler returned.
func (s *shift) verdict(r Delivery, err error) error {
	var later *Later
	var parked *Parked
	switch {
	case err == nil:
		return nil
	case errors.As(err, &parked):
		return parked
	case errors.As(err, &later):
	default:
		s.log(r).Err(err).Msg("handler gave no verdict; ringing again")
		later = &Later{After: errorDelay, Reason: err.Error()}
	}
	kept := *later
	kept.run = s.wasRun(r)
	return &kept
}

// wasRun keeps a person's Run alive through a handler that had to wait before
// it could act on it. If Redis cannot say, the Run is lost and can be repeated.
func (s *shift) wasRun(r Delivery) bool {
	run, err := s.Queue.WasRun(s.ctx, r)
	return run && err == nil
}

// drain stops asynq and waits for the handlers, both at once: asynq counts its
// ShutdownTimeout from here.
func (s *shift) drain(server *asynq.Server, cancel context.CancelFunc) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.Stop()
		server.Shutdown()
	}()
	left := s.wait(cap(s.slots), s.Drain)
	cancel()
	left = s.wait(left, lastCall)

	var errs []error
	if left > 0 {
		errs = append(errs, fmt.Errorf("queue: %d handlers of %s still run after a drain of %s", left, s.Provider, s.Drain))
	}
	select {
	case <-stopped:
	case <-time.After(stopGrace):
		errs = append(errs, fmt.Errorf("queue: asynq's server of %s still waits for redis after %s", s.Provider, stopGrace))
	}
	return errors.Join(errs...)
}

// wait takes n slots, for at most d, and returns how many it did not get.
func (s *shift) wait(n int, d time.Duration) int {
	over := time.NewTimer(d)
	defer over.Stop()
	for ; n > 0; n-- {
		select {
		case s.slots <- struct{}{}:
		case <-over.C:
			return n
		}
	}
	return 0
}
