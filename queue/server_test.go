package queue

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

func TestServer(t *testing.T) {
	onBoth(t, claims{
		"Every priority is heard, and what is done is gone": func(t *testing.T, q *Queue) {
			heard := make(chan Delivery, 3)
			serve(t, Server{Queue: q, Handler: func(_ context.Context, r Delivery) Verdict { heard <- r; return Verdict{} }})
			for i, p := range []task.Priority{task.Low, task.Normal, task.High} {
				want := Delivery{Ref: task.Ref{Task: int64(i + 1), Delivery: 7}, Provider: "openai", Priority: p}
				publishAll(t, q, want)
				if got := receive(t, "the delivery comes", heard); got != want {
					t.Errorf("heard %+v instead of %+v", got, want)
				}
				eventually(t, "it is gone", func() bool { return state(t, q, want) == Absent })
			}
		},
		"Retry is no retry for asynq, and never early": func(t *testing.T, q *Queue) {
			const after = 1200 * time.Millisecond
			heard := make(chan time.Time, 3)
			calls := 0
			serve(t, Server{Queue: q, Handler: func(context.Context, Delivery) Verdict {
				calls++
				heard <- time.Now()
				if calls == 3 {
					return Verdict{}
				}
				return Verdict{Action: Retry, After: time.Duration(2-calls) * after, Reason: "the provider is busy"}
			}})
			publishAll(t, q, delivery(1))
			first := receive(t, "it comes", heard)
			eventually(t, "it waits", func() bool { return state(t, q, delivery(1)) == Retrying })
			if i := info(t, q, delivery(1)); i.Retried != 0 || i.LastErr != "the provider is busy" {
				t.Errorf("asynq counts %d retries and says %q", i.Retried, i.LastErr)
			}
			if waited := receive(t, "it comes again", heard).Sub(first); waited < after {
				t.Errorf("it came after %s", waited)
			}
			receive(t, "it comes at once", heard)
			eventually(t, "it is gone", func() bool { return state(t, q, delivery(1)) == Absent })
		},
		"A client that is closed under a server does not end the process": func(t *testing.T, q *Queue) {
			o := *q.Redis.(*redis.Client).Options()
			client := redis.NewClient(&o)
			stop := serve(t, Server{Queue: &Queue{Redis: client}, Handler: func(context.Context, Delivery) Verdict { return Verdict{} }})
			eventually(t, "asynq listens", func() bool {
				n, err := q.Redis.PubSubNumSub(t.Context(), nobodysChannel).Result()
				return err == nil && n[nobodysChannel] > 0
			})
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		},
		"Archive is archived with its reason": func(t *testing.T, q *Queue) {
			serve(t, Server{Queue: q, Handler: func(context.Context, Delivery) Verdict {
				return Verdict{Action: Archive, Reason: "moderated: no cats"}
			}})
			publishAll(t, q, delivery(1))
			eventually(t, "it is archived", func() bool { return state(t, q, delivery(1)) == Archived })
			if got := info(t, q, delivery(1)).LastErr; got != "archived: moderated: no cats" {
				t.Errorf("the reason is %q", got)
			}
		},
		"A panic is delivered again, and its stack is logged": func(t *testing.T, q *Queue) {
			var log servertest.Output
			loud := &Queue{Redis: q.Redis, Log: zerolog.New(&log)}
			serve(t, Server{Queue: loud, Handler: func(context.Context, Delivery) Verdict { panic("oh no") }})
			ringsAgain(t, q, "panic: oh no", errorDelay)
			for _, part := range []string{"oh no", "server_test.go", `"task":1`, `"provider":"openai"`} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("the log lacks %s: %s", part, log.String())
				}
			}
		},
		"A payload of a newer release waits for a newer worker": func(t *testing.T, q *Queue) {
			serve(t, Server{Queue: quiet(q), Handler: unreachable(t)})
			enqueue(t, q, "1.0", `{"v":2,"task":"eighty","delivery":0}`)
			ringsAgain(t, q, "payload has version 2; this worker knows up to 1", unknownVersionDelay)
		},
		"A payload of a former release, which may carry more, is read": func(t *testing.T, q *Queue) {
			heard := make(chan Delivery, 1)
			serve(t, Server{Queue: q, Handler: func(_ context.Context, d Delivery) Verdict { heard <- d; return Verdict{} }})
			enqueue(t, q, "1.0", `{"v":1,"task":1,"delivery":0,"trace":"00-ab"}`)
			if got := receive(t, "it is delivered", heard); got != delivery(1) {
				t.Errorf("got %+v", got)
			}
		},
		"A payload that cannot be read is archived and says why": func(t *testing.T, q *Queue) {
			serve(t, Server{Queue: quiet(q), Handler: unreachable(t)})
			for id, data := range map[string]string{"1.0": "junk", "2.0": `{"v":1,"task":3,"delivery":0}`, "4.0": `{"task":4}`,
				"5.0": `{"v":1,"task":5,"trace":"` + strings.Repeat("x", maxPayload) + `"}`} {
				enqueue(t, q, id, data)
				eventually(t, id+" is archived", func() bool {
					i, err := inspector(q).GetTaskInfo("openai", id)
					return err == nil && i.State == asynq.TaskStateArchived && strings.HasPrefix(i.LastErr, "archived: payload ")
				})
			}
		},
		"A cancel in asynqmon takes nothing from a running handler": func(t *testing.T, q *Queue) {
			entered, leave := make(chan context.Context, 2), make(chan struct{})
			serve(t, Server{Queue: q, Concurrency: 1, Handler: func(ctx context.Context, _ Delivery) Verdict {
				entered <- ctx
				<-leave
				return Verdict{Action: Archive, Reason: "cancelled"}
			}})
			publishAll(t, q, delivery(1))
			ctx := receive(t, "it enters", entered)
			must(t, inspector(q).CancelProcessing("1.0"))
			publishAll(t, q, delivery(2))
			<-time.After(100 * time.Millisecond)
			if ctx.Err() != nil || state(t, q, delivery(1)) != Active || state(t, q, delivery(2)) != Pending {
				t.Errorf("context: %v, it is %s, the other %s", ctx.Err(), state(t, q, delivery(1)), state(t, q, delivery(2)))
			}
			close(leave)
			eventually(t, "its verdict counts", func() bool { return state(t, q, delivery(1)) == Archived })
		},
	})
	t.Run("A server that cannot work says all that is wrong", func(t *testing.T) {
		err := (&Server{Concurrency: -1, Drain: -1, Provider: "a b"}).Run(t.Context())
		for _, part := range []string{"no redis client", "no handler", "concurrency is -1", "drain is -1ns", `provider is "a b"`} {
			if !strings.Contains(fmt.Sprint(err), part) {
				t.Errorf("%q is missing in: %v", part, err)
			}
		}
	})
}

func TestDrain(t *testing.T) {
	onBoth(t, claims{
		"A drain waits for the running handler and starts no other": func(t *testing.T, q *Queue) {
			entered, leave := make(chan context.Context, 2), make(chan struct{})
			ctx, end := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			s := Server{Queue: q, Provider: "openai", Concurrency: 1, Handler: func(ctx context.Context, _ Delivery) Verdict {
				entered <- ctx
				<-leave
				return Verdict{}
			}}
			go func() { ended <- s.Run(ctx) }()
			publishAll(t, q, delivery(1))
			work := receive(t, "it enters", entered)
			publishAll(t, q, delivery(2))
			end()
			select {
			case err := <-ended:
				t.Fatalf("it ended over a running handler: %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			if work.Err() != nil || state(t, q, delivery(1)) != Active {
				t.Errorf("the handler has context %v and its delivery is %s", work.Err(), state(t, q, delivery(1)))
			}
			close(leave)
			if err := receive(t, "the server ends", ended); err != nil {
				t.Error(err)
			}
			if one, two := state(t, q, delivery(1)), state(t, q, delivery(2)); one != Absent || two != Pending || len(entered) != 0 {
				t.Errorf("the first is %s, the second %s, and %d more entered", one, two, len(entered))
			}
		},
		"When the drain is over the handler is told, and its verdict still counts": func(t *testing.T, q *Queue) {
			entered := make(chan struct{}, 1)
			stop := serve(t, Server{Queue: q, Drain: 50 * time.Millisecond, Handler: func(ctx context.Context, _ Delivery) Verdict {
				entered <- struct{}{}
				<-ctx.Done()
				return Verdict{Action: Retry, Reason: "handed back"}
			}})
			publishAll(t, q, delivery(1))
			receive(t, "it enters", entered)
			must(t, stop())
			if got := state(t, q, delivery(1)); got != Retrying || info(t, q, delivery(1)).LastErr != "handed back" {
				t.Errorf("the delivery is %s", got)
			}
		},
		"The delivery of a handler that will not leave comes elsewhere": func(t *testing.T, q *Queue) {
			entered, leave := make(chan struct{}, 1), make(chan struct{})
			defer close(leave)
			stop := serve(t, Server{Queue: quiet(q), Drain: 50 * time.Millisecond, Handler: func(context.Context, Delivery) Verdict {
				entered <- struct{}{}
				<-leave
				return Verdict{}
			}})
			publishAll(t, q, delivery(1))
			receive(t, "it enters", entered)
			if err := stop(); err == nil || !strings.Contains(err.Error(), "1 handlers of openai still run after a drain of 50ms") {
				t.Errorf("the server says %v", err)
			}
			if got := state(t, q, delivery(1)); got != Pending {
				t.Errorf("the delivery is %s", got)
			}
		},
		"A server that Redis does not answer still ends": func(t *testing.T, q *Queue) {
			client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
			defer client.Close()
			stop := serve(t, Server{Queue: quiet(&Queue{Redis: client}), Handler: unreachable(t)})
			if err := stop(); err != nil {
				t.Error(err)
			}
		},
	})
}

func TestManyHandlers(t *testing.T) {
	const many = 5_000
	q := open(t, servertest.Redis(t).URL)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var inside atomic.Int64
	all := make(chan struct{})
	stop := serve(t, Server{Queue: q, Concurrency: many, Handler: func(context.Context, Delivery) Verdict {
		if inside.Add(1) == many {
			close(all)
		}
		<-all
		return Verdict{}
	}})
	deliveries := make([]Delivery, many)
	for i := range deliveries {
		deliveries[i] = delivery(int64(i + 1))
	}
	publishAll(t, q, deliveries...)
	receive(t, "five thousand handlers are in at once", all)
	runtime.ReadMemStats(&during)
	if used := int64(during.Sys) - int64(before.Sys); used > 512<<20 {
		t.Errorf("they take %d MB", used>>20)
	}
	must(t, stop())
	if got := state(t, q, deliveries[many-1]); got != Absent {
		t.Errorf("the last is %s", got)
	}
}

// ringsAgain proves that the delivery 1.0, once heard, waits with reason and
// comes between delay and a second later.
func ringsAgain(t *testing.T, q *Queue, reason string, delay time.Duration) {
	t.Helper()
	if state(t, q, delivery(1)) == Absent {
		publishAll(t, q, delivery(1))
	}
	start := time.Now()
	eventually(t, "it waits", func() bool { return state(t, q, delivery(1)) == Retrying })
	i := info(t, q, delivery(1))
	if in := i.NextProcessAt.Sub(start); i.LastErr != reason || i.Retried != 0 || in < delay-time.Second || in > delay+3*time.Second {
		t.Errorf("%q, %d retries, comes in %s", i.LastErr, i.Retried, in)
	}
}

func enqueue(t *testing.T, q *Queue, id, data string) {
	t.Helper()
	_, err := asynq.NewClientFromRedisClient(q.Redis).Enqueue(asynq.NewTask(Type, []byte(data)), asynq.TaskID(id),
		asynq.Queue("openai"), asynq.MaxRetry(math.MaxInt32))
	must(t, err)
}

func unreachable(t *testing.T) func(context.Context, Delivery) Verdict {
	return func(_ context.Context, r Delivery) Verdict {
		t.Errorf("the handler was called with %s", r.Ref)
		return Verdict{}
	}
}

// quiet returns q without its log, for tests that provoke errors.
func quiet(q *Queue) *Queue { return &Queue{Redis: q.Redis, Log: zerolog.Nop()} }
