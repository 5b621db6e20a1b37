package storetest

import (
	"slices"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// unproven is a way in which the lost call of a task that is seen ends without proof.
type unproven struct {
	name       string
	end        func(task.Seen, *task.Attempt)
	kind       task.Kind
	then, kept task.Status // of its task: by that, and once its picture is kept after all
	says       string      // the task then
}

func (b *bench) unproven() []unproven {
	byHand := func(_ *task.Task, err error) { b.check(err) }
	return []unproven{
		{"not charged", func(seen task.Seen, _ *task.Attempt) { byHand(b.store.Retry(b.Context(), seen, true)) }, task.NotCharged, task.Pending, task.Pending, ""},
		{"not charged, by a release before", func(task.Seen, *task.Attempt) {
			b.exec("UPDATE generation_attempt SET state = 'rejected', error_kind = 'timeout', error_msg = 'a person found that this call was not charged'")
		}, task.NotCharged, task.Failed, task.Completed, ""},
		{"charged", func(seen task.Seen, _ *task.Attempt) { byHand(b.store.GiveUp(b.Context(), seen, nil)) }, task.Charged, task.Failed, task.Failed,
			"the pictures of attempt 1 came late and are kept. " + task.RetryTakes.Sentence("")},
		{"bought again", func(seen task.Seen, a *task.Attempt) {
			b.check(b.record(store.Accepted{Held: task.Token{Task: seen.Task}, Attempt: *accepted(a)}))
			byHand(b.store.BuyAgain(b.Context(), seen, task.CollectableCalls(b.attempts(seen.Task))...))
		}, task.BoughtAgain, task.Pending, task.Pending, ""},
		{"charged, and bought again", func(seen task.Seen, _ *task.Attempt) {
			byHand(b.store.GiveUp(b.Context(), seen, nil))
			byHand(b.store.BuyAgain(b.Context(), b.get(seen.Task).Seen()))
		}, task.BoughtAgain, task.Pending, task.Pending, ""},
		{"forgotten", func(task.Seen, *task.Attempt) {
			b.exec("UPDATE generation_attempt SET state = 'failed', error_kind = 'forgotten', error_msg = 'it was cancelled, and is gone'")
			b.exec("UPDATE image_generations SET error_kind = 'expired'")
		}, task.Forgotten, task.Failed, task.Failed, "the pictures of attempt 1 came late and are kept. " + task.RetryTakes.Sentence("")},
		{"never had", func(task.Seen, *task.Attempt) {
			b.exec("UPDATE generation_attempt SET state = 'rejected', error_kind = 'forgotten', error_msg = 'it never had it'")
			b.exec("UPDATE image_generations SET error_kind = 'expired'")
		}, task.Forgotten, task.Failed, task.Failed, "the pictures of attempt 1 came late and are kept. " + task.RetryTakes.Sentence("")},
	}
}

func disprovesWords(b *bench) {
	for _, c := range b.unproven() {
		b.clear()
		t, a := b.lastCallUnknown()
		c.end(b.get(t.ID).Seen(), a)
		found, err := b.store.Record(b.Context(), store.Accepted{Held: b.get(t.ID).Token(), Attempt: *accepted(a), JobID: "job-1"})
		b.check(err)
		got := b.attempts(t.ID)[0]
		_, over := b.open("first", 0, 10)
		b.same(facts{"name": c.name, "found": found, "State": got.State, "finished": got.FinishedAt != nil, "RowError": got.RowError, "collected": len(over) == 1, "Status": b.get(t.ID).Status},
			facts{"name": c.name, "found": true, "State": accept, "finished": false, "RowError": task.RowError{ErrorKind: c.kind, ErrorMsg: c.kind.FoundAgain()}, "collected": c.then.Final(), "Status": c.then})
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
		o := completion()
		o.Warning = ""
		kept := *answered(a)
		kept.ErrorMsg = ""
		b.late(&kept, o)
		got, left := b.attempts(t.ID)[0], b.get(t.ID)
		b.same(facts{"name": c.name, "State": got.State, "RowError": got.RowError, "len results": len(b.results(t.ID)), "Status": left.Status, "says": left.ErrorMsg},
			facts{"name": c.name, "State": succeeded, "RowError": task.RowError{ErrorKind: c.kind, ErrorMsg: c.kind.FoundAgain()}, "len results": 2, "Status": c.kept, "says": c.says})
	}
}

func stays(b *bench) {
	for _, end := range []string{"state = 'failed', error_kind = 'moderated'", "state = 'rejected', error_kind = NULL", "state = 'failed', error_kind = 'expired'"} {
		b.clear()
		t, a := b.lastCallUnknown()
		b.exec("UPDATE generation_attempt SET %s, error_msg = 'no'", end)
		before := b.attempts(t.ID)
		found, err := b.store.Record(b.Context(), store.Accepted{Held: b.get(t.ID).Token(), Attempt: *accepted(a), JobID: "job-1"})
		b.check(err)
		b.same(facts{"end": end, "found": found, "attempts": b.attempts(t.ID)}, facts{"end": end, "found": false, "attempts": before})
	}
}

func confirmsWords(b *bench) {
	for _, unbilled := range []bool{false, true} {
		b.clear()
		t, a := b.lastCallUnknown()
		_, err := b.store.GiveUp(b.Context(), b.get(t.ID).Seen(), nil)
		b.check(err)
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a), JobID: "job-1"}))
		waits := b.get(t.ID)
		b.same(facts{"ErrorKind": waits.ErrorKind, "ErrorAdvice": waits.ErrorAdvice}, facts{"ErrorKind": task.Charged, "ErrorAdvice": task.Wait})
		stopped := ended(a, failed)
		stopped.Unbilled, stopped.ErrorCode = unbilled, ""
		b.check(b.record(store.EndedLate{Attempt: *stopped}))
		l, err := b.store.Look(b.Context(), t.ID)
		b.check(err)
		said := task.Charged.FoundAgain() + ": no answer in time"
		want := facts{"Next": task.BuysAgain, "kinds": []task.Kind{task.Charged, task.Charged}, "says": []string{said, said}, "advice": task.Advice("")}
		if unbilled {
			want = facts{"Next": task.Buys, "kinds": []task.Kind{task.Timeout, task.Timeout}, "says": slices.Repeat([]string{"no answer in time"}, 2), "advice": task.Advice("")}
		}
		last := l.Attempts[0]
		b.same(facts{"Next": l.Next, "kinds": []task.Kind{last.ErrorKind, l.Task.ErrorKind}, "says": []string{last.ErrorMsg, l.Task.ErrorMsg}, "advice": l.Task.ErrorAdvice}, want)
	}
}
