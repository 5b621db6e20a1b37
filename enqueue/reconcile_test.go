package enqueue_test

import (
	"testing"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var reconcile = []claim{
	{"A delivery that is missing is published again", missing},
	{"After a Redis that forgot everything all are published again", forgot},
	{"The delivery of a row that does not wait for it is removed", stray},
	{"Archiving a waiting delivery fails its row", archived},
	{"A dead worker's task is published under a new delivery", deadWorker},
}

func TestReconciler(t *testing.T) {
	t.Parallel()
	inBubble(t, reconcile)
	inBubble(t, []claim{
		{"After an outage of the database nobody is called dead for a lease", afterOutage},
		{"Deliveries that somebody needs stay where they are", needed},
		{"After a standstill of the database nobody is called dead for a lease", afterStandstill},
	})
}

func TestReconcilerOnServers(t *testing.T) {
	t.Parallel()
	onServers(t, reconcile)
	onServers(t, []claim{{"A thousand and more missing deliveries are all published again", manyMissing}})
}

// published stores a task and publishes it.
func (r *rig) published() *task.Task {
	r.Helper()
	t := lighthouse()
	_, err := r.client.Enqueue(r.Context(), t)
	r.check(err)
	return t
}

func missing(r *rig) {
	_, err := r.queue.Marker(r.Context()) // so that Redis does not look new
	r.check(err)
	t := r.published()
	r.check(r.queue.Remove(r.Context(), queue.Delivery{Ref: t.Ref(), Provider: "painter"}))
	r.runs(r.relay().Run)
	r.runs(r.reconciler().Run)
	r.in(t.Ref(), queue.Pending)
	r.same(r.get(t.ID).Delivery, 0)
}

func forgot(r *rig) {
	_, err := r.queue.Marker(r.Context()) // a Redis that is seen for the first time looks new by itself
	r.check(err)
	r.runs(r.relay().Run)
	r.runs(r.reconciler().Run)
	var tasks []*task.Task
	for range 20 {
		tasks = append(tasks, r.published())
	}
	later := lighthouse()
	later.RunAt = time.Now().Add(time.Hour)
	_, err = r.client.Enqueue(r.Context(), later)
	r.check(err)
	r.passes(2 * r.every)
	r.check(r.redis.FlushAll(r.Context()).Err())
	for _, t := range tasks {
		r.in(t.Ref(), queue.Pending)
	}
	r.in(later.Ref(), queue.Scheduled)
	r.until("all queues are known", func() bool {
		known, err := r.redis.SMembers(r.Context(), "asynq:queues").Result()
		r.check(err)
		return len(known) == 3
	})
}

func stray(r *rig) {
	final, older, deleted := r.published(), r.published(), r.published()
	r.exec("UPDATE image_generations SET status = 'completed' WHERE id = 1")
	r.exec("UPDATE image_generations SET delivery = 1 WHERE id = 2")
	r.exec("UPDATE image_generations SET deleted_at = created_at WHERE id = 3")
	nobody := task.Ref{Task: 4711}
	r.publishes(queue.Delivery{Ref: nobody, Provider: "painter"})
	r.check(r.reconciler().Compare(r.Context()))
	for _, ref := range []task.Ref{final.Ref(), older.Ref(), deleted.Ref(), nobody} {
		r.same(r.where(ref), queue.Absent)
	}
}

func archived(r *rig) {
	t := r.published()
	r.archives(t.Ref())
	r.check(r.reconciler().Compare(r.Context()))
	row := r.get(t.ID)
	r.same(facts{"Status": row.Status, "ErrorKind": row.ErrorKind, "where": r.where(t.Ref())},
		facts{"Status": task.Failed, "ErrorKind": task.Archived, "where": queue.Archived})
	r.check(r.queue.Redis.HSet(r.Context(), "asynq:{painter}:t:"+t.Ref().String(), "state", "active").Err()) // it was run
	run, err := r.queue.WasRun(r.Context(), queue.Delivery{Ref: t.Ref(), Provider: "painter"})
	r.check(err)
	r.same(run, true)
}

func deadWorker(r *rig) {
	t := r.published()
	_, _, err := r.tasks.Claim(r.Context(), t.Ref(), "the dead", r.lease)
	r.check(err)
	r.runs(r.relay().Run)
	r.runs(r.reconciler().Run)
	again := task.Ref{Task: t.ID, Delivery: 1}
	r.in(again, queue.Pending)
	back := r.get(t.ID)
	r.same(facts{"Status": back.Status, "Crashes": back.Crashes, "Fence": back.Fence, "Worker": back.Worker},
		facts{"Status": task.Pending, "Crashes": 1, "Fence": int64(2), "Worker": ""})
	r.in(t.Ref(), queue.Absent)
}

func afterOutage(r *rig) {
	livesOn(r, func() {
		r.exec("ALTER TABLE easel_worker RENAME TO away")
		r.passes(3*r.lease - 2*r.every) // not a multiple of the lease
		r.exec("ALTER TABLE away RENAME TO easel_worker")
	})
}

func afterStandstill(r *rig) {
	livesOn(r, func() {
		tx, err := r.tasks.DB().BeginTx(r.Context(), nil) // of one connection
		r.check(err)
		r.passes(3*r.lease - 2*r.every)
		r.check(tx.Rollback())
	})
}

// livesOn proves that a worker that could not beat during an outage has a lease's
// time to do so.
func livesOn(r *rig, outage func()) {
	t := r.published()
	_, _, err := r.tasks.Claim(r.Context(), t.Ref(), "the living", r.lease)
	r.check(err)
	self := store.Worker{ID: "the living", Host: "h"}
	r.check(r.tasks.Heartbeat(r.Context(), self, r.lease))
	r.runs(r.reconciler().Run)
	r.passes(2 * r.every)
	outage()
	r.passes(r.lease - 2*r.every)
	r.same(r.get(t.ID).Status, task.Processing)
	r.check(r.tasks.Heartbeat(r.Context(), self, r.lease))
	r.passes(r.lease - r.every)
	r.same(r.get(t.ID).Crashes, 0)
	r.until("it is taken back when it is dead indeed", func() bool { return r.get(t.ID).Crashes == 1 })
}

func needed(r *rig) {
	waiting, held, failed, run := r.published(), r.published(), r.published(), r.published()
	r.exec("UPDATE image_generations SET status = 'processing', lease_until = later(1000000) WHERE id = 2")
	r.exec("UPDATE image_generations SET status = 'failed' WHERE id IN (3, 4)")
	r.archives(failed.Ref())
	r.runs(r.reconciler().Run)
	r.passes(time.Minute)
	r.same(facts{
		"waiting": r.where(waiting.Ref()), "held": r.where(held.Ref()),
		"failed": r.where(failed.Ref()), "run": r.where(run.Ref()),
	}, facts{
		"waiting": queue.Pending, "held": queue.Pending, "failed": queue.Archived,
		"run": queue.Pending,
	})
	r.same(facts{"Status": r.get(waiting.ID).Status, "ErrorKind": r.get(failed.ID).ErrorKind}, facts{"Status": task.Pending, "ErrorKind": task.Kind("")})
}

func manyMissing(r *rig) {
	_, err := r.queue.Marker(r.Context())
	r.check(err)
	var tasks []*task.Task
	for range 1100 {
		tasks = append(tasks, lighthouse())
	}
	_, err = r.tasks.Insert(r.Context(), tasks)
	r.check(err)
	r.exec("UPDATE image_generations SET published_at = created_at")
	r.passes(10 * r.every)
	r.check(r.reconciler().Compare(r.Context()))
	n, err := r.relay().Drain(r.Context())
	r.check(err)
	r.same(n, 1100)
}
