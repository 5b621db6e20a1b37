package storetest

import (
	"time"

	"github.com/easelqueue/easel/task"
)

// watched is a short lease for workers that are watched dying. Between two looks there
// may be a third of it.
const (
	watched = time.Second
	often   = watched / 40
)

// watch looks at the heartbeats until a worker dies, and returns its ids.
func (b *bench) watch(limit time.Duration) (died []string) {
	b.Helper()
	b.looks(limit, often, func(ids []string) bool {
		died = ids
		return len(ids) > 0
	})
	return died
}

// looks looks at the heartbeats, as one who does so each every, until f holds, and
// reports whether it did. What must come soon after a look is tried after each, so
// that it holds on a machine that stands still for a moment.
func (b *bench) looks(limit, every time.Duration, f func(died []string) bool) bool {
	b.Helper()
	look, end := time.NewTicker(often), time.After(limit)
	defer look.Stop()
	for {
		died, err := b.store.Observe(b.Context(), every)
		b.check(err)
		if f(died) {
			return true
		}
		select {
		case <-look.C:
		case <-end:
			return false
		}
	}
}

// pruned waits until the one dead worker can be pruned.
func (b *bench) pruned(every time.Duration) {
	b.Helper()
	b.same(b.looks(time.Minute, every, func([]string) bool {
		n, err := b.store.PruneWorkers(b.Context(), 0)
		b.check(err)
		return n == 1
	}), true)
}

func watchesDead(b *bench) {
	b.heartbeat("first", watched)
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	b.same(b.refused(t.Ref()).Busy, true)
	began := time.Now()
	b.same(b.watch(time.Minute), []string{"first"})
	if took := time.Since(began); took < watched {
		b.Errorf("it was called dead after %s", took)
	}
	b.same(b.looks(time.Minute, often, func([]string) bool {
		c, _, err := b.store.Claim(b.Context(), t.Ref(), "second", lease)
		b.check(err)
		return c != nil && c.Task.Crashes == 1
	}), true)
	b.pruned(often)
}

// watchesShort: so a worker of an older release deregisters, soon after its last heartbeat.
func watchesShort(b *bench) {
	b.heartbeat("first", 0)
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	const every = watched / 3
	b.same(b.looks(time.Minute, every, func([]string) bool {
		found, err := b.store.ReclaimExpired(b.Context(), 10)
		b.check(err)
		return len(found) == 1 && found[0].ID == t.ID
	}), true)
	b.pruned(every)
}

// clockJumps: its row looks as after a step of the clock by a day.
func clockJumps(b *bench) {
	b.heartbeat("first", lease)
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	b.exec("UPDATE easel_worker SET seen_at = '2001-01-01 00:00:00.000000+00:00', lease_until = '2001-01-01 00:01:00.000000+00:00'")
	b.watch(watched / 4)
	b.unchanged(t.ID, func() {
		b.same(b.refused(t.Ref()).Busy, true)
		found, err := b.store.ReclaimExpired(b.Context(), 10)
		b.check(err)
		pruned, err := b.store.PruneWorkers(b.Context(), time.Hour)
		b.check(err)
		b.same(facts{"len found": len(found), "pruned": pruned}, facts{"len found": 0, "pruned": int64(0)})
	})
}

func lastMoment(b *bench) {
	b.heartbeat("first", watched)
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	b.same(len(b.watch(time.Minute)), 1)
	b.heartbeat("first", watched)
	b.unchanged(t.ID, func() {
		b.same(b.refused(t.Ref()).Busy, true)
		found, err := b.store.ReclaimExpired(b.Context(), 10)
		b.check(err)
		b.same(len(found), 0)
	})
}

func watchesAnew(b *bench) {
	b.heartbeat("first", watched)
	t := b.take(b.insert(task.Task{}).Ref(), "first", gone).Task
	b.same(len(b.watch(time.Minute)), 1)
	b.store.ResetWatch()
	b.same(b.refused(t.Ref()).Busy, true)
	b.same(len(b.watch(time.Minute)), 1)
	<-time.After(watched) // without a look: more than a third of the lease
	b.same(b.refused(t.Ref()).Busy, true)
	died, err := b.store.Observe(b.Context(), often)
	b.check(err)
	b.same(facts{"len died": len(died), "Busy": b.refused(t.Ref()).Busy}, facts{"len died": 0, "Busy": true})
}
