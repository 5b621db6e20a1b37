package storetest

import (
	"errors"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func advising() []claim {
	return []claim{
		{"A failure and its call keep what can be done, and a claim brings it back", advises},
		{"A retry, a completion and another provider forget it", forgetsAdvice},
		{"A task that is given back keeps the advice of the reason that it keeps, and no other", releasesAdvised},
		{"A row that an app sets back keeps it with its reason", archivesAdvised},
		{"Who learns that an archived call is of unknown outcome is told to decide", advisesDecision},
		{"A person's word takes the advice that it answers out of the reason", answersAdvice},
		{"A cancelled task that has paid advises to fetch it, until it is there", advisesCancelled},
	}
}

func nameModel() *task.Failure {
	return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Code: "E404", Message: "no such model", Advice: task.NameModel, About: "m-1"}
}

// advised is a task that waits or has failed for nameModel, as its call has.
func (b *bench) advised(status task.Status) *task.Task {
	b.Helper()
	t := b.held()
	a := ended(b.begin(t), rejected)
	a.RowError = nameModel().RowError()
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: status, Failure: nameModel()}, Attempt: a}))
	return b.get(t.ID)
}

func advises(b *bench) {
	want := task.RowError{ErrorMsg: "no such model (E404). Name a model of the provider, such as m-1", ErrorKind: task.Unsupported, ErrorCode: "E404",
		ErrorAdvice: task.NameModel, ErrorAbout: "m-1"}
	t := b.advised(task.Pending)
	b.same(t.RowError, want)
	b.same(b.attempts(t.ID)[0].RowError, want)
	c := b.take(t.Ref(), "second", lease)
	b.same(c.Task.RowError, want)
	b.same(c.Last.RowError, want)
}

func forgetsAdvice(b *bench) {
	retried, err := b.store.Retry(b.Context(), b.advised(task.Failed).Seen(), false)
	b.check(err)
	b.same(retried.RowError, task.RowError{})

	t := b.take(b.advised(task.Pending).Ref(), "second", lease).Task
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: b.begin(t), Completion: completion()}))
	b.same(b.get(t.ID).RowError, task.RowError{ErrorMsg: "picture 1 was refused"})

	t = b.take(b.advised(task.Pending).Ref(), "second", lease).Task
	b.check(b.finish(store.Switched{Held: t.Token(), To: task.Fallback{Provider: "other"}, Reason: "painter did not draw"}))
	b.same(b.get(t.ID).RowError, task.RowError{ErrorMsg: "painter did not draw"})
}

func releasesAdvised(b *bench) {
	t := b.take(b.advised(task.Pending).Ref(), "second", lease).Task
	b.check(b.store.Release(b.Context(), t.Token(), 0, "it waits for room"))
	b.same(b.get(t.ID).RowError, nameModel().RowError())

	t = b.take(t.Ref(), "second", lease).Task
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(b.begin(t))}))
	b.check(b.store.Release(b.Context(), t.Token(), time.Second, "its picture is fetched again"))
	b.same(b.get(t.ID).RowError, task.RowError{ErrorMsg: "its picture is fetched again"})
}

func archivesAdvised(b *bench) {
	t := b.advised(task.Failed)
	b.exec("UPDATE image_generations SET status = 'pending' WHERE id = %d", t.ID)
	_, err := b.store.Archive(b.Context(), t.Ref(), archivedBy())
	b.check(err)
	want := nameModel()
	want.Message = "the app had set the task back to pending; no such model (E404)"
	b.same(b.get(t.ID).RowError, want.RowError())
}

func advisesDecision(b *bench) {
	t, _ := b.lastCallUnknown()
	b.exec("UPDATE image_generations SET error_kind = 'archived'")
	b.exec("UPDATE generation_attempt SET error_msg = 'no answer'")
	n, err := b.store.MarkUnknownOutcome(b.Context(), []task.Ref{t.Ref()})
	b.check(err)
	b.same(n, int64(1))
	want := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Advice: task.DecideByHand,
		Message: "nobody can say whether the provider ran and billed the last call: no answer"}
	b.same(b.get(t.ID).RowError, want.RowError())
}

func answersAdvice(b *bench) {
	t := b.held()
	a := ended(b.begin(t), task.AttemptUnknown)
	unknown := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "who knows", Advice: task.DecideByHand}
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: unknown}, Attempt: a}))
	given, err := b.store.GiveUp(b.Context(), b.get(t.ID).Seen(), nil)
	b.check(err)
	b.same(given.RowError, task.RowError{ErrorKind: task.Charged, ErrorMsg: "a person found that the call was charged, and gave its picture up: who knows"})

	t = b.held()
	a = ended(b.begin(t), task.AttemptUnknown)
	part := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "1 of 2", Advice: task.RetryCollects}
	a.RowError = part.RowError()
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: part}, Attempt: a}))
	b.unchanged(t.ID, func() {
		var has *store.HasPictures
		if _, err := b.store.GiveUp(b.Context(), b.get(t.ID).Seen(), nil); !errors.As(err, &has) || *has != (store.HasPictures{Task: t.ID, Attempt: 1}) {
			b.Errorf("a call whose pictures are in storage was given up: %v", err)
		}
	})

	t = b.held()
	a = answered(b.begin(t))
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *a}))
	gone := &task.Failure{Kind: task.Expired, Executed: task.Executed, Message: "404", Advice: task.RetryCollects}
	a.RowError = gone.RowError()
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: gone}, Attempt: a}))
	_, err = b.store.BuyAgain(b.Context(), b.get(t.ID).Seen(), task.CollectableCalls(b.attempts(t.ID))...)
	b.check(err)
	b.same(b.attempts(t.ID)[0].RowError, task.RowError{ErrorKind: task.BoughtAgain, ErrorMsg: "it was paid for and not collected, and a person decided to buy again: 404"})
}

func advisesCancelled(b *bench) {
	t := b.held()
	a := answered(b.begin(t))
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *a}))
	b.check(b.store.Release(b.Context(), t.Token(), 0, "it waits"))
	cancelled, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
	b.check(err)
	want := task.RowError{ErrorMsg: "it was cancelled after a call was paid for whose picture had not come yet. It is tried again by itself, and not bought again",
		ErrorAdvice: task.Wait}
	b.same(cancelled.RowError, want)
	// As a release before wrote it.
	b.exec("UPDATE image_generations SET error_msg = 'it was cancelled after a call was paid for whose picture had not come yet: retry it', error_advice = NULL")
	b.check(b.record(store.LearntLate{Task: t.ID}))
	b.same(b.get(t.ID).RowError, want)
	a.FinishedAt, a.RowError = new(time.Now()), task.RowError{ErrorKind: task.Expired, ErrorMsg: "404"}
	b.check(b.record(store.EndedLate{Attempt: *a}))
	b.same(b.get(t.ID).RowError, task.RowError{ErrorMsg: "it was cancelled after a call was paid for whose picture had not come yet. A retry fetches it again and does not pay for it twice",
		ErrorAdvice: task.RetryCollects})
	b.late(a, completion())
	b.same(b.get(t.ID).RowError, task.RowError{})
}
