package storetest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func person() []claim {
	return []claim{
		{"Retry brings a task back with a new delivery and all budgets full", retries},
		{"Retry is for failed and cancelled tasks only", retriesFinal},
		{"Retry of another delivery than the one that was seen is refused", retriesSeen},
		{"Of 10 retries of one delivery at once one wins", retryRace},
		{"Of contradicting words at once about a call exactly one is taken, and the journal says which", wordRace},
		{"After any word an older one is refused, and says what became of the task", wordsInTurn},
		{"What was given up as charged cannot be called not charged, as it is now, and the other way round", wordsOfNow},
		{"A word that may buy is refused of a task that nobody has looked at", notLookedAt},
		{"Cancel is for the delivery that was seen, or for any", cancelsSeen},
		{"Retry drops a deadline that has passed and keeps one that has not", retriesDeadline},
		{"Retry as not charged lets an unknown call be made again", notCharged},
		{"Retry without that leaves an unknown call unknown", stillUnknown},
		{"Cancel is for a task that a machine has taken back since it was seen, unless a person has ever brought it back", cancelsTakenBack},
		{"Cancel ends a waiting task", cancelsPending},
		{"Cancel ends a held task and tells its worker once", cancelsHeld},
		{"Cancel of a final task is refused", cancelsFinal},
		{"A fence and a delivery at the bound of their columns stay there, can be cancelled and retried, and keep no others back", bounds},
		{"Archive fails a waiting task of that delivery", archives},
		{"Filters and counts name a task by its journal where its row reads as archived", archivedUnknown},
		{"Archive leaves every other task alone", archivesOnly},
		{"What a person does to a task that does not exist says so", missing},
	}
}

// used is a task whose every counter has moved.
func (b *bench) used(status task.Status) *task.Task {
	b.Helper()
	t := b.held()
	b.exec(`UPDATE image_generations SET status = '%s', attempt = 3, waits = 4, crashes = 2, progress = 50, error_msg = 'm', error_kind = 'timeout',
		error_code = 'c', completed_at = created_at, cancel_requested_at = created_at WHERE id = %d`, status, t.ID)
	return b.get(t.ID)
}

func retries(b *bench) {
	for _, status := range []task.Status{task.Failed, task.Cancelled} {
		old := b.used(status)
		got, err := b.store.Retry(b.Context(), old.Seen(), false)
		b.check(err)
		b.same(got, b.get(old.ID))
		b.near(got.RunAt, 0)
		want := *old
		want.Status, want.Delivery, want.Fence = task.Pending, old.Delivery+1, old.Fence+1
		want.FailedTries, want.Waits, want.Crashes, want.Progress = 0, 0, 0, 0
		want.Worker, want.LeaseUntil, want.PublishedAt, want.CancelRequestedAt, want.CompletedAt = "", nil, nil, nil, nil
		want.ErrorMsg, want.ErrorKind, want.ErrorCode = "", "", ""
		b.near(*got.RetriedAt, 0)
		want.RunAt, want.UpdatedAt, want.RetriedAt = got.RunAt, got.UpdatedAt, got.RetriedAt
		b.same(got, &want)
		b.same(b.refused(old.Ref()).Stale, true)
		b.take(got.Ref(), "second", lease)
	}
}

func bounds(b *bench) {
	const last = "fence = 9223372036854775807, delivery = 2147483647"
	spent := func(t *task.Task) *task.Task {
		b.exec("UPDATE image_generations SET "+last+" WHERE id = %d", t.ID)
		return b.get(t.ID)
	}
	t := spent(b.insert(task.Task{}))
	b.same(b.refused(t.Ref()).FenceExhausted, true)
	b.check(b.store.Redeliver(b.Context(), []task.Ref{t.Ref()}))
	t = b.get(t.ID)
	b.same(facts{"Delivery": t.Delivery, "Fence": t.Fence}, facts{"Delivery": 0, "Fence": int64(math.MaxInt64)})

	t = spent(t)
	why, err := b.store.Archive(b.Context(), t.Ref(), &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"})
	b.check(err)
	b.same(facts{"why != nil": why != nil, "Status": b.get(t.ID).Status}, facts{"why != nil": true, "Status": task.Failed})
	t, err = b.store.Retry(b.Context(), b.get(t.ID).Seen(), false)
	b.check(err)
	b.same(facts{"Delivery": t.Delivery, "Fence": t.Fence}, facts{"Delivery": 0, "Fence": int64(math.MaxInt64/2 + 1)})
	b.take(t.Ref(), "second", lease)

	t, err = b.store.Cancel(b.Context(), task.Seen{Task: spent(b.insert(task.Task{})).ID})
	b.check(err)
	b.same(facts{"Status": t.Status, "Fence": t.Fence}, facts{"Status": task.Cancelled, "Fence": int64(math.MaxInt64)})

	gone, beside := spent(b.held()), b.held()
	b.exec("UPDATE image_generations SET worker = 'gone', lease_until = '2026-01-01 00:00:00+00:00' WHERE id IN (%d, %d)", gone.ID, beside.ID)
	_, err = b.store.ReclaimExpired(b.Context(), 10)
	b.check(err)
	b.same(facts{"gone.Status": b.get(gone.ID).Status, "beside.Status": b.get(beside.ID).Status},
		facts{"gone.Status": task.Pending, "beside.Status": task.Pending})
}

func (b *bench) notAllowed(err error, t *task.Task) {
	b.Helper()
	var not *store.NotAllowed
	if !errors.As(err, &not) || not.Task != t.ID || not.Status != t.Status {
		b.Errorf("%s task: %v", t.Status, err)
	}
}

func retriesFinal(b *bench) {
	for _, status := range []task.Status{task.Pending, task.Processing, task.Completed} {
		t := b.used(status)
		b.unchanged(t.ID, func() {
			_, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), true)
			b.notAllowed(err, t)
		})
	}
}

func retriesSeen(b *bench) {
	t := b.used(task.Failed)
	b.unchanged(t.ID, func() {
		for _, seen := range []task.Seen{{Task: t.ID, Delivery: t.Delivery + 1, Fence: t.Fence, Status: t.Status}, {Task: t.ID, Delivery: t.Delivery, Fence: t.Fence - 1, Status: t.Status},
			{Task: t.ID, Delivery: t.Delivery, Fence: t.Fence, Status: task.Processing}} {
			_, err := b.store.Retry(b.Context(), seen, false)
			b.notAllowed(err, t)
			_, err = b.store.BuyAgain(b.Context(), seen)
			b.notAllowed(err, t)
		}
	})
	got, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), false)
	b.check(err)
	b.same(got.Delivery, t.Delivery+1)
}

func retryRace(b *bench) {
	t := b.used(task.Failed)
	var won [10]bool
	together(len(won), func(i int) {
		_, err := b.store.Retry(b.Context(), t.Seen(), false)
		won[i] = err == nil
	})
	n := 0
	for _, w := range won {
		if w {
			n++
		}
	}
	b.same(facts{"n": n, "Delivery": b.get(t.ID).Delivery}, facts{"n": 1, "Delivery": 1})
}

func cancelsSeen(b *bench) {
	t := b.used(task.Failed)
	again, err := b.store.Retry(b.Context(), t.Seen(), false)
	b.check(err)
	b.unchanged(t.ID, func() {
		_, err := b.store.Cancel(b.Context(), t.Seen())
		b.notAllowed(err, again)
	})
	b.take(again.Ref(), "second", lease)
	_, err = b.store.Cancel(b.Context(), again.Seen())
	b.check(err)
	b.same(b.get(t.ID).Status, task.Cancelled)
}

func cancelsTakenBack(b *bench) {
	for _, retried := range []bool{false, true} { // before it was looked at
		b.clear()
		t := b.held()
		if retried {
			b.exec("UPDATE image_generations SET retried_at = created_at")
		}
		b.exec("UPDATE image_generations SET worker = 'never seen', lease_until = '2026-01-01 00:00:00+00:00'")
		back, err := b.store.ReclaimExpired(b.Context(), 10)
		b.check(err)
		_, err = b.store.Cancel(b.Context(), t.Seen())
		got := b.get(t.ID)
		b.same(facts{"taken back": len(back), "Delivery": got.Delivery, "cancelled": got.Status == task.Cancelled, "done": err == nil},
			facts{"taken back": 1, "Delivery": t.Delivery + 1, "cancelled": !retried, "done": !retried})
	}
}

func retriesDeadline(b *bench) {
	future := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	for deadline, want := range map[time.Time]*time.Time{future: &future, time.Now().Add(-time.Hour): nil} {
		t := b.insert(task.Task{Request: task.Request{DeadlineAt: &deadline}})
		ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID}))
		got, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), false)
		b.check(err)
		b.same(got.DeadlineAt, want)
	}
}

func (b *bench) outcomeUnknown() *task.Task {
	b.Helper()
	t := b.held()
	f := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "no answer"}
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: f}, Attempt: ended(b.begin(t), task.AttemptUnknown)}))
	return t
}

func notCharged(b *bench) {
	t := b.outcomeUnknown()
	got, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), true)
	b.check(err)
	last := b.take(got.Ref(), "second", lease).Last
	b.same(facts{"State": last.State, "ErrorMsg": last.ErrorMsg}, facts{"State": task.AttemptRejected, "ErrorMsg": "a person found that this call was not charged"})
}

func stillUnknown(b *bench) {
	t := b.outcomeUnknown()
	got, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), false)
	b.check(err)
	b.same(b.take(got.Ref(), "second", lease).Last.State, task.AttemptUnknown)
}

func cancelsPending(b *bench) {
	t := b.insert(task.Task{})
	got, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
	b.check(err)
	b.same(got, b.get(t.ID))
	b.same(facts{"Status": got.Status, "Fence": got.Fence, "Delivery": got.Delivery}, facts{"Status": task.Cancelled, "Fence": int64(1), "Delivery": 0})
	b.near(*got.CancelRequestedAt, 0)
	b.near(*got.CompletedAt, 0)
	b.same(b.refused(t.Ref()).Stale, true)
}

func cancelsHeld(b *bench) {
	t, other := b.held(), b.held()
	got, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
	b.check(err)
	b.same(facts{"Status": got.Status, "Fence": got.Fence, "LeaseUntil == nil": got.LeaseUntil == nil},
		facts{"Status": task.Cancelled, "Fence": t.Fence + 1, "LeaseUntil == nil": true})
	for worker, want := range map[string][]int64{"second": nil, "first": {t.ID}} {
		ids, err := b.store.TakeCancelled(b.Context(), worker)
		b.check(err)
		b.same(ids, want)
	}
	ids, err := b.store.TakeCancelled(b.Context(), "first")
	b.check(err)
	b.same(ids, []int64(nil))
	b.same(b.get(other.ID).Worker, "first")
}

func cancelsFinal(b *bench) {
	for _, status := range []task.Status{task.Completed, task.Failed, task.Cancelled} {
		t := b.used(status)
		b.unchanged(t.ID, func() {
			_, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
			b.notAllowed(err, t)
			b.same(err.Error(), fmt.Sprintf("task %d is %s and cannot be cancelled", t.ID, status))
		})
	}
}

func archivedBy() *task.Failure {
	return &task.Failure{Kind: task.Archived, Executed: task.NotExecuted, Message: "archived in asynqmon", Advice: task.RetryByHand}
}

func archives(b *bench) {
	t := b.insert(task.Task{})
	why, err := b.store.Archive(b.Context(), t.Ref(), archivedBy())
	b.check(err)
	got := b.get(t.ID)
	b.same(facts{"why != nil": why != nil, "Status": got.Status, "Fence": got.Fence, "RowError": got.RowError},
		facts{"why != nil": true, "Status": task.Failed, "Fence": int64(1), "RowError": archivedBy().RowError()})
	b.near(*got.CompletedAt, 0)
}

func archivesOnly(b *bench) {
	other := b.insert(task.Task{}).Ref()
	other.Delivery++
	refs := []task.Ref{other, b.held().Ref(), b.used(task.Completed).Ref(), b.used(task.Failed).Ref(), b.used(task.Cancelled).Ref()}
	for _, ref := range refs {
		b.unchanged(ref.Task, func() {
			why, err := b.store.Archive(b.Context(), ref, archivedBy())
			b.check(err)
			b.same(why, (*task.Failure)(nil))
		})
	}
}

func missing(b *bench) {
	_, get := b.store.Get(b.Context(), 404)
	_, retry := b.store.Retry(b.Context(), task.Seen{Task: 404, Status: task.Failed}, false)
	_, cancel := b.store.Cancel(b.Context(), task.Seen{Task: 404})
	for name, err := range map[string]error{"Get": get, "Retry": retry, "Cancel": cancel} {
		if !errors.Is(err, store.ErrNotFound) {
			b.Errorf("%s: %v", name, err)
		}
	}
}
