package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func collecting() []claim {
	return []claim{
		{"Calls that were taken and whose task is over, or goes on with a newer one, are to be collected, and no others", toCollect},
		{"A page of open calls ends where it is full, and the next goes on behind it", pagesOfOpen},
		{"Of workers with open calls those are silent whose lease is over, and another takes their calls over once", takesOver},
		{"A job that was given up is asked after again when the provider has called back", reopens},
		{"A job that is found is proof against what a person has said of its call and against what was inferred, and not against what the provider has said", disprovesWords},
		{"What the provider has said of a call stays, whatever is found", stays},
		{"A call that was given up as charged, is found and brings nothing stays given up, unless its provider does not bill it", confirmsWords},
		{"The id of a job is that of the task's last call, whichever is heard of last", jobOfLast},
		{"A late call that is given up is not asked after again, unless a person has retried its task meanwhile", endsLate},
		{"A late call beside a newer one that runs ends, and the task goes on as it is; beside none it is left to the task, and an answer is always", endsBeside},
		{"A late call that has failed says what it cost, and nothing once its task is retried, which hears it by itself", failsLate},
	}
}

// open returns the ids of a worker's open calls behind one, and of those whose task is over.
func (b *bench) open(worker string, after int64, limit int) (all, over []int64) {
	b.Helper()
	calls, err := b.store.ToCollect(b.Context(), worker, after, limit)
	b.check(err)
	for _, c := range calls {
		all = append(all, c.ID)
		if c.Late {
			over = append(over, c.ID)
		}
	}
	return all, over
}

func (b *bench) acceptedCall() *task.Attempt {
	b.Helper()
	t, a := b.lastCallUnknown()
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
	return a
}

func toCollect(b *bench) {
	type found struct{ open, late int }
	later := "INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at) SELECT id, 0, 2, 'another', 'painter', 'sending', 'w', 1, now() FROM image_generations; "
	for spoil, want := range map[string]found{
		"UPDATE image_generations SET priority = 0":                                   {1, 1},
		"UPDATE image_generations SET status = 'cancelled', error_kind = NULL":        {1, 1},
		"UPDATE image_generations SET error_kind = 'charged'":                         {1, 1},
		"UPDATE image_generations SET error_kind = 'archived'":                        {1, 1},
		"UPDATE image_generations SET error_kind = 'crashed'":                         {1, 0},
		"UPDATE image_generations SET error_kind = 'internal'":                        {1, 1},
		"UPDATE image_generations SET status = 'completed'":                           {1, 1},
		"UPDATE image_generations SET status = 'pending'":                             {1, 0},
		"UPDATE image_generations SET status = 'processing', worker = 'w'":            {1, 0},
		"UPDATE image_generations SET deleted_at = now()":                             {1, 0},
		later + "UPDATE image_generations SET status = 'pending'":                     {1, 1},
		later + "UPDATE image_generations SET status = 'processing', worker = 'w'":    {1, 1},
		later + "UPDATE image_generations SET status = 'pending', deleted_at = now()": {1, 0},
		later + "UPDATE image_generations SET error_kind = 'crashed'":                 {1, 0},
		// The step of the next delivery asks after it before it buys.
		later + "UPDATE image_generations SET status = 'pending'; UPDATE generation_attempt SET state = 'rejected', finished_at = now() WHERE number = 2": {1, 0},
		later + "UPDATE image_generations SET status = 'pending'; UPDATE generation_attempt SET state = 'unknown' WHERE number = 2":                       {1, 0},
		"UPDATE image_generations SET provider = 'rival'":                                    {1, 1},
		"UPDATE generation_attempt SET state = 'answered'":                                   {1, 1},
		"UPDATE generation_attempt SET finished_at = now()":                                  {0, 0},
		"UPDATE generation_attempt SET state = 'unknown'":                                    {0, 0},
		"UPDATE generation_attempt SET state = 'failed'":                                     {0, 0},
		"UPDATE generation_attempt SET state = 'succeeded'":                                  {0, 0},
		"UPDATE generation_attempt SET state = 'rejected', error_msg = 'it was not charged'": {0, 0},
	} {
		b.exec("DELETE FROM image_generations")
		id := b.acceptedCall().TaskID
		for statement := range strings.SplitSeq(spoil, "; ") {
			b.exec("%s", statement)
		}
		all, over := b.open("first", 0, 10)
		if got := (found{len(all), len(over)}); got != want {
			b.Errorf("after %q there are %+v, not %+v", spoil, got, want)
		}
		t := b.get(id)
		if said := task.CollectedByItself(t, b.attempts(id)); said != (want.late == 1 && t.Status.Final()) {
			b.Errorf("after %q people are told that it is collected by itself: %t", spoil, said)
		}
	}
}

func pagesOfOpen(b *bench) {
	var ids []int64
	for range 5 {
		ids = append(ids, b.acceptedCall().ID)
	}
	b.exec("UPDATE image_generations SET status = 'pending' WHERE id = (SELECT task_id FROM generation_attempt WHERE id = %d)", ids[0])
	first, over := b.open("first", 0, 2)
	second, _ := b.open("first", first[1], 2)
	third, _ := b.open("first", second[1], 2)
	b.same(facts{"pages": [][]int64{first, second, third}, "over": over}, facts{"pages": [][]int64{ids[:2], ids[2:4], ids[4:]}, "over": ids[1:2]})
}

func takesOver(b *bench) {
	silent := func(after string) []string {
		names, err := b.store.DeadWorkers(b.Context(), after, 10)
		b.check(err)
		return names
	}
	a := b.acceptedCall()
	for _, name := range []string{"b", "d", "c", "lives", "lives"} {
		b.exec("UPDATE generation_attempt SET worker = '%s' WHERE id = %d", name, b.acceptedCall().ID)
	}
	b.exec("UPDATE generation_attempt SET finished_at = now() WHERE worker = 'd'")
	for _, name := range []string{"lives", "c", "new"} {
		b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: name, Providers: ",painter,"}, time.Minute))
	}
	b.exec("UPDATE easel_worker SET lease_until = '2026-01-01 00:00:00+00:00' WHERE id = 'c'")
	b.same(facts{"all": silent(""), "behind b": silent("b")}, facts{"all": []string{"b", "c", "first"}, "behind b": []string{"c", "first"}})

	for _, want := range []bool{true, false} {
		taken, err := b.store.Record(b.Context(), store.TakenOver{Attempt: a.ID, From: "first", By: "new"})
		b.check(err)
		b.same(taken, want)
	}
	_, theirs := b.open("first", 0, 10)
	_, ours := b.open("new", 0, 10)
	b.same(facts{"theirs": len(theirs), "ours": ours, "silent": silent("")}, facts{"theirs": 0, "ours": []int64{a.ID}, "silent": []string{"b", "c"}})
}

func reopens(b *bench) {
	a := b.acceptedCall()
	again := func() bool {
		changed, err := b.store.Record(b.Context(), store.Reopened{Task: a.TaskID, Attempt: a.ID})
		b.check(err)
		return changed
	}
	b.same(again(), false)
	b.check(b.record(store.EndedLate{Attempt: *ended(a, accept)}))
	all, _ := b.open("first", 0, 10)
	looked, taken := b.get(a.TaskID).Seen(), task.CollectableCalls(b.attempts(a.TaskID))
	b.same(facts{"open": len(all), "reopened": again()}, facts{"open": 0, "reopened": true})
	all, _ = b.open("first", 0, 10)
	b.same(len(all), 1)
	_, err := b.store.BuyAgain(b.Context(), looked, taken...)
	b.same(fmt.Sprint(err), fmt.Sprintf("task %d has moved on since you looked: what is known of it has changed; look again", a.TaskID))
	b.exec("UPDATE generation_attempt SET state = 'failed', finished_at = now()")
	b.same(again(), false)
}

func jobOfLast(b *bench) {
	t := b.held()
	first, last := b.begin(t), b.begin(t)
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(last), JobID: "job-2"}))
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(first), JobID: "job-1"}))
	b.same(facts{"ProviderJobID": b.get(t.ID).ProviderJobID, "states": []task.AttemptState{b.attempts(t.ID)[0].State, b.attempts(t.ID)[1].State}},
		facts{"ProviderJobID": "job-2", "states": []task.AttemptState{accept, accept}})
}

func endsLate(b *bench) {
	for status, gives := range map[task.Status]bool{task.Failed: true, task.Cancelled: true, task.Pending: false, task.Processing: false} {
		t, a := b.lastCallUnknown()
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
		b.exec("UPDATE image_generations SET status = '%s', worker = 'w' WHERE id = %d", status, t.ID)
		looked := b.get(t.ID)
		changed, err := b.store.Record(b.Context(), store.EndedLate{Attempt: *ended(a, accept)})
		b.check(err)
		got := b.attempts(t.ID)[0]
		if _, err := b.store.Retry(b.Context(), looked.Seen(), false); err == nil {
			b.Errorf("%s: a retry by who looked before the call had ended is taken", status)
		}
		b.same(facts{"changed": changed, "finished": got.FinishedAt != nil, "State": got.State}, facts{"changed": gives, "finished": gives, "State": accept})
	}
}

func endsBeside(b *bench) {
	for _, c := range []struct {
		newer, ends task.AttemptState
		written     bool
	}{{sending, failed, true}, {accept, failed, true}, {sending, accept, true}, {rejected, failed, false}, {failed, failed, false}, {unknown, failed, false}, {sending, answer, false}} {
		t := b.held()
		a := b.begin(t)
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
		if c.ends == answer {
			b.check(b.record(store.Answered{Held: t.Token(), Attempt: *answered(a)}))
		}
		second := b.begin(t)
		b.exec("UPDATE generation_attempt SET state = '%s', finished_at = CASE WHEN '%[1]s' IN ('rejected', 'failed', 'unknown') THEN now() END WHERE id = %[2]d", c.newer, second.ID)
		before := b.get(t.ID)
		changed, err := b.store.Record(b.Context(), store.EndedLate{Attempt: *ended(a, c.ends)})
		b.check(err)
		got, calls := b.get(t.ID), b.attempts(t.ID)
		if changed != c.written || (calls[0].FinishedAt != nil) != c.written || c.written && calls[0].State != c.ends {
			b.Errorf("beside a call that is %s one that ends as %s is %s: %t", c.newer, c.ends, calls[0].State, changed)
		}
		b.same(facts{"second": calls[1].State, "Status": got.Status, "Fence": got.Fence}, facts{"second": c.newer, "Status": task.Processing, "Fence": before.Fence})
	}
}

func failsLate(b *bench) {
	for status, gives := range map[task.Status]bool{task.Failed: true, task.Cancelled: true, task.Pending: false, task.Processing: false} {
		t, a := b.lastCallUnknown()
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
		b.exec("UPDATE image_generations SET status = '%s', worker = 'w' WHERE id = %d", status, t.ID)
		stopped := ended(a, failed)
		stopped.CostMicros, stopped.Currency = ptr(int64(40_000)), "USD"
		changed, err := b.store.Record(b.Context(), store.EndedLate{Attempt: *stopped})
		b.check(err)
		got, last := b.get(t.ID), b.attempts(t.ID)[0]
		want := facts{"changed": true, "State": failed, "CostMicros": ptr(int64(40_000)), "Status": status}
		if !gives {
			want = facts{"changed": false, "State": accept, "CostMicros": (*int64)(nil), "Status": status}
		}
		b.same(facts{"changed": changed, "State": last.State, "CostMicros": got.CostMicros, "Status": got.Status}, want)
	}
}
