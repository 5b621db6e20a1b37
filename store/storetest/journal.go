package storetest

import (
	"fmt"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func journal() []claim {
	return []claim{
		{"Begin commits the attempt as sending", begins},
		{"Two calls cannot have one key", oneKey},
		{"Attempts are numbered over all deliveries", numbers},
		{"Accept keeps the handle and mirrors the job's id", accepts},
		{"Answer keeps what was drawn and what it cost", answers},
		{"A late Accept after unknown is kept and clears the error", lateAccept},
		{"Accept by who lost the task is kept, and the task is not touched", lostAccept},
		{"A call that a person took for not charged is mended by its answer", lateAnswer},
		{"Only the allowed transitions happen", transitions},
		{"Who lost the task ends only an attempt of which nothing is known", lateEnds},
		{"A task that failed as unknown says so no more once none of its calls can have been made", unknownNoMore},
		{"It goes on saying so while another call of it may have been", anotherUnknown},
		{"An attempt is found by its key", byKey},
		{"Ids of attempts only grow, also when the newest is deleted", newest},
		{"Whether the next step is to buy follows from the newest attempt", looksAhead},
	}
}

func accepted(a *task.Attempt) *task.Attempt {
	c := *a
	c.State, c.Handle, c.ProviderRequestID, c.HTTPStatus = task.AttemptAccepted, `{"id":"job-1"}`, "req-1", ptr(202)
	return &c
}

func answered(a *task.Attempt) *task.Attempt {
	c := *a
	c.State, c.Answer, c.HTTPStatus = task.AttemptAnswered, `{"outputs":[]}`, ptr(200)
	c.CostMicros, c.Currency, c.PriceVersion = ptr(int64(40_000)), "USD", "2026-01"
	return &c
}

func ended(a *task.Attempt, s task.AttemptState) *task.Attempt {
	c := *a
	c.State, c.ErrorKind, c.ErrorCode, c.ErrorMsg = s, task.Timeout, "E1", "no answer in time"
	return &c
}

func begins(b *bench) {
	t := b.held()
	a := &task.Attempt{Key: "key-1", Provider: "painter", Account: "main", Endpoint: "https://example.com/v1", RequestHash: "h"}
	b.check(b.beginAs(t, a))
	b.near(a.SentAt, 0)
	b.same(a, &task.Attempt{ID: a.ID, TaskID: t.ID, Number: 1, Key: "key-1", Provider: "painter", Account: "main",
		Endpoint: "https://example.com/v1", RequestHash: "h", State: task.AttemptSending, Worker: "first", Fence: t.Fence, SentAt: a.SentAt})
	b.same(b.attempts(t.ID), []task.Attempt{*a})
}

func oneKey(b *bench) {
	t := b.held()
	a := *b.begin(t)
	b.unchanged(t.ID, func() {
		if err := b.beginAs(t, &a); err == nil {
			b.Error("the key was taken twice")
		}
	})
}

func numbers(b *bench) {
	t := b.held()
	b.begin(t)
	b.begin(t)
	ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID}))
	again, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), false)
	b.check(err)
	b.begin(b.take(again.Ref(), "second", lease).Task)
	var got []string
	for _, a := range b.attempts(t.ID) {
		got = append(got, fmt.Sprintf("%d of delivery %d", a.Number, a.Delivery))
	}
	b.same(got, []string{"1 of delivery 0", "2 of delivery 0", "3 of delivery 1"})
}

func accepts(b *bench) {
	t := b.held()
	a := accepted(b.begin(t))
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *a, JobID: "job-1"}))
	b.same(b.attempts(t.ID), []task.Attempt{*a})
	b.same(b.get(t.ID).ProviderJobID, "job-1")
}

func answers(b *bench) {
	t := b.held()
	a := accepted(b.begin(t))
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *a}))
	done := answered(a)
	done.ProviderRequestID = ""
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *done, JobID: "job-2"}))
	got := b.attempts(t.ID)[0]
	b.near(*got.AnsweredAt, 0)
	done.AnsweredAt, done.ProviderRequestID = got.AnsweredAt, "req-1" // a poll's reply without an id keeps the known one
	b.same(&got, done)
	b.same(b.get(t.ID).ProviderJobID, "job-2")
}

func lateAccept(b *bench) {
	t := b.held()
	a := b.begin(t)
	b.check(b.record(store.AttemptEnded{Attempt: *ended(a, task.AttemptUnknown)}))
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
	b.same(b.attempts(t.ID), []task.Attempt{*accepted(a)})
}

func lostAccept(b *bench) {
	t := b.held()
	a := b.begin(t)
	ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID}))
	before := b.get(t.ID)
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a), JobID: "job-1"}))
	b.same(b.get(t.ID), before)
	b.same(b.attempts(t.ID)[0].State, task.AttemptAccepted)
}

func lateAnswer(b *bench) {
	t := b.held()
	a := b.begin(t)
	unknown := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "no answer"}
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: unknown}, Attempt: ended(a, task.AttemptUnknown)}))
	again, err := b.store.Retry(b.Context(), b.get(t.ID).Seen(), true)
	b.check(err)
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
	last := b.take(again.Ref(), "second", lease).Last
	b.same(facts{"State": last.State, "Answer": last.Answer, "ErrorMsg": last.ErrorMsg, "FinishedAt == nil": last.FinishedAt == nil},
		facts{"State": task.AttemptAnswered, "Answer": `{"outputs":[]}`,
			"ErrorMsg": "a person found that this call was not charged, and it was found again since: the provider has run it", "FinishedAt == nil": true})
}

const (
	sending, unknown, accept = task.AttemptSending, task.AttemptUnknown, task.AttemptAccepted
	answer, rejected, failed = task.AttemptAnswered, task.AttemptRejected, task.AttemptFailed
	succeeded                = task.AttemptSucceeded
)

// outcomes are the states that a write leaves where it finds sending, unknown,
// accepted, answered, rejected, failed and succeeded.
type outcomes [7]task.AttemptState

func transitions(b *bench) {
	t := b.held()
	a := b.begin(t)
	end := func(s task.AttemptState) func() error {
		return func() error { return b.record(store.AttemptEnded{Attempt: *ended(a, s)}) }
	}
	b.leads("Accept", a, func() error { return b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}) },
		outcomes{accept, accept, accept, answer, rejected, failed, succeeded})
	b.leads("Answer", a, func() error { return b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}) },
		outcomes{answer, answer, answer, answer, answer, answer, succeeded})
	b.leads("End rejected", a, end(rejected), outcomes{rejected, rejected, rejected, answer, rejected, failed, succeeded})
	b.leads("End failed", a, end(failed), outcomes{failed, failed, failed, failed, rejected, failed, succeeded})
	b.leads("End answered", a, end(answer), outcomes{answer, answer, answer, answer, rejected, failed, succeeded})
	b.leads("End unknown", a, end(unknown), outcomes{unknown, unknown, accept, answer, rejected, failed, succeeded})
	b.leads("KeepLate", a, func() error { b.late(a, store.Completion{}); return nil },
		outcomes{succeeded, succeeded, succeeded, succeeded, succeeded, succeeded, succeeded})
}

func lateEnds(b *bench) {
	t := b.held()
	a := b.begin(t)
	ignore(b.store.Cancel(b.Context(), task.Seen{Task: t.ID}))
	fail := func(s task.AttemptState) func() error {
		return func() error {
			ignore(nil, b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.Timeout, Executed: task.NotExecuted}}, Attempt: ended(a, s)}))
			return nil
		}
	}
	b.leads("Fail rejected", a, fail(rejected), outcomes{rejected, rejected, accept, answer, rejected, failed, succeeded})
	b.leads("Fail failed", a, fail(failed), outcomes{failed, failed, accept, answer, rejected, failed, succeeded})
	b.leads("Fail unknown", a, fail(unknown), outcomes{unknown, unknown, accept, answer, rejected, failed, succeeded})
}

// leads puts the attempt into every state in turn and checks what the write makes of it.
func (b *bench) leads(name string, a *task.Attempt, write func() error, want outcomes) {
	b.Helper()
	states := outcomes{sending, unknown, accept, answer, rejected, failed, succeeded}
	for i, from := range states {
		b.exec("UPDATE generation_attempt SET state = '%s' WHERE id = %d", from, a.ID)
		b.check(write())
		if got := b.attempts(a.TaskID)[0].State; got != want[i] {
			b.Errorf("%s makes %s %s, not %s", name, from, got, want[i])
		}
	}
}

func newest(b *bench) {
	ids := func() int64 {
		id, err := b.store.NewestAttempt(b.Context())
		b.check(err)
		return id
	}
	b.same(ids(), int64(0))
	first, second := b.begin(b.held()), b.begin(b.held())
	b.same(facts{"newest": ids(), "after the first": first.ID + 1}, facts{"newest": second.ID, "after the first": second.ID})
	b.exec("DELETE FROM generation_attempt WHERE id = %d", second.ID)
	b.same(ids(), first.ID)
	third := b.begin(b.held())
	b.same(facts{"newest": ids(), "after the second": third.ID > second.ID}, facts{"newest": third.ID, "after the second": true})
}

func looksAhead(b *bench) {
	next := func(t *task.Task) store.Next {
		n, err := b.store.Next(b.Context(), t.Ref())
		b.check(err)
		return n
	}
	b.same(next(&task.Task{ID: 7}), store.Next{})
	t := b.insert(task.Task{})
	b.same(facts{"next": next(t), "Buys": next(t).Buys()}, facts{"next": store.Next{}, "Buys": true})
	held := b.take(t.Ref(), "first", lease).Task
	b.begin(held)
	for state, buys := range map[task.AttemptState]bool{task.AttemptSending: false, task.AttemptUnknown: false, task.AttemptAnswered: false,
		task.AttemptRejected: true, task.AttemptFailed: true} {
		b.exec("UPDATE generation_attempt SET state = '%s'", state)
		b.same(facts{"next": next(t), "Buys": next(t).Buys()}, facts{"next": store.Next{State: state}, "Buys": buys})
	}
}
