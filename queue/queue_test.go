package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

// claims are what must hold on every kind of Redis.
type claims map[string]func(t *testing.T, q *Queue)

// onBoth proves each claim on an empty miniredis and on an empty redis-server.
func onBoth(t *testing.T, all claims) {
	t.Helper()
	for kind, url := range map[string]string{
		"miniredis":    "redis://" + miniredis.RunT(t).Addr(),
		"redis-server": servertest.Redis(t).URL,
	} {
		t.Run(kind, func(t *testing.T) {
			for claim, prove := range all {
				t.Run(claim, func(t *testing.T) {
					q := open(t, url)
					if err := q.Redis.FlushAll(t.Context()).Err(); err != nil {
						t.Fatal(err)
					}
					prove(t, q)
				})
			}
		})
	}
}

func open(t testing.TB, url string) *Queue {
	t.Helper()
	client, err := Redis(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &Queue{Redis: client, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)}
}

// delivery returns the first delivery of task id at the provider "openai".
func delivery(id int64) Delivery { return Delivery{Ref: task.Ref{Task: id}, Provider: "openai"} }

func publishAll(t testing.TB, q *Queue, deliveries ...Delivery) {
	t.Helper()
	for _, err := range q.Publish(t.Context(), deliveries) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func state(t testing.TB, q *Queue, r Delivery) State {
	t.Helper()
	states, err := q.States(context.WithoutCancel(t.Context()), []Delivery{r})
	if err != nil {
		t.Fatal(err)
	}
	return states[0]
}

func info(t testing.TB, q *Queue, r Delivery) *asynq.TaskInfo {
	t.Helper()
	i, err := inspector(q).GetTaskInfo(r.Queue(), r.Ref.String())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func inspector(q *Queue) *asynq.Inspector { return asynq.NewInspectorFromRedisClient(q.Redis) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually fails the test unless holds does so within a minute.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("in vain: %s", what)
		}
	}
}

// receive fails the test unless c gives a value within a minute.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}

// serve runs a server of "openai" and returns what ends it and gives Run's error.
func serve(t testing.TB, s Server) (stop func() error) {
	t.Helper()
	s.Provider = "openai"
	if s.Forward == 0 {
		s.Forward = 50 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return receive(t, "the server ends", ended)
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func TestPublish(t *testing.T) {
	onBoth(t, claims{
		"A delivery waits under its own id and carries two numbers": func(t *testing.T, q *Queue) {
			r := Delivery{Ref: task.Ref{Task: 81234, Delivery: 2}, Provider: "openai", Priority: task.High}
			publishAll(t, q, r)
			i := info(t, q, r)
			got := []string{i.ID, i.Queue, string(i.Payload), i.State.String()}
			want := []string{"81234.2", "openai:high", `{"v":1,"task":81234,"delivery":2}`, "pending"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if i.MaxRetry < 1<<30 || i.Timeout < 30*24*time.Hour || i.Retention != 0 {
				t.Errorf("asynq would decide: max retry %d, timeout %s, retention %s", i.MaxRetry, i.Timeout, i.Retention)
			}
		},
		"Publishing what is there is success, in every state": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1), delivery(1))
			must(t, inspector(q).ArchiveTask("openai", "1.0"))
			publishAll(t, q, delivery(1))
			if got := state(t, q, delivery(1)); got != Archived {
				t.Errorf("it is %s", got)
			}
		},
		"A delivery for later is scheduled and never early": func(t *testing.T, q *Queue) {
			r := delivery(1)
			r.At = time.Now().Add(time.Hour).Truncate(time.Second).Add(time.Millisecond)
			publishAll(t, q, r)
			if got := state(t, q, r); got != Scheduled {
				t.Fatalf("it is %s", got)
			}
			if late := info(t, q, r).NextProcessAt.Sub(r.At); late < 0 || late >= time.Second {
				t.Errorf("it came %s after its time", late)
			}
		},
		"A delivery that cannot be carried is refused, and the others are published": func(t *testing.T, q *Queue) {
			errs := q.Publish(t.Context(), []Delivery{delivery(0), delivery(1), {Ref: task.Ref{Task: 2}, Provider: "a:b"},
				{Ref: task.Ref{Task: 3, Delivery: -1}, Provider: "openai"}})
			for i, field := range []string{"task is 0", "", "provider is \"a:b\"", "delivery is -1"} {
				if got := fmt.Sprint(errs[i]); field == "" && errs[i] != nil || !strings.Contains(got, field) {
					t.Errorf("delivery %d: %v", i, errs[i])
				}
			}
			if got := state(t, q, delivery(1)); got != Pending {
				t.Errorf("the good one is %s", got)
			}
		},
		"A queue is known again after Redis lost its data": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1))
			must(t, q.Redis.FlushAll(t.Context()).Err())
			publishAll(t, q, delivery(1))
			if names, _ := inspector(q).Queues(); !cmp.Equal(names, []string{"openai"}) {
				t.Errorf("known are %v", names)
			}
		},
	})
	t.Run("An outage costs one timeout and not one for each delivery", func(t *testing.T) {
		client, calls := refusing(t)
		deliveries := make([]Delivery, 2_000)
		for i := range deliveries {
			deliveries[i] = delivery(int64(i + 1))
		}
		for i, err := range (&Queue{Redis: client}).Publish(t.Context(), deliveries) {
			if err == nil {
				t.Fatalf("delivery %d seems published", i)
			}
		}
		if n := calls.Load(); n > publishers {
			t.Errorf("Redis was asked %d times", n)
		}
	})
}

// BenchmarkPublish compares a plain client with go-redis's AutoPipeline.
func BenchmarkPublish(b *testing.B) {
	for _, kind := range []string{"plain", "autopipeline"} {
		b.Run(kind, func(b *testing.B) {
			q := open(b, servertest.Redis(b).URL)
			if kind == "autopipeline" {
				pipe, err := q.Redis.AutoPipeline()
				must(b, err)
				defer pipe.Close()
				q = &Queue{Redis: pipe}
			}
			deliveries := make([]Delivery, b.N)
			for i := range deliveries {
				deliveries[i] = delivery(int64(i + 1))
			}
			b.ResetTimer()
			publishAll(b, q, deliveries...)
		})
	}
}
