package simulation

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// settling is how long everything may take to end once nothing goes wrong any more.
const settling = 3 * time.Hour

// outcome is what a run has shown.
type outcome struct {
	plan
	violations []string
	stories    string
	files      fstest.MapFS
	counts     map[string]int
	lasted     time.Duration // of fake time
}

// run lives through a plan in a bubble of its own.
func run(t *testing.T, p plan) (o outcome) {
	t.Helper()
	if _, err := tables.File(); err != nil { // made outside of the bubble
		t.Fatal(err)
	}
	synctest.Test(t, func(*testing.T) {
		w := newWorld(p)
		o = w.live()
		w.end()
		o.lasted = w.now()
	})
	return o
}

func (w *world) live() outcome {
	ctx := context.Background()
	w.person = w.open("person", people)
	w.replaceProducer()
	for slot := range w.slots {
		w.start(slot)
	}
	faulting, calm := context.WithCancel(ctx)
	w.helpers.Go(func() { w.arm(faulting, w.Faults) })
	w.helpers.Go(func() { w.observe(faulting) })
	w.produce(ctx)
	sleep(ctx, time.Until(w.began.Add(w.Until)))
	calm()
	w.mend()
	ended := time.Now()

	w.settle(ctx)
	w.decide(ctx)
	w.settle(ctx)
	return w.judge(ctx, ended)
}

// produce brings the tasks in, by every door.
func (w *world) produce(ctx context.Context) {
	for i := range w.Tasks {
		at := w.First + w.Over*time.Duration(i)/time.Duration(max(w.Tasks, 1))
		sleep(ctx, time.Until(w.began.Add(at)))
		w.helpers.Go(func() { w.submit(ctx, i) })
	}
}

// submit is one client with one wish. One with a key asks until it knows; one
// without a key asks once.
func (w *world) submit(ctx context.Context, i int) {
	tag := fmt.Sprintf("t-%06d", i+1)
	wish := task.Task{Request: task.Request{Provider: w.Providers[i%len(w.Providers)], Prompt: tag, MaxAttempts: 10, ImageCount: 1}}
	if i%10 == 9 {
		wish.ImageCount = 2 // in as many calls: the fake provider draws one picture in each
	}
	door := []string{"key", "library", "tx", "sql"}[i%4]
	if door == "key" {
		wish.IdempotencyKey = tag
	}
	for {
		p, began := w.in(producers), time.Now()
		asked := wish
		err := w.insert(ctx, p, door, &asked)
		switch {
		case err == nil:
			w.book.tell(toldEntry{Began: began, Event: "acked", Task: asked.ID, Tag: tag, Door: door})
			return
		case door != "key":
			w.book.tell(toldEntry{Began: began, Event: "lost", Tag: tag, Door: door, Detail: err.Error()})
			return
		}
		sleep(ctx, 3*time.Second)
	}
}

func (w *world) insert(ctx context.Context, p *process, door string, t *task.Task) error {
	switch door {
	case "tx":
		tx, err := p.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := p.client.EnqueueTx(ctx, tx, t); err != nil {
			return err
		}
		return tx.Commit()
	case "sql":
		return p.db.QueryRowContext(ctx, `INSERT INTO image_generations (provider, prompt, image_count, max_attempts, run_at, created_at, updated_at)
			VALUES (?, ?, ?, 10, now(), now(), now()) RETURNING id`, t.Provider, t.Prompt, t.ImageCount).Scan(&t.ID)
	}
	_, err := p.client.Enqueue(ctx, t)
	return err
}

// observe is a client that looks at all rows and notes what it sees.
func (w *world) observe(ctx context.Context) {
	seen := make(map[int64]task.Status)
	for sleep(ctx, 7*time.Second) == nil {
		all, err := w.person.tasks.List(ctx, store.Filter{Limit: store.MaxPage})
		if err != nil {
			continue
		}
		for i := range all {
			t := &all[i]
			if seen[t.ID] != t.Status {
				seen[t.ID] = t.Status
				w.book.tell(toldEntry{Event: "seen", Task: t.ID, Tag: t.Prompt, Detail: string(t.Status)})
			}
		}
	}
}

// mend ends all faults: what is away comes back, what sleeps wakes up.
func (w *world) mend() {
	w.mu.Lock()
	w.armed = nil
	for _, o := range []*outage{&w.noRedis, &w.noDatabase, &w.noStorage, &w.noPolls, &w.noDownloads} {
		*o = outage{}
	}
	slots := append([]*process{w.producer}, w.slots...)
	w.mu.Unlock()
	w.fakeProvider.mu.Lock()
	w.fakeProvider.faults = nil
	w.fakeProvider.mu.Unlock()
	for _, p := range slots {
		if p != nil {
			p.thaw()
		}
	}
	for _, queue := range w.Providers {
		w.inspector().UnpauseQueue(queue) // an error says that it was not paused
	}
}

// unfinished returns the tasks that are not final.
func (w *world) unfinished(ctx context.Context) ([]task.Task, error) {
	return w.person.tasks.List(ctx, store.Filter{Statuses: []task.Status{task.Pending, task.Processing}, Limit: store.MaxPage})
}

// end stops everything, the dead last, so that no goroutine stays.
func (w *world) end() {
	w.mu.Lock()
	w.closing = true
	live := make(map[*process]bool)
	for _, p := range w.slots {
		live[p] = true
	}
	w.mu.Unlock()
	for _, p := range w.everybody() {
		if !live[p] && p.slot != people && (p.slot >= 0 || p != w.producer) {
			p.breakOff()
		}
	}
	for _, p := range w.everybody() {
		p.thaw()
		if p.ending != nil {
			p.ending()
			<-p.ended
		}
	}
	w.helpers.Wait()
	for _, p := range w.everybody() {
		p.redis.Close()
		p.tasks.Close()
	}
	w.redis.Close()
	w.db.close()
	synctest.Wait()
}
