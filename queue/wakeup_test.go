package queue

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// counting counts the commands of a client.
type counting struct{ calls *atomic.Int64 }

func (counting) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.calls.Add(1)
		return next(ctx, cmd)
	}
}
func (counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestAlarm(t *testing.T) {
	// waiting starts a server that looks again after poll and returns what it
	// hears, once it waits at its empty queues.
	waiting := func(t *testing.T, q *Queue, poll time.Duration) <-chan Delivery {
		t.Helper()
		heard := make(chan Delivery, 10)
		stop := serve(t, Server{Queue: quiet(q), Provider: "openai", Poll: poll, Forward: 20 * time.Millisecond,
			Handler: func(_ context.Context, r Delivery) Verdict { heard <- r; return Verdict{} }})
		t.Cleanup(func() { _ = stop() })
		eventually(t, "the server listens", func() bool {
			n, err := q.Redis.PubSubNumSub(t.Context(), wakeUpChannel("openai")).Result()
			return err == nil && n[wakeUpChannel("openai")] == 1
		})
		return heard
	}
	onBoth(t, claims{
		"A server that waits begins as soon as somebody publishes": func(t *testing.T, q *Queue) {
			heard := waiting(t, q, time.Hour)
			for id := range int64(30) {
				publishAll(t, q, delivery(id+1))
				receive(t, "the delivery", heard)
			}
		},
		"What has become due is begun at once": func(t *testing.T, q *Queue) {
			heard := waiting(t, q, time.Hour)
			later := delivery(1)
			later.At = time.Now().Add(time.Second)
			publishAll(t, q, later)
			receive(t, "the delivery", heard)
		},
		"Without the message a server looks again by itself": func(t *testing.T, q *Queue) {
			heard := waiting(t, q, 50*time.Millisecond)
			data, err := delivery(1).payload()
			must(t, err)
			client := asynq.NewClientFromRedisClient(q.Redis)
			_, err = client.Enqueue(asynq.NewTask(Type, data), asynq.TaskID("1.0"), asynq.Queue("openai"))
			must(t, err)
			receive(t, "the delivery", heard)
		},
		"A server with nothing to do asks Redis a few times a second": func(t *testing.T, q *Queue) {
			var calls atomic.Int64
			q.Redis.AddHook(counting{&calls})
			waiting(t, q, time.Second)
			before := calls.Load()
			<-time.After(time.Second)
			// Three queues and a look at two sets every 20 ms.
			if n := calls.Load() - before; n > 3*4+3*2*60 {
				t.Errorf("it asked %d times in a second", n)
			}
		},
	})
}
