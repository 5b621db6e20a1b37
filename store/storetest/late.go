package storetest

import (
	"errors"
	"strings"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func learning() []claim {
	return []claim{
		{"Late pictures complete a task that was held for them, or that has failed by a later call, and no other", completesFound},
		{"What is learnt late becomes the reason of a task that was held for want of it", learns},
		{"Pictures of an earlier call that come late complete the task, whatever became of the calls after it, if they are all", learnsOfEarlier},
		{"A reason that is known is not replaced by what comes late", keepsReason},
		{"Pictures that come late correct the reason of a task whose last call could not be collected", cameAfterAll},
		{"A task of which all pictures have come does not fail, and its call ends all the same", unlessDrawn},
		{"A job that is accepted late corrects the reason at once", acceptsLate},
		{"A task that fails as unknown while its answer comes in does not say so", failsMeanwhile},
		{"The cost of a call that is answered late is on its task, whatever has become of that", costsLate},
		{"A task costs what its calls have cost, however it is taken from its worker", costsHowever},
		{"A task whose calls were paid in two currencies has no sum", twoCurrencies},
		{"A batch whose task another has taken writes nothing", keepsBatchTaken},
	}
}

// late keeps what the call brought too late and reports whether that completed its task.
func (b *bench) late(a *task.Attempt, o store.Completion) bool {
	b.Helper()
	completed, err := b.store.Finish(b.Context(), store.CameLate{Attempt: *a, Completion: o})
	b.check(err)
	return completed
}

func completesFound(b *bench) {
	later := "INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at) SELECT id, 0, 2, 'another', 'painter', 'rejected', 'w', 1, now() FROM image_generations; "
	for spoil, completes := range map[string]bool{
		"UPDATE image_generations SET priority = 0":                                                      true,
		"UPDATE image_generations SET status = 'cancelled'":                                              false,
		"UPDATE image_generations SET status = 'pending'":                                                false,
		"UPDATE image_generations SET status = 'processing', worker = 'w'":                               false,
		"UPDATE image_generations SET status = 'completed'":                                              false,
		"UPDATE image_generations SET error_kind = 'moderated'":                                          false,
		"UPDATE image_generations SET deleted_at = now()":                                                false,
		"UPDATE image_generations SET image_count = 2":                                                   true, // no images on the attempt: it was for all
		"UPDATE image_generations SET image_count = 2; UPDATE generation_attempt SET images = 1":         false,
		later + "UPDATE image_generations SET priority = 0":                                              true,
		later + "UPDATE generation_attempt SET state = 'unknown' WHERE number = 2":                       true,
		later + "UPDATE image_generations SET error_kind = 'moderated'":                                  true,
		later + "UPDATE image_generations SET error_kind = 'charged'":                                    false,
		later + "UPDATE image_generations SET error_kind = 'deadline'":                                   false,
		later + "UPDATE image_generations SET error_kind = 'archived'":                                   false,
		later + "UPDATE image_generations SET error_kind = 'moderated', status = 'cancelled'":            false,
		later + "UPDATE image_generations SET image_count = 2; UPDATE generation_attempt SET images = 1": false,
	} {
		b.clear()
		t, a := b.lastCallUnknown()
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
		for statement := range strings.SplitSeq(spoil, "; ") {
			b.exec("%s", statement)
		}
		before := b.get(t.ID)
		if got := b.late(answered(a), completion()); got != completes {
			b.Errorf("after %q it is completed: %t", spoil, got)
		}
		got := b.get(t.ID)
		b.same(facts{"len results": len(b.results(t.ID)), "State": b.attempts(t.ID)[0].State}, facts{"len results": 2, "State": succeeded})
		if !completes {
			b.same(facts{"Status": got.Status, "AnswerResultID": got.AnswerResultID}, facts{"Status": before.Status, "AnswerResultID": (*int64)(nil)})
			continue
		}
		b.same(got.AnswerResultID, new(b.results(t.ID)[0].ID))
		b.same(facts{
			"Status": got.Status, "ErrorKind": got.ErrorKind, "ErrorMsg": got.ErrorMsg, "ImageURL": got.ImageURL,
			"CostMicros": got.CostMicros, "Fence": got.Fence, "Delivery": got.Delivery,
		}, facts{
			"Status": task.Completed, "ErrorKind": task.Kind(""), "ErrorMsg": "picture 1 was refused", "ImageURL": "/images/1/1-0.png",
			"CostMicros": new(int64(40_000)), "Fence": before.Fence, "Delivery": before.Delivery,
		})
	}
}

func learns(b *bench) {
	for state, want := range map[task.AttemptState]task.Kind{
		rejected: task.Unavailable, accept: task.OutcomeUnknown, answer: task.OutcomeUnknown, succeeded: task.Timeout, failed: task.Moderated,
		sending: task.OutcomeUnknown, unknown: task.OutcomeUnknown,
	} {
		t, a := b.lastCallUnknown()
		b.exec("UPDATE generation_attempt SET state = '%s', error_kind = 'moderated', error_msg = 'refused' WHERE id = %d", state, a.ID)
		b.check(b.record(store.LearntLate{Task: t.ID}))
		got := b.get(t.ID)
		if got.Status != task.Failed || got.ErrorKind != want || got.ErrorMsg == "" || (got.ErrorMsg == "who knows") != (state == sending || state == unknown) {
			b.Errorf("with a call that is %s it is %s, %s: %s", state, got.Status, got.ErrorKind, got.ErrorMsg)
		}
	}
}

func learnsOfEarlier(b *bench) {
	for _, bought := range []bool{true, false} { // else one more picture is to be drawn
		t, a := b.lastCallUnknown()
		b.exec(`INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, error_kind, error_msg, worker, fence, sent_at)
			SELECT id, 0, 2, 'second of %[1]d', 'painter', 'rejected', 'billing', 'no money', 'w', 1, now() FROM image_generations WHERE id = %[1]d`, t.ID)
		b.exec("UPDATE image_generations SET image_count = %d WHERE id = %d", map[bool]int{true: 2, false: 3}[bought], t.ID)
		b.exec("UPDATE generation_attempt SET images = 2 WHERE id = %d", a.ID)
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
		b.same(b.late(answered(a), completion()), bought)
		if got := b.get(t.ID); !bought && got.ErrorKind != task.Billing {
			b.Errorf("with one more picture to be drawn it says %s: %s", got.ErrorKind, got.ErrorMsg)
		}
	}
}

func keepsReason(b *bench) {
	t, a := b.lastCallUnknown()
	b.exec("UPDATE image_generations SET error_kind = 'billing', error_msg = 'no money left' WHERE id = %d", t.ID)
	b.check(b.record(store.NotSent{Task: t.ID, Key: a.Key}))
	b.check(b.record(store.LearntLate{Task: t.ID}))
	got := b.get(t.ID)
	b.same(facts{"ErrorKind": got.ErrorKind, "ErrorMsg": got.ErrorMsg}, facts{"ErrorKind": task.Billing, "ErrorMsg": "no money left"})
}

func cameAfterAll(b *bench) {
	for kind, corrected := range map[task.Kind]bool{task.Timeout: true, task.Expired: true, task.Deadline: true, task.Auth: true, task.Moderated: false, task.Billing: false} {
		for _, later := range []bool{false, true} {
			t, a := b.lastCallUnknown()
			b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
			if later {
				b.exec(`INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at)
					SELECT id, 0, 2, 'another of %s', 'painter', 'rejected', 'w', 1, now() FROM image_generations WHERE id = %d`, kind, t.ID)
			}
			b.exec("UPDATE image_generations SET error_kind = '%s', error_msg = 'it does not come' WHERE id = %d", kind, t.ID)
			completes := later && kind != task.Deadline
			b.same(b.late(answered(a), completion()), completes)
			got := b.get(t.ID)
			if said := strings.Contains(got.ErrorMsg, "of attempt 1 came late and are kept"); (got.Status == task.Completed) != completes || said != (corrected && !later) {
				b.Errorf("%s, with a later call %t, says %q", kind, later, got.ErrorMsg)
			}
		}
	}
}

func unlessDrawn(b *bench) {
	for _, c := range []struct {
		came, unless, taken bool
		status              task.Status
		want                error
		is                  task.Status
	}{
		{false, true, false, task.Failed, nil, task.Failed},
		{true, false, false, task.Failed, nil, task.Failed},
		{true, true, false, task.Failed, store.ErrDrawn, task.Processing},
		{true, true, false, task.Pending, nil, task.Pending}, // its next try completes it
		{true, true, true, task.Failed, store.ErrFenced, task.Processing},
	} {
		t := b.held()
		first, held := b.begin(t), t.Token()
		b.check(b.record(store.Answered{Held: held, Attempt: *answered(first)}))
		second := b.begin(t)
		if c.came {
			b.same(b.late(answered(first), completion()), false)
		}
		if c.taken {
			b.exec("UPDATE image_generations SET fence = fence + 1 WHERE id = %d", t.ID)
		}
		err := b.finish(store.Decided{Held: held, Decision: task.Decision{Status: c.status, Failure: nameModel()}, Attempt: ended(second, failed), UnlessDrawn: c.unless})
		if got := b.get(t.ID); err != c.want || got.Status != c.is || b.attempts(t.ID)[1].State != failed {
			b.Errorf("of %+v it is %s, its call %s: %v", c, got.Status, b.attempts(t.ID)[1].State, err)
		}
	}
}

func acceptsLate(b *bench) {
	t, a := b.lastCallUnknown()
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a), JobID: "job-1"}))
	got := b.get(t.ID)
	b.same(facts{
		"Status": got.Status, "ErrorMsg says has run this call after": strings.Contains(got.ErrorMsg, "has run this call after all"),
		"State": b.attempts(t.ID)[0].State,
	}, facts{"Status": task.Failed, "ErrorMsg says has run this call after": true, "State": accept})
}

func failsMeanwhile(b *bench) {
	t := b.held()
	a := b.begin(t)
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
	held := task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "who knows"}}
	b.check(b.finish(store.Decided{Held: t.Token(), Decision: held}))
	b.same(b.get(t.ID).ErrorAdvice, task.Wait)
}

func costsLate(b *bench) {
	for _, status := range []task.Status{task.Cancelled, task.Failed, task.Completed} {
		t := b.held()
		a := b.begin(t)
		b.exec("UPDATE image_generations SET status = '%s', error_kind = 'timeout' WHERE id = %d", status, t.ID)
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
		b.late(answered(a), completion())
		got := b.get(t.ID)
		if got.CostMicros == nil || *got.CostMicros != 40_000 || got.Currency != "USD" || got.Status != status {
			b.Errorf("a %s task is %s and costs %v %s", status, got.Status, got.CostMicros, got.Currency)
		}
	}
	t := b.held()
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(b.begin(t))}))
	got, err := b.store.Cancel(b.Context(), task.Seen{Task: t.ID})
	b.check(err)
	b.same(*got.CostMicros, int64(40_000))
}

func costsHowever(b *bench) {
	no := &task.Failure{Kind: task.Archived, Executed: task.NotExecuted, Message: "no"}
	for name, leave := range map[string]func(t *task.Task){
		"Archive": func(t *task.Task) {
			b.exec("UPDATE image_generations SET status = 'pending' WHERE id = %d", t.ID)
			_, err := b.store.Archive(b.Context(), t.Ref(), no)
			b.check(err)
		},
		"ArchiveNeverClaimed": func(t *task.Task) {
			b.exec("UPDATE image_generations SET status = 'pending', started_at = NULL WHERE id = %d", t.ID)
			_, err := b.store.ArchiveNeverClaimed(b.Context(), []task.Ref{t.Ref()}, no)
			b.check(err)
		},
		"ReclaimExpired": func(t *task.Task) {
			b.exec("UPDATE image_generations SET worker = 'never seen', lease_until = '2026-01-01 00:00:00+00:00' WHERE id = %d", t.ID)
			_, err := b.store.ReclaimExpired(b.Context(), 10)
			b.check(err)
		},
		"Switched": func(t *task.Task) {
			b.check(b.finish(store.Switched{Held: t.Token(), To: task.Fallback{Provider: "rival"}, Rest: "", Reason: "no"}))
		},
		"Decided": func(t *task.Task) {
			unbilled := ended(b.begin(t), failed)
			unbilled.Unbilled = true
			b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: no}, Attempt: unbilled}))
		},
	} {
		t := b.held()
		b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(b.begin(t))}))
		before := b.get(t.ID)
		leave(t)
		got := b.get(t.ID)
		if got.Status == before.Status || got.CostMicros == nil || *got.CostMicros != 40_000 || got.Currency != "USD" {
			b.Errorf("%s leaves it %s, and it costs %v %s", name, got.Status, got.CostMicros, got.Currency)
		}
	}
	for _, other := range []bool{false, true} {
		t := b.held()
		unbilled := ended(b.begin(t), failed)
		unbilled.Unbilled = true
		if other {
			b.check(b.finish(store.Switched{Held: t.Token(), To: task.Fallback{Provider: "rival"}, Rest: "", Reason: "no", Attempt: unbilled}))
		} else {
			b.check(b.finish(store.Decided{Held: t.Token(), Decision: task.Decision{Status: task.Failed, Failure: no}, Attempt: unbilled}))
		}
		b.same(b.get(t.ID).CostMicros, ptr(int64(0)))
	}
}

func twoCurrencies(b *bench) {
	t := b.held()
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(b.begin(t))}))
	other := answered(b.begin(t))
	other.Currency = "CNY"
	b.check(b.record(store.Answered{Held: t.Token(), Attempt: *other}))
	b.check(b.store.Release(b.Context(), t.Token(), 0, ""))
	b.same(b.get(t.ID).CostMicros, (*int64)(nil))
}

func keepsBatchTaken(b *bench) {
	t := b.held()
	a := b.batch(t, 2)
	b.exec("UPDATE image_generations SET fence = fence + 1, worker = 'second' WHERE id = %d", t.ID)
	if err := b.record(store.BatchKept{Held: t.Token(), Attempt: *a, Results: completion().Results, Progress: 40}); !errors.Is(err, store.ErrFenced) {
		b.Errorf("got %v", err)
	}
	b.same(facts{"State": b.attempts(t.ID)[0].State, "len results": len(b.results(t.ID)), "Progress": b.get(t.ID).Progress},
		facts{"State": answer, "len results": 0, "Progress": 0})
}
