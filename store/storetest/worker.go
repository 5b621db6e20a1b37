package storetest

import (
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func workers() []claim {
	return []claim{
		{"A worker with a heartbeat is listed until it deregisters", lists},
		{"The last call of each task is known, and how long what is due has waited", lastCalls},
		{"A dead worker is not listed, and is pruned later", prunes},
		{"ReclaimExpired takes tasks from dead workers and from nobody else", reclaims},
		{"ReclaimExpired goes no further than its limit", reclaimsLimit},
		{"Two callers of ReclaimExpired at once share the tasks out", reclaimsRace},
		{"A worker is dead once its heartbeat has been watched standing still for its lease, whatever the clock says", watchesDead},
		{"A worker whose lease is over by a clock that jumped keeps its tasks", clockJumps},
		{"A claim that was made when the clock was ahead is taken back once its worker is gone", claimedAhead},
		{"A worker whose heartbeat comes in the last moment keeps its tasks", lastMoment},
		{"Watching begins anew after a gap and when it is told to", watchesAnew},
		{"A worker whose lease is too short to be watched is found dead and pruned all the same", watchesShort},
		{"A worker that deregistered holds nothing", deregisters},
		{"A provider is served until its last worker is pruned, however silent and whatever the clock says", serves},
		{"Held names the tasks of a worker, so that it can give them back", holds},
	}
}

func (b *bench) heartbeat(id string, lease time.Duration) {
	b.Helper()
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: id, Host: "h", PID: 7, Version: "v1"}, lease))
}

func (b *bench) workers() []store.Worker {
	b.Helper()
	all, err := b.store.Workers(b.Context())
	b.check(err)
	return all
}

func serves(b *bench) {
	served := func(provider string) bool {
		yes, err := b.store.HasWorkerFor(b.Context(), provider)
		b.check(err)
		return yes
	}
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: "a", Host: "h", Providers: ",painter,open ai,"}, lease))
	want := map[string]bool{"painter": true, "open ai": true, "paint": false, "ai": false, "": false, "%": false}
	got := make(map[string]bool)
	for provider := range want {
		got[provider] = served(provider)
	}
	b.same(got, want)
	b.check(b.store.Deregister(b.Context(), "a"))
	b.same(facts{"len workers": len(b.workers()), "served": served("painter")}, facts{"len workers": 0, "served": true})
	seen, err := b.store.WorkersSeen(b.Context())
	b.check(err)
	b.same(facts{"len seen": len(seen), "ID": seen[0].ID, "lease is over": seen[0].LeaseUntil.Before(seen[0].SeenAt)},
		facts{"len seen": 1, "ID": "a", "lease is over": true})
	b.exec("UPDATE easel_worker SET seen_at = '2026-01-01 00:00:01+00:00', lease_until = '2026-01-01 00:00:00+00:00'")
	b.same(served("painter"), true)
	_, err = b.store.PruneWorkers(b.Context(), time.Hour)
	b.check(err)
	b.same(served("painter"), false)
}

func lists(b *bench) {
	b.heartbeat("a", lease)
	first := b.workers()
	b.heartbeat("b", lease)
	b.heartbeat("a", 2*lease)
	all := b.workers()
	b.same(len(all), 2)
	a := all[0]
	b.near(a.LeaseUntil, 2*lease)
	b.near(a.SeenAt, 0)
	b.same(a, store.Worker{ID: "a", Host: "h", PID: 7, Version: "v1", StartedAt: first[0].StartedAt, SeenAt: a.SeenAt, LeaseUntil: a.LeaseUntil})
	b.check(b.store.Deregister(b.Context(), "a"))
	b.check(b.store.Deregister(b.Context(), "never seen"))
	b.same(facts{"len workers": len(b.workers()), "ID": b.workers()[0].ID}, facts{"len workers": 1, "ID": "b"})
}

func prunes(b *bench) {
	b.heartbeat("alive", lease)
	b.heartbeat("dead", -time.Hour)
	b.same(len(b.workers()), 1)
	early, err := b.store.PruneWorkers(b.Context(), 2*time.Hour)
	b.check(err)
	late, err := b.store.PruneWorkers(b.Context(), time.Minute)
	b.check(err)
	b.same(facts{"early": early, "late": late}, facts{"early": int64(0), "late": int64(1)})
	b.same(b.number("SELECT count(*) FROM easel_worker"), int64(1))
}

func reclaims(b *bench) {
	b.heartbeat("alive", lease)
	b.heartbeat("dead", gone)
	b.heartbeat("young", gone)
	alive := b.take(b.insert(task.Task{}).Ref(), "alive", gone).Task
	young := b.take(b.insert(task.Task{}).Ref(), "young", lease).Task // claimed before its first heartbeat
	dead := b.take(b.insert(task.Task{}).Ref(), "dead", gone).Task
	never := b.take(b.insert(task.Task{}).Ref(), "never seen", gone).Task
	waiting := b.insert(task.Task{})
	var old []task.Task
	for _, t := range []*task.Task{alive, young, waiting} {
		b.unchanged(t.ID, func() {
			found, err := b.store.ReclaimExpired(b.Context(), 10)
			b.check(err)
			old = append(old, found...)
		})
	}
	b.same(refs(old), []task.Ref{dead.Ref(), never.Ref()})
	got := b.get(dead.ID)
	b.near(got.RunAt, 0)
	b.same(facts{
		"Status": got.Status, "Delivery": got.Delivery, "Fence": got.Fence, "Crashes": got.Crashes, "Worker": got.Worker,
		"LeaseUntil == nil": got.LeaseUntil == nil, "PublishedAt == nil": got.PublishedAt == nil,
	}, facts{
		"Status": task.Pending, "Delivery": dead.Delivery + 1, "Fence": dead.Fence + 1, "Crashes": 1, "Worker": "",
		"LeaseUntil == nil": true, "PublishedAt == nil": true,
	})
	b.same(b.refused(dead.Ref()).Stale, true)
}

func reclaimsLimit(b *bench) {
	for range 5 {
		b.take(b.insert(task.Task{}).Ref(), "dead", gone)
	}
	var seen []int
	for range 4 {
		found, err := b.store.ReclaimExpired(b.Context(), 2)
		b.check(err)
		seen = append(seen, len(found))
	}
	b.same(seen, []int{2, 2, 1, 0})
}

func reclaimsRace(b *bench) {
	for range 20 {
		b.take(b.insert(task.Task{}).Ref(), "dead", gone)
	}
	var found [4]int
	together(len(found), func(i int) {
		tasks, err := b.store.ReclaimExpired(b.Context(), 20)
		if err != nil {
			b.Error(err)
		}
		found[i] = len(tasks)
	})
	b.same(found[0]+found[1]+found[2]+found[3], 20)
	b.same(b.number("SELECT count(*) FROM image_generations WHERE delivery = 1 AND crashes = 1"), int64(20))
}

func deregisters(b *bench) {
	b.heartbeat("first", lease)
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	b.check(b.store.Deregister(b.Context(), "first"))
	b.take(t.Ref(), "second", lease)
}

func holds(b *bench) {
	t := b.held()
	b.take(b.insert(task.Task{}).Ref(), "second", lease)
	held, err := b.store.HeldBy(b.Context(), "first")
	b.check(err)
	b.same(refs(held), []task.Ref{t.Ref()})
	b.check(b.store.Release(b.Context(), (&held[0]).Token(), 0, ""))
	held, err = b.store.HeldBy(b.Context(), "first")
	b.check(err)
	b.same(len(held), 0)
}

func claimedAhead(b *bench) {
	b.heartbeat("alive", lease)
	kept := b.take(b.insert(task.Task{}).Ref(), "alive", lease).Task
	young := b.take(b.insert(task.Task{}).Ref(), "not seen yet", lease).Task
	old := b.take(b.insert(task.Task{}).Ref(), "dead", lease).Task
	b.exec("UPDATE image_generations SET lease_until = '2199-01-01 00:00:00.000000+00:00' WHERE worker <> 'not seen yet'")
	found, err := b.store.ReclaimExpired(b.Context(), 10)
	b.check(err)
	b.same(refs(found), []task.Ref{old.Ref()})
	b.same(facts{"kept.Busy": b.refused(kept.Ref()).Busy, "young.Busy": b.refused(young.Ref()).Busy},
		facts{"kept.Busy": true, "young.Busy": true})
}
