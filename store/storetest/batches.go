package storetest

import (
	"crypto/rand"
	"errors"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func batches() []claim {
	return []claim{
		{"A batch keeps its pictures and the task goes on", keepsBatch},
		{"A batch whose task was taken away writes nothing", keepsBatchFenced},
		{"What is done counts pictures that were brought, and those that were refused since the last retry by hand", countsDone},
		{"A task is completed with pictures that are kept already", savesKept},
		{"A task is not completed without a picture", savesNothing},
		{"A copy of an input is found again, and a later one takes its place", keepsInputs},
		{"A fallback gives the task to another provider with full budgets", fallsBack},
		{"A fallback of a task that was taken away ends the attempt alone", fallsBackFenced},
		{"What a producer says of fallbacks and inputs comes back", saysFallbacks},
	}
}

// batch begins an attempt for that many pictures and answers it.
func (b *bench) batch(t *task.Task, images int) *task.Attempt {
	b.Helper()
	a := &task.Attempt{Key: rand.Text(), Provider: t.Provider, Account: "main", Images: images}
	b.check(b.beginAs(t, a))
	a = answered(a)
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *a}))
	return a
}

func (b *bench) imagesDone(t *task.Task, batches bool) int {
	b.Helper()
	return b.history(t.ID).ImagesDone(batches)
}

func keepsBatch(b *bench) {
	t := b.held()
	a := b.batch(t, 2)
	a.ErrorMsg = "picture 2 is missing"
	b.check(b.record(store.BatchKept{Held: t.Token(), Attempt: *a, Results: completion().Results, Progress: 40}))
	got := b.get(t.ID)
	b.same(facts{"Status": got.Status, "Progress": got.Progress, "Fence": got.Fence, "CostMicros": *got.CostMicros, "Currency": got.Currency, "ImageURL": got.ImageURL},
		facts{"Status": task.Processing, "Progress": 40, "Fence": t.Fence, "CostMicros": int64(40_000), "Currency": "USD", "ImageURL": ""})
	kept := b.attempts(t.ID)[0]
	b.same(facts{"State": kept.State, "Images": kept.Images, "ErrorMsg": kept.ErrorMsg, "len results": len(b.results(t.ID))},
		facts{"State": task.AttemptSucceeded, "Images": 2, "ErrorMsg": "picture 2 is missing", "len results": 2})
}

func keepsBatchFenced(b *bench) {
	t := b.held()
	a := b.batch(t, 2)
	_, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
	b.check(err)
	if err := b.record(store.BatchKept{Held: t.Token(), Attempt: *a, Results: completion().Results, Progress: 40}); !errors.Is(err, store.ErrFenced) {
		b.Errorf("got %v", err)
	}
	b.same(facts{"State": b.attempts(t.ID)[0].State, "len results": len(b.results(t.ID))}, facts{"State": task.AttemptAnswered, "len results": 0})
}

func countsDone(b *bench) {
	t := b.held()
	t.ImageCount = 9
	b.exec("UPDATE image_generations SET image_count = 9 WHERE id = %d", t.ID)
	b.same(b.imagesDone(t, true), 0)
	b.check(b.record(store.BatchKept{Held: t.Token(), Attempt: *b.batch(t, 4), Results: completion().Results, Progress: 40}))
	b.same(b.imagesDone(t, false), 4)
	a := b.batch(t, 3)
	a.State = task.AttemptFailed
	b.check(b.record(store.AttemptEnded{Attempt: *a}))
	b.same(facts{"imagesDone": b.imagesDone(t, false), "imagesDone in batches": b.imagesDone(t, true)},
		facts{"imagesDone": 4, "imagesDone in batches": 7})
	crashed := *t
	crashed.Delivery++ // as the reconciler takes it back
	b.same(b.imagesDone(&crashed, true), 7)
	b.exec("UPDATE image_generations SET retried_at = now()")
	b.same(b.imagesDone(t, true), 4)
	late := b.batch(t, 2) // on its way
	b.same(b.imagesDone(t, true), 4)
	b.exec("UPDATE image_generations SET retried_at = now()")
	late.State = task.AttemptFailed
	b.check(b.record(store.AttemptEnded{Attempt: *late}))
	b.same(b.imagesDone(t, true), 6) // it was made before the retry, and refused after it
	b.exec("UPDATE image_generations SET retried_at = '2099-01-01 00:00:00.000000+00:00'")
	b.same(b.imagesDone(t, true), 4)
	back := b.batch(t, 1) // the clock was set back after the retry
	back.State = task.AttemptFailed
	b.check(b.record(store.AttemptEnded{Attempt: *back}))
	b.same(b.imagesDone(t, true), 5)
	b.exec("UPDATE generation_result SET storage_key = NULL")
	b.same(b.imagesDone(t, false), 0)
	all := b.batch(t, 0)
	b.check(b.record(store.BatchKept{Held: t.Token(), Attempt: *all, Results: completion().Results, Progress: 40}))
	b.same(b.imagesDone(t, false), 9)
}

func savesKept(b *bench) {
	t := b.held()
	b.check(b.record(store.BatchKept{Held: t.Token(), Attempt: *b.batch(t, 2), Results: completion().Results, Progress: 40}))
	first := b.results(t.ID)[1]
	b.check(b.finish(store.Completed{Held: t.Token(), Completion: store.Completion{First: &first, Warning: "two are missing"}}))
	got := b.get(t.ID)
	b.same(facts{"Status": got.Status, "ImageURL": got.ImageURL, "ErrorMsg": got.ErrorMsg, "CostMicros": *got.CostMicros},
		facts{"Status": task.Completed, "ImageURL": first.GeneratedImageURL, "ErrorMsg": "two are missing", "CostMicros": int64(40_000)})
	b.same(*got.AnswerResultID, first.ID)
	b.same(len(b.results(t.ID)), 2)
}

func savesNothing(b *bench) {
	t := b.held()
	if err := b.finish(store.Completed{Held: t.Token(), Completion: store.Completion{}}); err == nil {
		b.Error("it was completed with nothing")
	}
	first := completion().Results[0]
	if err := b.finish(store.Completed{Held: t.Token(), Attempt: b.batch(t, 1), Completion: store.Completion{First: &first}}); err == nil {
		b.Error("it was completed with a picture that no call has brought")
	}
	b.same(b.get(t.ID).Status, task.Processing)
}

func keepsInputs(b *bench) {
	t := b.held()
	in := task.Input{Position: 1, SourceHash: "h1", StorageKey: "1/input-1.png", ContentType: "image/png", FileSize: 7, SHA256: "ab"}
	b.check(b.record(store.InputCopied{Task: t.ID, Input: in}))
	later := in
	later.SourceHash, later.StorageKey = "h2", "1/input-1.jpg"
	b.check(b.record(store.InputCopied{Task: t.ID, Input: later}))
	b.same(b.history(t.ID).Inputs, []task.Input{later})
}

func fallsBack(b *bench) {
	t := b.held()
	a := b.begin(t)
	a.State, a.ErrorKind = task.AttemptRejected, task.Billing
	b.check(b.finish(store.Switched{Held: t.Token(), To: task.Fallback{Provider: "rival", Model: "pen"}, Rest: `["third"]`, Reason: "painter did not draw", Attempt: a}))
	got := b.get(t.ID)
	b.same(facts{
		"Provider": got.Provider, "Model": got.Model, "Fallbacks": got.Fallbacks, "Status": got.Status,
		"PublishedAt == nil": got.PublishedAt == nil, "Delivery": got.Delivery, "Worker": got.Worker, "ErrorMsg": got.ErrorMsg,
		"FailedTries": got.FailedTries,
	}, facts{
		"Provider": "rival", "Model": "pen", "Fallbacks": `["third"]`, "Status": task.Pending, "PublishedAt == nil": true,
		"Delivery": t.Delivery, "Worker": "", "ErrorMsg": "painter did not draw", "FailedTries": 0,
	})
	b.same(facts{"State": b.attempts(t.ID)[0].State, "ErrorKind": b.attempts(t.ID)[0].ErrorKind}, facts{"State": task.AttemptRejected, "ErrorKind": task.Billing})
}

func fallsBackFenced(b *bench) {
	t := b.held()
	a := b.begin(t)
	_, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
	b.check(err)
	a.State = task.AttemptRejected
	if err := b.finish(store.Switched{Held: t.Token(), To: task.Fallback{Provider: "rival"}, Rest: "", Reason: "x", Attempt: a}); !errors.Is(err, store.ErrFenced) {
		b.Errorf("got %v", err)
	}
	b.same(facts{"Provider": b.get(t.ID).Provider, "Status": b.get(t.ID).Status, "State": b.attempts(t.ID)[0].State},
		facts{"Provider": t.Provider, "Status": task.Cancelled, "State": task.AttemptRejected})
}

func saysFallbacks(b *bench) {
	t := b.insert(task.Task{Request: task.Request{Fallbacks: `["rival:pen"]`, FitInputs: ptr(true)}})
	got := b.get(t.ID)
	b.same(facts{"Fallbacks": got.Fallbacks, "FitInputs": *got.FitInputs}, facts{"Fallbacks": `["rival:pen"]`, "FitInputs": true})
	b.same(b.get(b.insert(task.Task{}).ID).FitInputs, (*bool)(nil))
}
