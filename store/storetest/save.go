package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func saving() []claim {
	return []claim{
		{"Save completes the task with results, cost and the provider's reply", saves},
		{"Save leaves nothing of an earlier try's error", savesClean},
		{"Save forgets an answer that holds whole pictures, and no other", savesSlim},
		{"Save takes what signs addresses out of an answer whose pictures are stored, and not before", savesUnsigned},
		{"Saving twice is refused and duplicates nothing", savesOnce},
		{"KeepLate keeps the pictures of a task that was cancelled, and does not touch that", keepsLate},
		{"KeepLate twice keeps each picture once", keepsLateOnce},
		{"KeepLate by two who count its pictures otherwise keeps each once", keepsLateElsewhere},
		{"Pictures of two attempts of one task are all kept", twoAttempts},
	}
}

func failing() []claim {
	return []claim{
		{"A failure that may be tried again waits by the database's clock", failsPending},
		{"A final failure says why and when", failsFinally},
		{"A failure sums up what the calls have cost", failsCost},
		{"A failure without an attempt is written", failsEarly},
	}
}

func completion() store.Completion {
	return store.Completion{
		Results: []task.Result{
			{Position: 0, GeneratedImageURL: "/images/1/1-0.png", SourceURL: "https://cdn.example.com/a", Model: "m-1", ContentType: "image/png",
				FileSize: 5 << 32, Width: 1024, Height: 768, SHA256: "ab", StorageKey: "1/1-0.png", ThumbnailKey: "1/1-0.thumb.jpg",
				Seed: ptr(int64(42)), RevisedPrompt: "a red boat", LocalPath: "/data/1/1-0.png", ObjectURL: "https://s3.example.com/1/1-0.png"},
			{Position: 2, GeneratedImageURL: "/images/1/1-2.png", ContentType: "image/png", FileSize: 7, Width: 1, Height: 2, SHA256: "cd", StorageKey: "1/1-2.png"},
		},
		Warning: "picture 1 was refused", APIResponse: `{"ok":true}`,
	}
}

func saves(b *bench) {
	t := b.held()
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(b.begin(t))})) // an earlier call that was paid as well
	a := answered(b.begin(t))
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *a}))
	o := completion()
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: o}))

	got := b.get(t.ID)
	b.near(*got.CompletedAt, 0)
	b.same(facts{
		"Status": got.Status, "Progress": got.Progress, "Worker": got.Worker, "LeaseUntil == nil": got.LeaseUntil == nil,
		"ErrorMsg": got.ErrorMsg, "APIResponse": got.APIResponse,
	}, facts{"Status": task.Completed, "Progress": 100, "Worker": "", "LeaseUntil == nil": true, "ErrorMsg": "picture 1 was refused", "APIResponse": `{"ok":true}`})
	b.same(facts{"ImageURL": got.ImageURL, "MinioURL": got.MinioURL, "LocalPath": got.LocalPath, "Width": *got.Width, "Height": *got.Height},
		facts{"ImageURL": "/images/1/1-0.png", "MinioURL": "https://s3.example.com/1/1-0.png", "LocalPath": "/data/1/1-0.png", "Width": 1024, "Height": 768})
	b.same(facts{"CostMicros": *got.CostMicros, "Currency": got.Currency}, facts{"CostMicros": int64(80_000), "Currency": "USD"})
	b.same(b.attempts(t.ID)[1].State, task.AttemptSucceeded)

	stored := b.results(t.ID)
	for i := range stored {
		b.near(stored[i].CreatedAt, 0)
		want := o.Results[i]
		want.ID, want.TaskID, want.AttemptID, want.CreatedAt = stored[i].ID, t.ID, a.ID, stored[i].CreatedAt
		want.LocalPath, want.ObjectURL = "", ""
		b.same(stored[i], want)
	}
	b.same(len(stored), 2)
	b.same(*got.AnswerResultID, stored[0].ID)
}

func savesClean(b *bench) {
	t := b.held()
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: pendingVerdict()}))
	t = b.take(t.Ref(), "second", lease).Task
	o := completion()
	o.Warning = ""
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: b.begin(t), Completion: o}))
	got := b.get(t.ID)
	b.same(facts{"ErrorMsg": got.ErrorMsg, "ErrorKind": got.ErrorKind, "ErrorCode": got.ErrorCode},
		facts{"ErrorMsg": "", "ErrorKind": task.Kind(""), "ErrorCode": ""})
}

func savesSlim(b *bench) {
	for length, want := range map[int]int{100: 100, 100_000: 0} {
		t := b.held()
		a := answered(b.begin(t))
		a.Answer = strings.Repeat("x", length)
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *a}))
		b.check(b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: completion()}))
		attempts, err := b.store.Attempts(b.Context(), t.ID)
		b.check(err)
		b.same(facts{"len attempts": len(attempts), "len Answer": len(attempts[0].Answer)}, facts{"len attempts": 1, "len Answer": want})
	}
}

func savesUnsigned(b *bench) {
	t := b.held()
	a := answered(b.begin(t))
	a.Answer = `{"outputs":[{"position":0,"url":"https://cdn.example/a%20b.png?X-Amz-Signature=SECRET\u0026e=1"}],"raw":{"id":"job?"},"v":1}`
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *a}))
	attempts, err := b.store.Attempts(b.Context(), t.ID)
	b.check(err)
	b.same(attempts[0].Answer, a.Answer) // collecting needs it
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: completion()}))
	attempts, err = b.store.Attempts(b.Context(), t.ID)
	b.check(err)
	b.same(facts{"State": attempts[0].State, "Answer": attempts[0].Answer},
		facts{"State": task.AttemptSucceeded, "Answer": `{"outputs":[{"position":0,"url":"https://cdn.example/a%20b.png"}],"raw":{"id":"job?"},"v":1}`})
}

func savesOnce(b *bench) {
	t := b.held()
	a := b.begin(t)
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: completion()}))
	b.unchanged(t.ID, func() {
		if err := b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: completion()}); !errors.Is(err, store.ErrFenced) {
			b.Error(err)
		}
	})
}

func keepsLate(b *bench) {
	t := b.held()
	a := b.begin(t)
	ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID}))
	before := b.get(t.ID)
	b.late(a, completion())
	b.same(b.get(t.ID), before)
	b.same(len(b.results(t.ID)), 2)
	got := b.attempts(t.ID)[0]
	b.same(got.State, task.AttemptSucceeded)
	b.near(*got.FinishedAt, 0)
}

// keepsLateElsewhere is about a second worker which has seen the pictures that the first has kept,
// and takes them for those of another call.
func keepsLateElsewhere(b *bench) {
	t, a := b.lastCallUnknown()
	o := completion()
	b.late(a, o)
	for i := range o.Results {
		o.Results[i].Position += 5
	}
	b.late(a, o)
	b.same(len(b.results(t.ID)), 2)
}

func keepsLateOnce(b *bench) {
	t := b.held()
	a := b.begin(t)
	b.late(a, completion())
	b.unchanged(t.ID, func() { b.late(a, completion()) })
}

func twoAttempts(b *bench) {
	t := b.held()
	old, a := b.begin(t), b.begin(t)
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: a, Completion: completion()}))
	b.late(old, completion())
	var order []int64
	for _, r := range b.results(t.ID) {
		order = append(order, r.AttemptID)
	}
	b.same(order, []int64{old.ID, old.ID, a.ID, a.ID})
}

func pendingVerdict() task.Decision {
	return task.Decision{Status: task.Pending, Delay: time.Hour, FailedTries: 2, Waits: 3,
		Failure: &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted, Message: "the provider is away", Code: "503"}}
}

func failsPending(b *bench) {
	t := b.held()
	a := ended(b.begin(t), task.AttemptRejected)
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: pendingVerdict(), Attempt: a}))
	got := b.get(t.ID)
	b.same(facts{
		"Status": got.Status, "FailedTries": got.FailedTries, "Waits": got.Waits, "Worker": got.Worker,
		"LeaseUntil == nil": got.LeaseUntil == nil, "CompletedAt == nil": got.CompletedAt == nil, "Delivery": got.Delivery,
	}, facts{"Status": task.Pending, "FailedTries": 2, "Waits": 3, "Worker": "", "LeaseUntil == nil": true, "CompletedAt == nil": true, "Delivery": 0})
	b.same(facts{"ErrorMsg": got.ErrorMsg, "ErrorKind": got.ErrorKind, "ErrorCode": got.ErrorCode},
		facts{"ErrorMsg": "the provider is away (503)", "ErrorKind": task.Unavailable, "ErrorCode": "503"})
	b.near(got.RunAt, time.Hour)
	last := b.attempts(t.ID)[0]
	b.near(*last.FinishedAt, 0)
	a.FinishedAt = last.FinishedAt
	b.same(&last, a)
}

func failsFinally(b *bench) {
	t := b.held()
	v := task.Decision{Status: task.Failed, FailedTries: 1, Failure: &task.Failure{Kind: task.Moderated, Executed: task.Executed, Message: "refused"}}
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: v, Attempt: ended(b.begin(t), task.AttemptFailed)}))
	got := b.get(t.ID)
	b.near(*got.CompletedAt, 0)
	b.same(facts{"Status": got.Status, "FailedTries": got.FailedTries, "ErrorKind": got.ErrorKind, "ErrorMsg": got.ErrorMsg},
		facts{"Status": task.Failed, "FailedTries": 1, "ErrorKind": task.Moderated, "ErrorMsg": "refused"})
}

func failsCost(b *bench) {
	t := b.held()
	for range 2 {
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(b.begin(t))}))
	}
	billed := ended(b.begin(t), task.AttemptFailed)
	billed.CostMicros, billed.Currency = new(int64(5_000)), "USD"
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: pendingVerdict(), Attempt: billed}))
	got := b.get(t.ID)
	b.same(facts{"CostMicros": *got.CostMicros, "Currency": got.Currency}, facts{"CostMicros": int64(85_000), "Currency": "USD"})
}

func failsEarly(b *bench) {
	t := b.held()
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: pendingVerdict()}))
	b.same(b.get(t.ID).CostMicros, (*int64)(nil))
	b.same(b.attempts(t.ID), []task.Attempt{})
}
