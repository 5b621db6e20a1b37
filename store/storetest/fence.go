package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func fencing() []claim {
	return []claim{
		{"After a second claim every write of the first is refused", func(b *bench) {
			loses(b, func(t *task.Task) { b.take(t.Ref(), "second", lease) })
		}},
		{"After a cancel every write is refused", func(b *bench) {
			loses(b, func(t *task.Task) { ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID})) })
		}},
		{"After the task was taken from a dead worker every write of it is refused", func(b *bench) {
			loses(b, func(*task.Task) { ignore(b.store.ReclaimExpired(b.Context(), 10)) })
		}},
		{"After a cancel and a retry by hand every write is refused", func(b *bench) {
			loses(b, func(t *task.Task) {
				ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID}))
				ignore(b.store.Retry(b.Context(), b.get(t.ID).Seen(), false))
			})
		}},
		{"After a release every write is refused", func(b *bench) {
			loses(b, func(t *task.Task) { b.check(b.store.Release(b.Context(), t.Token(), 0, "")) })
		}},
		{"A begin that races with a claim is seen by the new claimer or refused", beginRace},
	}
}

// ignore drops what a call returns; loses sees by itself whether it worked.
func ignore(any, error) {}

// loses claims a task, has it taken away, and makes every fenced write.
func loses(b *bench, takeAway func(*task.Task)) {
	b.Helper()
	ctx, s := b.Context(), b.store
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	a := accepted(b.begin(t))
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *a, JobID: "job-1"}))
	takeAway(t)
	decision := task.Decision{Status: task.Failed, FailedTries: 9, Failure: &task.Failure{Kind: task.Timeout, Executed: task.NotExecuted, Message: "late"}}
	ended := *a
	ended.State = task.AttemptUnknown
	for name, write := range map[string]func() error{
		"Release":  func() error { return s.Release(ctx, t.Token(), 0, "late") },
		"Progress": func() error { return b.record(store.Progressed{Held: t.Token(), Percent: 99}) },
		"Begin":    func() error { return b.beginAs(t, &task.Attempt{Key: "late", Provider: "painter"}) },
		"Save":     func() error { return b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: completion()}) },
		"Fail":     func() error { return b.finish(store.Decided{Held: t.Token(), Decision: decision, Attempt: &ended}) },
		"Fail without an attempt": func() error {
			return b.finish(store.Decided{Held: t.Token(), Decision: decision})
		},
	} {
		b.unchanged(t.ID, func() {
			if err := write(); !errors.Is(err, store.ErrFenced) {
				b.Errorf("%s: %v", name, err)
			}
		})
	}
}

// beginRace lets the old holder begin a call while another claims. Either the
// call is refused, or the claim knows of it: else it would be paid twice.
func beginRace(b *bench) {
	const rounds = 40
	tasks := b.insertMany(rounds)
	together(8, func(worker int) {
		for i := worker; i < rounds; i += 8 {
			old, _, err := b.store.Claim(b.Context(), tasks[i].Ref(), "first", gone)
			if err != nil {
				b.Error(err)
				return
			}
			var begun error
			a := &task.Attempt{Key: fmt.Sprintf("race-%d", i), Provider: "painter"}
			var c *store.Claim
			var both sync.WaitGroup
			both.Go(func() { begun = b.beginAs(old.Task, a) })
			both.Go(func() {
				for busy := true; busy && c == nil; { // while the begin has the row
					var refusal *store.Refusal
					c, refusal, err = b.store.Claim(b.Context(), tasks[i].Ref(), "second", lease)
					busy = refusal != nil && refusal.Busy
				}
			})
			both.Wait()
			switch {
			case err != nil || c == nil:
				b.Errorf("task %d was not claimed: %v", tasks[i].ID, err)
			case begun == nil && (c.Last == nil || c.Last.ID != a.ID):
				b.Errorf("task %d: the call that was begun is not seen", tasks[i].ID)
			case begun != nil && !errors.Is(begun, store.ErrFenced):
				b.Error(begun)
			case begun != nil && c.Last != nil:
				b.Errorf("task %d: a refused begin left attempt %d", tasks[i].ID, c.Last.ID)
			}
		}
	})
}
