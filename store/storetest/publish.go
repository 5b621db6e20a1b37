package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func publishing() []claim {
	return []claim{
		{"PublishDue hands out what nobody has published and notes it", publishesDue},
		{"High priority comes first, then the oldest", publishesInOrder},
		{"PublishDue hands out what is still far from due", publishesEarly},
		{"PublishDue leaves alone what is not waiting", publishesPending},
		{"What was not published stays so, and its error comes back", publishesPartly},
		{"A delivery that changed before it was noted stays unpublished", publishesDelivery},
		{"PublishDue goes no further than its limit", publishesLimit},
		{"PublishDue goes on after a task, and leaves some to others", publishesOn},
		{"PublishDue hands out the newest of those as urgent as a task", publishesNewest},
		{"Waiting looks at no more rows than it is told, due or not", waitsBounded},
		{"ArchiveNeverClaimed fails waiting deliveries that nobody ever took and leaves all others alone", archivesNeverClaimed},
		{"MarkPublished and MarkUnpublished take more deliveries than fit one statement", marksMany},
		{"MarkUnpublished has waiting deliveries published again and no others", marksUnpublished},
		{"ResetPublished has every waiting task published again", resetsPublished},
		{"Redeliver gives waiting tasks a new delivery and leaves all others alone", redelivers},
		{"PublishedWaiting lists what was published and is due for longer than grace", waits},
		{"Waiting goes on after an id", waitsPaged},
		{"Deliveries knows the rows that exist", knows},
	}
}

// publish publishes up to limit tasks and returns which.
func (b *bench) publish(limit int) []task.Ref {
	b.Helper()
	var all []task.Ref
	result, err := b.store.PublishDue(b.Context(), store.UnpublishedPage{Limit: limit}, func(due []task.Task) ([]task.Ref, error) {
		all = refs(due)
		return all, nil
	})
	b.check(err)
	b.same(facts{"len Found": len(result.Found), "Noted": result.Noted}, facts{"len Found": len(all), "Noted": len(all)})
	return all
}

func publishesNewest(b *bench) {
	all := b.insertMany(5)
	b.insert(task.Task{Request: task.Request{Priority: task.High}})
	b.insert(task.Task{Request: task.Request{Priority: task.Low}})
	result, err := b.store.PublishDue(b.Context(), store.UnpublishedPage{After: all[0], Newest: true, Limit: 2}, func(due []task.Task) ([]task.Ref, error) { return nil, nil })
	b.check(err)
	b.same(refs(result.Found), []task.Ref{all[4].Ref(), all[3].Ref()})
}

func refs(tasks []task.Task) []task.Ref {
	var all []task.Ref
	for i := range tasks {
		all = append(all, tasks[i].Ref())
	}
	return all
}

func publishesDue(b *bench) {
	t := b.insert(task.Task{Request: task.Request{Priority: task.High}})
	result, err := b.store.PublishDue(b.Context(), store.UnpublishedPage{Limit: 10}, func(due []task.Task) ([]task.Ref, error) {
		b.same(len(due), 1)
		b.same(due[0].RunAt.Equal(t.RunAt), true)
		b.same(facts{"Ref": due[0].Ref(), "Provider": due[0].Provider, "Priority": due[0].Priority, "Status": due[0].Status},
			facts{"Ref": t.Ref(), "Provider": "painter", "Priority": task.High, "Status": task.Pending})
		return refs(due), nil
	})
	b.check(err)
	b.same(facts{"len Found": len(result.Found), "Noted": result.Noted}, facts{"len Found": 1, "Noted": 1})
	b.near(*b.get(t.ID).PublishedAt, 0)
	b.same(b.publish(10), []task.Ref(nil))
}

func publishesInOrder(b *bench) {
	low, first, high, second := b.insert(task.Task{Request: task.Request{Priority: task.Low}}), b.insert(task.Task{}), b.insert(task.Task{Request: task.Request{Priority: task.High}}), b.insert(task.Task{})
	b.same(b.publish(10), []task.Ref{high.Ref(), first.Ref(), second.Ref(), low.Ref()})
}

func publishesEarly(b *bench) {
	t := b.insert(task.Task{Request: task.Request{RunAt: time.Now().Add(24 * time.Hour)}})
	b.same(b.publish(10), []task.Ref{t.Ref()})
}

func publishesPending(b *bench) {
	for _, status := range task.Statuses {
		t := b.used(status)
		b.exec("UPDATE image_generations SET published_at = NULL WHERE id = %d", t.ID)
	}
	b.exec("UPDATE image_generations SET deleted_at = created_at WHERE status = 'pending'")
	b.same(b.publish(10), []task.Ref(nil))
}

func publishesPartly(b *bench) {
	tasks := b.insertMany(3)
	down := errors.New("redis is down")
	result, err := b.store.PublishDue(b.Context(), store.UnpublishedPage{Limit: 10}, func(due []task.Task) ([]task.Ref, error) {
		return refs(due)[1:2], down
	})
	b.same(facts{"len Found": len(result.Found), "Noted": result.Noted, "err is down": errors.Is(err, down)}, facts{"len Found": 3, "Noted": 1, "err is down": true})
	b.same(b.publish(10), []task.Ref{tasks[0].Ref(), tasks[2].Ref()})
}

func publishesDelivery(b *bench) {
	t := b.insert(task.Task{})
	b.check(b.store.MarkPublished(b.Context(), []task.Ref{{Task: t.ID, Delivery: 1}}))
	b.same(b.publish(10), []task.Ref{t.Ref()})
}

func publishesLimit(b *bench) {
	b.insertMany(5)
	b.same([]int{len(b.publish(2)), len(b.publish(2)), len(b.publish(2)), len(b.publish(2))}, []int{2, 2, 1, 0})
}

func marksMany(b *bench) {
	var all []task.Ref
	for _, t := range b.insertMany(600) {
		all = append(all, t.Ref())
	}
	b.check(b.store.MarkPublished(b.Context(), all))
	b.check(b.store.MarkPublished(b.Context(), nil))
	b.same(b.publish(10), []task.Ref(nil))
	b.check(b.store.MarkUnpublished(b.Context(), all))
	b.same(len(b.publish(1000)), 600)
}

func marksUnpublished(b *bench) {
	waiting, other, held := b.insert(task.Task{}), b.insert(task.Task{}), b.insert(task.Task{})
	b.publish(10)
	b.take(held.Ref(), "first", lease)
	b.check(b.store.MarkUnpublished(b.Context(), []task.Ref{waiting.Ref(), {Task: other.ID, Delivery: 1}, held.Ref()}))
	b.check(b.store.MarkUnpublished(b.Context(), nil))
	b.same(b.get(held.ID).PublishedAt != nil, true)
	b.same(b.publish(10), []task.Ref{waiting.Ref()})
}

func resetsPublished(b *bench) {
	tasks := b.insertMany(3)
	b.publish(10)
	b.take(tasks[1].Ref(), "first", lease)
	n, err := b.store.ResetPublished(b.Context())
	b.check(err)
	b.same(n, int64(2))
	b.same(b.get(tasks[1].ID).PublishedAt != nil, true)
	b.same(b.publish(10), []task.Ref{tasks[0].Ref(), tasks[2].Ref()})
}

func redelivers(b *bench) {
	waiting, other, held := b.insert(task.Task{}), b.insert(task.Task{}), b.insert(task.Task{})
	b.publish(10)
	c := b.take(held.Ref(), "first", lease)
	b.check(b.store.Redeliver(b.Context(), []task.Ref{waiting.Ref(), {Task: other.ID, Delivery: 1}, held.Ref()}))
	b.check(b.store.Redeliver(b.Context(), nil))
	b.same(b.publish(10), []task.Ref{{Task: waiting.ID, Delivery: 1}})
	b.check(b.record(store.Progressed{Held: c.Task.Token(), Percent: 10})) // its fence is untouched
	_, refusal, err := b.store.Claim(b.Context(), waiting.Ref(), "late", lease)
	b.check(err)
	b.same(refusal != nil && refusal.Stale, true)
}

func waits(b *bench) {
	due, future, held, unpublished := b.insert(task.Task{}), b.insert(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}}), b.insert(task.Task{}), b.insert(task.Task{})
	b.check(b.store.MarkPublished(b.Context(), []task.Ref{due.Ref(), future.Ref(), held.Ref()}))
	b.take(held.Ref(), "first", lease)
	for grace, want := range map[time.Duration][]task.Ref{
		-time.Second:   {due.Ref()}, // as if a second had gone by
		time.Minute:    nil,
		-2 * time.Hour: {due.Ref(), future.Ref()},
	} {
		got, _, err := b.store.PublishedWaiting(b.Context(), 0, grace, 10)
		b.check(err)
		b.same(refs(got), want)
	}
	b.same(b.get(unpublished.ID).PublishedAt == nil, true)
	b.exec("UPDATE image_generations SET run_at = '2001-01-01 00:00:00+00:00', published_at = '2999-01-01 00:00:00+00:00' WHERE id = %d", due.ID) // by a clock that was ahead
	got, _, err := b.store.PublishedWaiting(b.Context(), 0, time.Minute, 10)
	b.check(err)
	b.same(refs(got), []task.Ref{due.Ref()})
}

func waitsPaged(b *bench) {
	b.insertMany(5)
	b.publish(10)
	var all []int64
	for after := int64(0); ; {
		page, next, err := b.store.PublishedWaiting(b.Context(), after, -time.Second, 2)
		b.check(err)
		for _, t := range page {
			all = append(all, t.ID)
		}
		if after = next; next == 0 {
			break
		}
	}
	b.same(facts{"len all": len(all), "all is sorted": slices.IsSorted(all)}, facts{"len all": 5, "all is sorted": true})
}

func knows(b *bench) {
	t, held, deleted := b.insert(task.Task{Request: task.Request{Priority: task.Low}}), b.held(), b.insert(task.Task{})
	b.exec("UPDATE image_generations SET deleted_at = created_at WHERE id = %d", deleted.ID)
	got, err := b.store.Deliveries(b.Context(), []int64{t.ID, held.ID, deleted.ID, deleted.ID + 100})
	b.check(err)
	b.same(len(got), 2)
	b.same(facts{"t.Status": got[t.ID].Status, "Priority": got[t.ID].Priority, "held.Status": got[held.ID].Status},
		facts{"t.Status": task.Pending, "Priority": task.Low, "held.Status": task.Processing})
	got, err = b.store.Deliveries(b.Context(), nil)
	b.check(err)
	b.same(len(got), 0)
}

func publishesOn(b *bench) {
	var all []*task.Task
	for _, p := range []task.Priority{task.High, task.High, task.Normal, task.Normal, task.Low, -7} {
		all = append(all, b.insert(task.Task{Request: task.Request{Priority: p}}))
	}
	look := func(l store.UnpublishedPage) (ids []int64) {
		_, err := b.store.PublishDue(b.Context(), l, func(due []task.Task) ([]task.Ref, error) {
			for i := range due {
				ids = append(ids, due[i].ID)
			}
			return nil, nil
		})
		b.check(err)
		return ids
	}
	for i := range all {
		var rest []int64
		for _, t := range all[i+1:] {
			rest = append(rest, t.ID)
		}
		b.same(look(store.UnpublishedPage{After: all[i], Limit: 10}), rest)
		b.same(look(store.UnpublishedPage{After: all[i], Limit: 2}), append([]int64(nil), rest[:min(2, len(rest))]...))
		b.same(look(store.UnpublishedPage{After: all[i], Limit: 1, Skip: 1}), append([]int64(nil), rest[min(1, len(rest)):min(2, len(rest))]...))
	}
	b.same(look(store.UnpublishedPage{Limit: 2, Skip: 3}), []int64{all[3].ID, all[4].ID})
}

func waitsBounded(b *bench) {
	tasks := b.insertMany(5)
	b.publish(10)
	b.exec("UPDATE image_generations SET run_at = '2999-01-01 00:00:00+00:00' WHERE id <> %d", tasks[3].ID)
	got, next, err := b.store.PublishedWaiting(b.Context(), 0, -time.Second, 3)
	b.check(err)
	b.same(facts{"len got": len(got), "next": next}, facts{"len got": 0, "next": tasks[2].ID})
	got, next, err = b.store.PublishedWaiting(b.Context(), next, -time.Second, 3)
	b.check(err)
	b.same(facts{"len got": len(got), "next": next}, facts{"len got": 1, "next": int64(0)})
}

func archivesNeverClaimed(b *bench) {
	waiting, other, held, back := b.insert(task.Task{}), b.insert(task.Task{}), b.held(), b.held()
	b.check(b.store.Release(b.Context(), back.Token(), 0, ""))
	n, err := b.store.ArchiveNeverClaimed(b.Context(), []task.Ref{waiting.Ref(), {Task: other.ID, Delivery: 1}, held.Ref(), back.Ref()},
		&task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "nobody serves it"})
	b.check(err)
	b.same(n, int64(1))
	got := b.get(waiting.ID)
	b.same(facts{"Status": got.Status, "ErrorKind": got.ErrorKind, "Fence": got.Fence, "CompletedAt != nil": got.CompletedAt != nil},
		facts{"Status": task.Failed, "ErrorKind": task.Invalid, "Fence": waiting.Fence + 1, "CompletedAt != nil": true})
	b.same(facts{"other.Status": b.get(other.ID).Status, "held.Status": b.get(held.ID).Status, "back.Status": b.get(back.ID).Status},
		facts{"other.Status": task.Pending, "held.Status": task.Processing, "back.Status": task.Pending})
}
