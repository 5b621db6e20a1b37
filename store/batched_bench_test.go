//go:build linux

package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/store/storetest"
	"github.com/easelqueue/easel/task"
)

// steps are how many tasks are worked on at a time.
const steps = 64

// BenchmarkJournal is what 64 steps at a time write of a task: its claim, one call, its answer and
// its picture, on a Postgres that syncs. Both journals take turns, so that what else the
// machine does is in both.
func BenchmarkJournal(b *testing.B) {
	pg, err := throwaway.Postgres(b.Context(), throwaway.Options{Durable: true})
	must(b, err)
	b.Cleanup(func() { pg.Close() })
	s := migrated(b, pg.URL)
	batched := store.NewBatched(s)
	var flushes, rows int
	var mu sync.Mutex
	batched.Watch(func(f store.Flush) { mu.Lock(); flushes, rows = flushes+1, rows+f.Rows; mu.Unlock() })
	const tasks = 1000
	var direct, together cost
	for b.Loop() {
		one, other := boats(b, s, tasks), boats(b, s, tasks)
		direct.add(pg.Pid(), func() { workOn(b, s, one) })
		together.add(pg.Pid(), func() { workOn(b, batched, other) })
	}
	n := float64(b.N * tasks)
	for name, c := range map[string]cost{"direct": direct, "batched": together} {
		b.ReportMetric(n/c.took.Seconds(), name+"-tasks/s")
		b.ReportMetric(c.server.Seconds()*1000/n, name+"-postgres-ms/task")
		b.ReportMetric(c.own.Seconds()*1000/n, name+"-own-ms/task")
	}
	b.ReportMetric(direct.took.Seconds()/together.took.Seconds(), "times-as-fast")
	b.ReportMetric(float64(rows)/float64(flushes), "rows/flush")
	b.ReportMetric(0, "ns/op")
}

func workOn(b *testing.B, j storetest.Journal, tasks []*task.Task) {
	b.Helper()
	all := make(chan *task.Task, len(tasks))
	for _, t := range tasks {
		all <- t
	}
	close(all)
	var working sync.WaitGroup
	for range steps {
		working.Go(func() {
			for t := range all {
				if err := step(b.Context(), j, t); err != nil {
					b.Error(err)
				}
			}
		})
	}
	working.Wait()
}

func step(ctx context.Context, j storetest.Journal, t *task.Task) error {
	c, refusal, err := j.Claim(ctx, t.Ref(), "first", time.Minute)
	if err != nil || c == nil {
		return fmt.Errorf("claim: %w, %+v", err, refusal)
	}
	held := c.Task.Token()
	one := c.Task.NewAttempt(fmt.Sprint("key of ", t.ID))
	one.Provider, one.Account, one.Images = t.Provider, "main", 1
	a, err := j.Begin(ctx, one)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	a.Answer, a.CostMicros, a.Currency, a.HTTPStatus = `{"outputs":[{"position":0,"url":"https://cdn.example/picture.png"}],"v":1}`, new(int64(40_000)), "USD", new(200)
	if _, err := j.Record(ctx, store.Answered{Held: held, Attempt: a}); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	key := fmt.Sprintf("%d/1-0.png", t.ID)
	picture := task.Result{GeneratedImageURL: "/images/" + key, ContentType: "image/png", FileSize: 1 << 20, Width: 1024, Height: 1024, SHA256: "ab", StorageKey: key, ThumbnailKey: key + ".thumb"}
	_, err = j.Finish(ctx, store.Completed{Held: held, Attempt: &a, Completion: store.Completion{Results: []task.Result{picture}, APIResponse: `{"ok":true}`}})
	return err
}

// cost is what work took: its time, and that of processors in the server and here.
type cost struct{ took, server, own time.Duration }

func (c *cost) add(server int, work func()) {
	began, before, own := time.Now(), processor(server), ownProcessor()
	work()
	c.took, c.server, c.own = c.took+time.Since(began), c.server+processor(server)-before, c.own+ownProcessor()-own
}

// processor is the processor time of a process, its children, and those that have ended.
func processor(pid int) (sum time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		own, parent := filepath.Base(filepath.Dir(file)) == strconv.Itoa(pid), string(f[1]) == strconv.Itoa(pid)
		for i, ticks := range f[11:15] { // its own two, and two of its ended children
			if n, err := strconv.Atoi(string(ticks)); err == nil && (own || parent && i < 2) {
				sum += time.Duration(n) * 10 * time.Millisecond
			}
		}
	}
	return sum
}

func ownProcessor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
