package storetest

import (
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func collecting() []claim {
	return []claim{
		{"Calls that were taken and whose task is over are to be collected, and no others", toCollect},
		{"A call is collected by whoever has made it, and of one that is gone by the first that lives and has the provider", collectedBy},
		{"A late call that is given up is not asked after again, unless a person has retried its task meanwhile", endsLate},
		{"A late call that has failed says what it cost, whoever holds its task", failsLate},
	}
}

// toCollect asks for what the worker that has made all calls is to collect.
func (b *bench) toCollect(worker string) int {
	b.Helper()
	ids, err := b.store.ToCollect(b.Context(), worker, 10)
	b.check(err)
	return len(ids)
}

func toCollect(b *bench) {
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: "first", Providers: ",painter,"}, time.Minute))
	for spoil, want := range map[string]int{
		"UPDATE image_generations SET priority = 0":                                          1,
		"UPDATE image_generations SET status = 'cancelled', error_kind = NULL":               1,
		"UPDATE image_generations SET error_kind = 'expired'":                                0,
		"UPDATE image_generations SET status = 'pending'":                                    0,
		"UPDATE image_generations SET status = 'processing', worker = 'w'":                   0,
		"UPDATE image_generations SET status = 'completed'":                                  0,
		"UPDATE image_generations SET deleted_at = now()":                                    0,
		"UPDATE image_generations SET provider = 'rival'":                                    0,
		"UPDATE generation_attempt SET finished_at = now()":                                  0,
		"UPDATE generation_attempt SET state = 'answered'":                                   1,
		"UPDATE generation_attempt SET state = 'unknown'":                                    0,
		"UPDATE generation_attempt SET state = 'failed'":                                     0,
		"UPDATE generation_attempt SET state = 'succeeded'":                                  0,
		"UPDATE generation_attempt SET state = 'rejected', error_msg = 'it was not charged'": 0,
	} {
		b.exec("DELETE FROM image_generations")
		t, a := b.lastCallUnknown()
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
		b.exec("%s", spoil)
		if got := b.toCollect("first"); got != want {
			b.Errorf("after %q there are %d, not %d", spoil, got, want)
		}
	}
}

func collectedBy(b *bench) {
	beats := func(id, providers string, lease time.Duration) {
		b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: id, Providers: providers}, lease))
	}
	t, a := b.lastCallUnknown()
	b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
	all := func() facts {
		return facts{"first": b.toCollect("first"), "a": b.toCollect("a"), "b": b.toCollect("b"), "c": b.toCollect("c")}
	}
	beats("first", ",painter,", time.Minute)
	beats("a", ",rival,", time.Minute)
	beats("b", ",painter,", time.Minute)
	beats("c", ",painter,", time.Minute)
	b.same(all(), facts{"first": 1, "a": 0, "b": 0, "c": 0})
	b.exec("UPDATE easel_worker SET lease_until = '2026-01-01 00:00:00+00:00' WHERE id = 'first'")
	b.same(all(), facts{"first": 1, "a": 0, "b": 1, "c": 0})
	b.exec("DELETE FROM easel_worker WHERE id IN ('first', 'b')")
	b.same(all(), facts{"first": 1, "a": 0, "b": 0, "c": 1})
}

func endsLate(b *bench) {
	for status, gives := range map[task.Status]bool{task.Failed: true, task.Cancelled: true, task.Pending: false, task.Processing: false} {
		t, a := b.lastCallUnknown()
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
		b.exec("UPDATE image_generations SET status = '%s', worker = 'w' WHERE id = %d", status, t.ID)
		changed, err := b.store.Record(b.Context(), store.EndedLate{Attempt: *ended(a, accept)})
		b.check(err)
		got := b.attempts(t.ID)[0]
		b.same(facts{"changed": changed, "finished": got.FinishedAt != nil, "State": got.State}, facts{"changed": gives, "finished": gives, "State": accept})
	}
}

func failsLate(b *bench) {
	for _, status := range []task.Status{task.Failed, task.Cancelled, task.Processing} {
		t, a := b.lastCallUnknown()
		b.check(b.record(store.Accepted{Held: t.Token(), Attempt: *accepted(a)}))
		b.exec("UPDATE image_generations SET status = '%s', worker = 'w' WHERE id = %d", status, t.ID)
		stopped := ended(a, failed)
		stopped.CostMicros, stopped.Currency = ptr(int64(40_000)), "USD"
		b.check(b.record(store.EndedLate{Attempt: *stopped}))
		got := b.get(t.ID)
		b.same(facts{"State": b.attempts(t.ID)[0].State, "CostMicros": *got.CostMicros, "Status": got.Status},
			facts{"State": failed, "CostMicros": int64(40_000), "Status": status})
	}
}
