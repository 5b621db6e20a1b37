package storetest

import (
	"errors"
	"strings"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func paying() []claim {
	return []claim{
		{"What was paid for and is not collected is found, the oldest first", findsPaid},
		{"What could not be collected is done until a person retries", countsUncollected},
		{"A retry by hand collects what was paid for, also if the clock was set back since it was given up", collectsAtAnyTime},
		{"How far an answer is collected, and what is kept as it came, is noted while it is answered", notesCollected},
		{"BuyAgain gives up what was paid for, and only that", buysAgain},
		{"BuyAgain changes nothing where nothing was paid for", buysNothingAgain},
		{"BuyAgain changes nothing if a call was heard of since the task was looked at", buysNothingHeardOf},
		{"BuyAgain is the word for a call that was given up as charged, whatever call is the last", buysCharged},
	}
}

func (b *bench) paid(t *task.Task) (number int) {
	b.Helper()
	a := b.history(t.ID).NextToCollect()
	if a == nil {
		return 0
	}
	return a.Number
}

func findsPaid(b *bench) {
	t := b.held()
	b.same(b.paid(t), 0)
	for i, state := range []task.AttemptState{rejected, answer, accept, failed, unknown, sending, succeeded} {
		b.begin(t)
		b.exec("UPDATE generation_attempt SET state = '%s' WHERE task_id = %d AND number = %d", state, t.ID, i+1)
	}
	b.same(b.paid(t), 2)
	b.exec("UPDATE generation_attempt SET state = 'succeeded' WHERE number = 2")
	b.same(b.paid(t), 3)
	b.exec("UPDATE generation_attempt SET state = 'succeeded' WHERE number = 3")
	b.same(b.paid(t), 0)
}

func countsUncollected(b *bench) {
	t := b.held()
	t.ImageCount = 4
	a := b.batch(t, 2)
	b.same(facts{"imagesDone": b.imagesDone(t, true), "paid": b.paid(t)}, facts{"imagesDone": 0, "paid": 1})
	b.check(b.record(store.AttemptEnded{Attempt: *ended(a, answer)}))
	b.same(facts{"imagesDone in batches": b.imagesDone(t, true), "imagesDone": b.imagesDone(t, false), "paid": b.paid(t)},
		facts{"imagesDone in batches": 2, "imagesDone": 0, "paid": 0})
	b.exec("UPDATE image_generations SET retried_at = now()")
	b.same(facts{"imagesDone": b.imagesDone(t, true), "paid": b.paid(t)}, facts{"imagesDone": 0, "paid": 1})
}

func collectsAtAnyTime(b *bench) {
	t := b.held()
	b.check(b.record(store.AttemptEnded{Attempt: *ended(b.batch(t, 1), answer)}))
	b.exec("UPDATE image_generations SET status = 'failed', error_kind = 'expired'")
	b.exec("UPDATE generation_attempt SET finished_at = '2099-01-01 00:00:00.000000+00:00'")
	_, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), false)
	b.check(err)
	b.same(facts{"imagesDone": b.imagesDone(t, true), "paid": b.paid(t)}, facts{"imagesDone": 0, "paid": 1})
}

func notesCollected(b *bench) {
	t := b.held()
	a := answered(b.begin(t))
	kept := []task.RawFile{{Position: 1, StorageKey: "1/1-1.kept.bin", ContentType: "image/png", FileSize: 60, SHA256: "ab", Reason: "it breaks off"}}
	note := func() {
		a.Answer = `{"outputs":[{"key":"1/1-0.png"}]}`
		b.check(b.record(store.Collected{Attempt: withRaw(a, kept)}))
	}
	b.unchanged(t.ID, note)
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
	note()
	got := b.attempts(t.ID)[0]
	b.same(facts{"Answer": got.Answer, "RawFileList": got.RawFileList()}, facts{"Answer": a.Answer, "RawFileList": kept})
	files, err := b.store.Files(b.Context(), []int64{t.ID})
	b.check(err)
	b.same(files[t.ID].Keys, []string{"1/1-1.kept.bin"})
}

func buysAgain(b *bench) {
	t := b.held()
	for i, state := range []task.AttemptState{rejected, unknown, accept, succeeded, answer} {
		b.begin(t)
		b.exec("UPDATE generation_attempt SET state = '%s', answered_at = sent_at WHERE task_id = %d AND number = %d", state, t.ID, i+1)
	}
	b.exec("UPDATE image_generations SET status = 'failed', error_kind = 'expired' WHERE id = %d", t.ID)
	got, err := b.store.BuyAgain(b.Context(), b.get(t.ID).Seen(), task.CollectableCalls(b.attempts(t.ID))...)
	b.check(err)
	b.same(facts{"Status": got.Status, "Delivery": got.Delivery, "ErrorKind": got.ErrorKind},
		facts{"Status": task.Pending, "Delivery": 1, "ErrorKind": task.Kind("")})
	var states []task.AttemptState
	for _, a := range b.attempts(t.ID) {
		states = append(states, a.State)
		if a.State == failed && (a.FinishedAt == nil || !a.FinishedAt.Before(*got.RetriedAt) || a.ErrorKind != task.BoughtAgain || !strings.Contains(a.ErrorMsg, "a person decided to buy again")) {
			b.Errorf("call %d ended at %v: %s %s", a.Number, a.FinishedAt, a.ErrorKind, a.ErrorMsg)
		}
	}
	b.same(states, []task.AttemptState{rejected, unknown, failed, succeeded, failed})
}

func buysNothingAgain(b *bench) {
	t := b.held()
	a := b.begin(t)
	for _, state := range []task.AttemptState{rejected, unknown, failed, succeeded} {
		b.exec("UPDATE generation_attempt SET state = '%s' WHERE id = %d", state, a.ID)
		b.exec("UPDATE image_generations SET status = 'failed' WHERE id = %d", t.ID)
		b.unchanged(t.ID, func() {
			var nothing *store.NothingPaid
			if _, err := b.store.BuyAgain(b.Context(), b.get(t.ID).Seen()); !errors.As(err, &nothing) {
				b.Errorf("with a call that is %s: %v", state, err)
			}
		})
	}
	b.exec("UPDATE generation_attempt SET state = 'answered' WHERE id = %d", a.ID)
	for _, status := range []task.Status{task.Pending, task.Processing, task.Completed} {
		b.exec("UPDATE image_generations SET status = '%s', worker = 'w' WHERE id = %d", status, t.ID)
		b.unchanged(t.ID, func() {
			var not *store.NotAllowed
			if _, err := b.store.BuyAgain(b.Context(), b.get(t.ID).Seen()); !errors.As(err, &not) {
				b.Errorf("a task that is %s: %v", status, err)
			}
		})
	}
}

func buysNothingHeardOf(b *bench) {
	t := b.held()
	for i, state := range []task.AttemptState{accept, answer} {
		b.begin(t)
		b.exec("UPDATE generation_attempt SET state = '%s' WHERE task_id = %d AND number = %d", state, t.ID, i+1)
	}
	b.exec("UPDATE image_generations SET status = 'failed', error_kind = 'expired' WHERE id = %d", t.ID)
	l, err := b.store.Look(b.Context(), t.ID)
	b.check(err)
	b.exec("UPDATE generation_attempt SET state = 'answered' WHERE task_id = %d", t.ID)
	b.unchanged(t.ID, func() {
		for _, taken := range [][]task.SeenCall{task.CollectableCalls(l.Attempts), {{Number: 2, State: answer}}, nil} {
			var since *store.HeardSince
			if _, err := b.store.BuyAgain(b.Context(), l.Task.Seen(), taken...); !errors.As(err, &since) || since.Task != t.ID {
				b.Errorf("what nobody has seen is given up with %v: %v", taken, err)
			}
		}
	})
	seen := task.CollectableCalls(b.attempts(t.ID))
	b.exec("UPDATE generation_attempt SET state = 'succeeded' WHERE task_id = %d AND number = 1", t.ID) // its picture is kept
	b.unchanged(t.ID, func() {
		var since *store.HeardSince
		if _, err := b.store.BuyAgain(b.Context(), l.Task.Seen(), seen...); !errors.As(err, &since) {
			b.Errorf("a picture that is kept is given up: %v", err)
		}
	})
	_, err = b.store.BuyAgain(b.Context(), l.Task.Seen(), task.CollectableCalls(b.attempts(t.ID))...)
	b.check(err)
	b.same(b.paid(t), 0)
}

func buysCharged(b *bench) {
	t := b.get(b.outcomeUnknown().ID)
	_, err := b.store.GiveUp(b.Context(), t.Seen(), nil)
	b.check(err)
	b.exec("INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, fence, sent_at) VALUES (%d, 1, 2, 'second %d', 'painter', 'rejected', 1, '2026-01-01')", t.ID, t.ID)
	l, err := b.store.Look(b.Context(), t.ID)
	b.check(err)
	got, err := b.store.BuyAgain(b.Context(), l.Task.Seen())
	b.check(err)
	before := b.attempts(t.ID)[0]
	b.same(facts{"Next": l.Next, "Status": got.Status, "State": before.State, "ErrorKind": before.ErrorKind},
		facts{"Next": task.BuysAgain, "Status": task.Pending, "State": failed, "ErrorKind": task.BoughtAgain})
	b.exec("UPDATE image_generations SET status = 'failed' WHERE id = %d", t.ID)
	b.unchanged(t.ID, func() {
		var nothing *store.NothingPaid
		if _, err := b.store.BuyAgain(b.Context(), b.get(t.ID).Seen()); !errors.As(err, &nothing) {
			b.Errorf("once more: %v", err)
		}
	})
}
