package queue

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// TestOutage is in fake time: asynq gives a delivery up when it could not
// extend its lease for thirty seconds.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true)
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", DialerRetries: 1, MaxRetries: -1,
			Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }})
		down := &outage{}
		client.AddHook(down)
		q := &Queue{Redis: client}
		entered, leave := make(chan context.Context, 3), make(chan struct{})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		s := Server{Queue: q, Provider: "openai", Concurrency: 1, Poll: time.Second, Handler: func(ctx context.Context, _ Delivery) Verdict {
			entered <- ctx
			<-leave
			return Verdict{}
		}}
		go func() { ended <- s.Run(ctx) }()
		publishAll(t, q, delivery(1))
		work := <-entered

		down.now.Store(true)
		<-time.After(45 * time.Second)
		down.now.Store(false)
		publishAll(t, q, delivery(2))
		<-time.After(10 * time.Second)
		if work.Err() != nil || len(entered) != 0 {
			t.Errorf("the handler's context: %v; %d more share its slot", work.Err(), len(entered))
		}
		if got := state(t, q, delivery(2)); got != Active {
			t.Errorf("asynq gave no slot away, so this test proves nothing: the other is %s", got)
		}
		close(leave)
		<-entered
		<-time.After(3 * time.Minute)
		if len(entered) != 1 || state(t, q, delivery(1)) != Absent {
			t.Errorf("the first came %d times again and is %s", len(entered), state(t, q, delivery(1)))
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		must(t, client.Close())
		m.Close()
	})
}

// outage fails commands while it lasts.
type outage struct{ now atomic.Bool }

func (*outage) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *outage) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if o.now.Load() {
			cmd.SetErr(errors.New("connection reset"))
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func (*outage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestServerClient(t *testing.T) {
	t.Run("asynq asks a Redis that refuses about three times a second", func(t *testing.T) {
		client, calls := refusing(t)
		s := asynq.NewServerFromRedisClient(serverClient{client, make(chan struct{}), &waiter{wakeUp: newWakeUp(), empty: make(map[string]bool)}, client}, asynq.Config{
			Queues: map[string]int{"openai": 1}, Logger: asynqLog{zerolog.Nop()}, DelayedTaskCheckInterval: time.Hour})
		must(t, s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })))
		<-time.After(time.Second)
		if n := calls.Load(); n > 40 { // heartbeat and subscription ask as well
			t.Errorf("it asked %d times in a second", n)
		}
		s.Stop()
		go s.Shutdown()
	})
	t.Run("A drain does not wait for patience", func(t *testing.T) {
		client, _ := refusing(t)
		draining := make(chan struct{})
		close(draining)
		start := time.Now()
		if err := (serverClient{client, draining, &waiter{wakeUp: newWakeUp(), empty: make(map[string]bool)}, client}).EvalSha(t.Context(), "sha", nil).Err(); err == nil {
			t.Error("it did not fail")
		}
		if took := time.Since(start); took > patience/2 {
			t.Errorf("it took %s", took)
		}
	})
}

// TestSeparateWhileTheClientConnects is for the race detector.
func TestSeparateWhileTheClientConnects(t *testing.T) {
	m := miniredis.RunT(t)
	for range 50 {
		client := redis.NewClient(&redis.Options{Addr: m.Addr()})
		connected := make(chan error)
		go func() { connected <- client.Ping(t.Context()).Err() }()
		for {
			_, done := separate(client)
			must(t, done())
			select {
			case err := <-connected:
				must(t, errors.Join(err, client.Close()))
			default:
				continue
			}
			break
		}
	}
}

// refusing returns a client whose commands all fail, and how many there were.
func refusing(t *testing.T) (redis.UniversalClient, *atomic.Int64) {
	var calls atomic.Int64
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", DialerRetries: 1})
	client.AddHook(refuse{&calls})
	t.Cleanup(func() { client.Close() })
	return client, &calls
}

// refuse is a Redis that answers every command with an error, at once.
type refuse struct{ calls *atomic.Int64 }

func (refuse) DialHook(next redis.DialHook) redis.DialHook { return next }
func (r refuse) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		r.calls.Add(1)
		cmd.SetErr(errors.New("NOAUTH Authentication required"))
		return cmd.Err()
	}
}
func (refuse) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
