package limit

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider"
)

const account = "openai/main"

// cluster is some workers' limiters on one Redis.
type cluster struct {
	t    *testing.T
	addr string
}

// onEach runs the claim against the real Redis and the in-process one.
func onEach(t *testing.T, claim string, f func(t *testing.T, c cluster)) {
	t.Run(claim, func(t *testing.T) {
		t.Run("redis", func(t *testing.T) {
			t.Parallel()
			o, err := redis.ParseURL(servertest.Redis(t).URL)
			if err != nil {
				t.Fatal(err)
			}
			f(t, cluster{t, o.Addr})
		})
		t.Run("miniredis", func(t *testing.T) {
			t.Parallel()
			f(t, cluster{t, miniredis.RunT(t).Addr()})
		})
	})
}

// worker is one more worker's limiter, with connections of its own. Its times
// are long, for a slow machine; tests that wait for them shorten them.
func (c cluster) worker() *Limiter {
	client := redis.NewClient(&redis.Options{Addr: c.addr})
	c.t.Cleanup(func() { client.Close() })
	return &Limiter{Redis: client, Lease: time.Minute, Breaker: Breaker{Failures: 3, Open: time.Minute}}
}

// acquireOn acquires one call, or returns nil and checks that the wait is sound.
func acquireOn(t *testing.T, l *Limiter, want provider.Limits) *Slot {
	t.Helper()
	g, wait, err := l.Acquire(t.Context(), account, want)
	if err != nil {
		t.Fatal(err)
	}
	if (g == nil) != (wait > 0) {
		t.Fatalf("slot %v with a wait of %s", g, wait)
	}
	return g
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, l *Limiter) Status {
	t.Helper()
	s, err := l.Status(t.Context(), account)
	must(t, err)
	return s
}

// running runs the limiter's loop until stop is called or t ends.
func running(t *testing.T, l *Limiter) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var stopped atomic.Bool
	stop = func() {
		if !stopped.CompareAndSwap(false, true) {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits for the claim to come true and returns how long it took.
func eventually(t *testing.T, otherwise string, claim func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !claim() {
		select {
		case <-deadline:
			t.Fatal(otherwise)
		case <-tick.C:
		}
	}
	return time.Since(start)
}

// during checks the claim again and again for d.
func during(t *testing.T, d time.Duration, otherwise string, claim func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for over := time.After(d); ; {
		if !claim() {
			t.Fatal(otherwise)
		}
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}

// hook sees every command on its way to Redis.
type hook func(redis.Cmder)

func (h hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h(cmd)
		return next(ctx, cmd)
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds) }
}
