package storetest

import (
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// lastCallUnknown is a task that failed because its worker was lost within a call, as
// that worker knew it, and the attempt.
func (b *bench) lastCallUnknown() (*task.Task, *task.Attempt) {
	b.Helper()
	t := b.held()
	a := b.begin(t)
	b.exec("UPDATE generation_attempt SET state = 'unknown' WHERE id = %d", a.ID)
	b.exec("UPDATE image_generations SET status = 'failed', fence = fence + 1, error_kind = 'outcome_unknown', error_msg = 'who knows', completed_at = now() WHERE id = %d", t.ID)
	return t, a
}

func unknownNoMore(b *bench) {
	for name, learn := range map[string]func(*task.Task, *task.Attempt) error{
		"NotSent": func(t *task.Task, a *task.Attempt) error { return b.record(store.NotSent{Task: t.ID, Key: a.Key}) },
		"Decided": func(t *task.Task, a *task.Attempt) error {
			err := b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Pending, Failure: &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted}}, Attempt: ended(a, rejected)})
			if err == store.ErrFenced {
				return nil
			}
			return err
		},
	} {
		t, a := b.lastCallUnknown()
		b.check(learn(t, a))
		got := b.get(t.ID)
		if got.Status != task.Failed || got.ErrorKind != task.Unavailable || b.attempts(t.ID)[0].State != rejected {
			b.Errorf("%s leaves it %s, %s: %s; the attempt is %s", name, got.Status, got.ErrorKind, got.ErrorMsg, b.attempts(t.ID)[0].State)
		}
	}
}

func anotherUnknown(b *bench) {
	t, a := b.lastCallUnknown()
	b.exec("INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at) VALUES (%d, 0, 2, 'another', 'painter', 'unknown', 'w', 1, now())", t.ID)
	b.check(b.record(store.NotSent{Task: t.ID, Key: a.Key}))
	if got := b.get(t.ID); got.ErrorKind != task.OutcomeUnknown {
		b.Errorf("it is %s: %s", got.ErrorKind, got.ErrorMsg)
	}
}

func byKey(b *bench) {
	a := b.begin(b.held())
	id, err := b.store.AttemptID(b.Context(), a.Key)
	b.same(facts{"id": id, "err": err}, facts{"id": a.ID, "err": error(nil)})
	if _, err := b.store.AttemptID(b.Context(), "no such key"); err != store.ErrNotFound {
		b.Errorf("a key that there is not: %v", err)
	}
}

func archivedUnknown(b *bench) {
	lost, _ := b.lastCallUnknown()
	b.exec("UPDATE image_generations SET error_kind = 'archived'")
	plain := b.used(task.Failed)
	b.exec("UPDATE image_generations SET error_kind = 'archived' WHERE id = %d", plain.ID)
	for kind, want := range map[task.Kind]int64{task.OutcomeUnknown: lost.ID, task.Archived: plain.ID} {
		f := store.Filter{Kinds: []task.Kind{kind}}
		found, err := b.store.List(b.Context(), f)
		b.check(err)
		n, err := b.store.Count(b.Context(), f)
		b.check(err)
		if n != 1 || len(found) != 1 || found[0].ID != want {
			b.Errorf("%s picks %d, %v", kind, n, found)
		}
	}
	tally, err := b.store.Tally(b.Context(), store.Filter{})
	b.check(err)
	b.same(tally, []store.Tally{{Status: task.Failed, Provider: "painter", ErrorKind: task.Archived, Tasks: 1}, {Status: task.Failed, Provider: "painter", ErrorKind: task.OutcomeUnknown, Tasks: 1}})
}
