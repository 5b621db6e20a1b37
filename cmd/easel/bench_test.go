package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/pause"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// benchEngine is the whole program on a Postgres that syncs and a Redis with an
// append-only file, working until the benchmark ends.
func benchEngine(b *testing.B, concurrency int) *app.App {
	b.Helper()
	pg, err := throwaway.Postgres(b.Context(), throwaway.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { pg.Close() })
	dir := b.TempDir()
	cfg, err := config.Load([]string{"EASEL_DATA=" + dir, "EASEL_DATABASE_URL=" + pg.URL, "EASEL_REDIS_URL=" + servertest.Redis(b).URL, "EASEL_DRAIN=5s"}, kinds)
	if err != nil {
		b.Fatal(err)
	}
	cfg.Services = provider.Services{"sketch": cfg.Services["sketch"]}
	cfg.Services["sketch"].Concurrency = concurrency
	e, err := app.New(b.Context(), cfg, zerolog.New(io.Discard).Level(zerolog.Disabled), true)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := e.Work(ctx); err != nil {
			b.Errorf("work: %v", err)
		}
	})
	b.Cleanup(func() { stop(); working.Wait(); e.Close() })
	return e
}

func zero(n int) []*task.Task {
	tasks := make([]*task.Task, n)
	for i := range tasks {
		tasks[i] = &task.Task{Request: task.Request{Provider: "sketch", Prompt: fmt.Sprintf("picture %d", i), Parameters: map[string]string{"dot": "true"}}}
	}
	return tasks
}

// until polls for a count of tasks with a status.
func until(b *testing.B, e *app.App, status task.Status, n int) {
	b.Helper()
	for {
		have, err := e.Tasks.Count(b.Context(), store.Filter{Statuses: []task.Status{status}})
		if err != nil {
			b.Fatal(err)
		}
		if have >= n {
			return
		}
		if pause.For(b.Context(), 5*time.Millisecond) != nil {
			b.Fatal("interrupted")
		}
	}
}

// BenchmarkEndToEnd is tasks from their insert to their stored picture, of the
// smallest size and no latency: what easel itself costs.
func BenchmarkEndToEnd(b *testing.B) {
	e := benchEngine(b, 64)
	for b.Loop() {
		b.StopTimer()
		before, err := e.Tasks.Count(b.Context(), store.Filter{Statuses: []task.Status{task.Completed}})
		if err != nil {
			b.Fatal(err)
		}
		tasks := zero(1000)
		b.StartTimer()
		if _, err := e.Client.EnqueueMany(b.Context(), tasks); err != nil {
			b.Fatal(err)
		}
		until(b, e, task.Completed, before+len(tasks))
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// BenchmarkEnqueue is how fast tasks come in while nobody works on them.
func BenchmarkEnqueue(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			e := idleEngine(b)
			for b.Loop() {
				b.StopTimer()
				tasks := zero(n)
				for _, t := range tasks {
					t.Parameters = nil
				}
				b.StartTimer()
				if _, err := e.Client.EnqueueMany(b.Context(), tasks); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
	b.Run("1-from-16-producers", func(b *testing.B) {
		e := idleEngine(b)
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := e.Client.Enqueue(b.Context(), &task.Task{Request: task.Request{Provider: "sketch", Prompt: "one"}}); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	})
}

func idleEngine(b *testing.B) *app.App {
	b.Helper()
	pg, err := throwaway.Postgres(b.Context(), throwaway.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { pg.Close() })
	cfg, err := config.Load([]string{"EASEL_DATA=" + b.TempDir(), "EASEL_DATABASE_URL=" + pg.URL, "EASEL_REDIS_URL=" + servertest.Redis(b).URL}, kinds)
	if err != nil {
		b.Fatal(err)
	}
	e, err := app.New(b.Context(), cfg, zerolog.Nop(), true)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Close)
	return e
}

// heard notes when a call reaches the provider.
type heard struct {
	provider.Provider
	at chan time.Time
}

func (h heard) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	h.at <- time.Now()
	return h.Provider.Submit(ctx, c)
}

// BenchmarkPickup is the time from the call that brings a task in to the call of
// the provider, when nothing else goes on: by the library, and by SQL.
func BenchmarkPickup(b *testing.B) {
	doors := map[string]func(e *app.App) error{
		"library": func(e *app.App) error {
			_, err := e.Client.Enqueue(b.Context(), zero(1)[0])
			return err
		},
		"sql": func(e *app.App) error {
			_, err := e.Tasks.DB().ExecContext(b.Context(), "INSERT INTO image_generations (provider, prompt, size) VALUES ('sketch', 'one', '1x1')")
			return err
		},
	}
	for _, name := range []string{"library", "sql"} {
		b.Run(name, func(b *testing.B) {
			at := make(chan time.Time, 1)
			e := benchEngine(b, 10)
			account := &e.Config.Services["sketch"].Accounts[0]
			account.Provider = heard{account.Provider, at}
			var took []time.Duration
			for n := 1; b.Loop(); n++ {
				began := time.Now()
				if err := doors[name](e); err != nil {
					b.Fatal(err)
				}
				took = append(took, (<-at).Sub(began))
				b.StopTimer()
				until(b, e, task.Completed, n)
				b.StartTimer()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkInFlight is the memory of a worker with 5,000 tasks that wait on their
// provider, above what it needs with none.
func BenchmarkInFlight(b *testing.B) {
	const n = 5000
	e := benchEngine(b, n)
	for b.Loop() {
		empty := resident(b)
		tasks := zero(n)
		for _, t := range tasks {
			t.Parameters = map[string]string{"delay": "20m", "mode": "async"}
		}
		if _, err := e.Client.EnqueueMany(b.Context(), tasks); err != nil {
			b.Fatal(err)
		}
		until(b, e, task.Processing, n)
		runtime.GC()
		b.ReportMetric(float64(resident(b)-empty)/(1<<20), "MiB")
		b.ReportMetric(float64(empty)/(1<<20), "MiB-idle")
		b.StopTimer()
		for _, t := range tasks {
			if _, err := e.Client.Cancel(b.Context(), task.Seen{Task: t.ID}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}

// resident is the memory of this process in bytes.
func resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	b.Fatal("no VmRSS in /proc/self/status")
	return 0
}
