package enqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func cancelAndRetry(r *rig) {
	t := lighthouse()
	_, err := r.client.Enqueue(r.Context(), t)
	r.check(err)
	gone, err := r.client.Cancel(r.Context(), task.Seen{Task: t.ID})
	r.check(err)
	r.same(facts{"Status": gone.Status, "where": r.where(t.Ref())}, facts{"Status": task.Cancelled, "where": queue.Absent})

	r.publishes(queue.Delivery{Ref: t.Ref(), Provider: "painter"})
	r.archives(t.Ref())
	again, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
	r.check(err)
	r.same(facts{"Delivery": again.Delivery, "t": r.where(t.Ref()), "again": r.where(again.Ref()), "PublishedAt != nil": r.get(t.ID).PublishedAt != nil},
		facts{"Delivery": 1, "t": queue.Absent, "again": queue.Pending, "PublishedAt != nil": true})
}

func notAllowed(r *rig) {
	t := r.inserts(lighthouse())
	for status, want := range map[task.Status]facts{
		task.Completed:  {"retry": false, "cancel": false},
		task.Failed:     {"retry": true, "cancel": false},
		task.Processing: {"retry": false, "cancel": true},
	} {
		r.exec(fmt.Sprintf("UPDATE image_generations SET status = '%s', worker = 'w'", status))
		_, retry := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
		r.exec(fmt.Sprintf("UPDATE image_generations SET status = '%s', worker = 'w'", status))
		_, cancel := r.client.Cancel(r.Context(), task.Seen{Task: t.ID})
		r.same(facts{"retry": retry == nil, "cancel": cancel == nil}, want)
		var not *store.NotAllowed
		for _, err := range []error{retry, cancel} {
			if err != nil && !errors.As(err, &not) {
				r.Error(err)
			}
		}
	}
}

func retryAll(r *rig) {
	const many = 520
	r.client.Queue = nil
	var tasks []*task.Task
	for range many {
		tasks = append(tasks, lighthouse())
	}
	_, err := r.tasks.Insert(r.Context(), tasks)
	r.check(err)
	r.exec("UPDATE image_generations SET status = 'failed' WHERE id > 3")
	r.exec("UPDATE image_generations SET status = 'completed' WHERE id = 2")
	told := 0
	looked, _, err := r.client.Retryable(r.Context(), store.Filter{})
	r.check(err)
	newest, _, err := r.client.Retryable(r.Context(), store.Filter{Limit: 502})
	r.check(err)
	r.same(newest, looked[:502])
	done, err := r.client.RetryEach(r.Context(), looked, false, func(*task.Task) { told++ })
	r.check(err)
	left, err := r.tasks.Count(r.Context(), store.Filter{Statuses: []task.Status{task.Failed}})
	r.check(err)
	r.same(facts{"done": done, "told": told, "left": left, "r.get(4).Delivery": r.get(4).Delivery, "r.get(1).Delivery": r.get(1).Delivery},
		facts{"done": many - 3, "told": many - 3, "left": 0, "r.get(4).Delivery": 1, "r.get(1).Delivery": 0})
}

func retryLooked(r *rig) {
	r.client.Queue = nil
	_, err := r.tasks.Insert(r.Context(), []*task.Task{lighthouse(), lighthouse(), lighthouse(), lighthouse()})
	r.check(err)
	r.exec("UPDATE image_generations SET status = 'failed', error_kind = 'outcome_unknown' WHERE id <> 2")
	r.exec(`INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, fence, sent_at)
		SELECT id, 0, 1, 'key-' || id, 'painter', CASE WHEN id = 4 THEN 'failed' ELSE 'unknown' END, 0, '2026-01-01' FROM image_generations`)
	unknown := store.Filter{Kinds: []task.Kind{task.OutcomeUnknown}}
	looked, _, err := r.client.Retryable(r.Context(), unknown)
	r.check(err)
	r.exec("UPDATE image_generations SET status = 'failed', error_kind = 'outcome_unknown' WHERE id = 2") // joins them
	r.exec("UPDATE image_generations SET fence = fence + 1 WHERE id = 3")                                 // was called again, and failed anew
	done, err := r.client.RetryEach(r.Context(), looked, true, nil)
	r.check(err)
	r.same(facts{"done": done, "1": r.get(1).Status, "2": r.get(2).Status, "3": r.get(3).Status, "4, whose outcome is known": r.get(4).Status},
		facts{"done": 1, "1": task.Pending, "2": task.Failed, "3": task.Failed, "4, whose outcome is known": task.Failed})
}

// lockedTable is a database whose table of tasks is locked, but for one task.
type lockedTable struct {
	*store.Store
	free  int64
	asked []int64
}

func (l *lockedTable) Retry(ctx context.Context, seen task.Seen, notCharged bool) (*task.Task, error) {
	if l.asked = append(l.asked, seen.Task); seen.Task == l.free {
		return l.Store.Retry(ctx, seen, notCharged)
	}
	return nil, &store.Locked{}
}

func retryAllTable(r *rig) {
	r.client.Queue = nil
	_, err := r.tasks.Insert(r.Context(), []*task.Task{lighthouse(), lighthouse(), lighthouse(), lighthouse(), lighthouse()})
	r.check(err)
	r.exec("UPDATE image_generations SET status = 'failed'")
	looked, _, err := r.client.Retryable(r.Context(), store.Filter{})
	r.check(err)
	table := &lockedTable{Store: r.tasks, free: 4}
	r.client.Tasks = table
	done, err := r.client.RetryEach(r.Context(), looked, false, nil)
	if !errors.As(err, new(*store.Locked)) || !strings.Contains(err.Error(), "task 5: ") {
		r.Errorf("the error is %v", err)
	}
	r.same(facts{"done": done, "asked": table.asked}, facts{"done": 1, "asked": []int64{5, 4, 3, 2}})
}

func retryAllLocked(r *rig) {
	r.client.Queue = nil
	_, err := r.tasks.Insert(r.Context(), []*task.Task{lighthouse(), lighthouse(), lighthouse()})
	r.check(err)
	r.exec("UPDATE image_generations SET status = 'failed'")
	looked, _, err := r.client.Retryable(r.Context(), store.Filter{})
	r.check(err)
	app, err := r.tasks.DB().Begin()
	r.check(err)
	defer app.Rollback()
	_, err = app.Exec("SELECT id FROM image_generations WHERE id = 3 FOR UPDATE") // the first that is tried
	r.check(err)
	done, err := r.client.RetryEach(r.Context(), looked, false, nil)
	if !errors.As(err, new(*store.Locked)) || !strings.Contains(err.Error(), "task 3: ") {
		r.Errorf("the error is %v", err)
	}
	r.same(facts{"done": done, "r.get(1).Status": r.get(1).Status, "r.get(2).Status": r.get(2).Status, "r.get(3).Status": r.get(3).Status},
		facts{"done": 2, "r.get(1).Status": task.Pending, "r.get(2).Status": task.Pending, "r.get(3).Status": task.Failed})
}

// calls gives each failed task one call in that state.
func (r *rig) calls(state task.AttemptState, kind task.Kind) {
	r.Helper()
	r.exec(fmt.Sprintf("UPDATE image_generations SET status = 'failed', error_kind = '%s'", kind))
	r.exec(fmt.Sprintf(`INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, account, state, error_kind, fence, sent_at)
		SELECT id, 0, 1, 'key-' || id, 'painter', 'main', '%s', '%s', 0, '1999-01-01' FROM image_generations`, state, kind))
}

func retryCharged(r *rig) {
	r.client.Queue = nil
	_, err := r.tasks.Insert(r.Context(), []*task.Task{lighthouse(), lighthouse(), lighthouse()})
	r.check(err)
	r.calls(task.AttemptFailed, task.Charged)
	r.exec("UPDATE image_generations SET error_kind = 'timeout' WHERE id > 1") // whose rows do not say it
	looked, givenUp, err := r.client.Retryable(r.Context(), store.Filter{})
	r.check(err)
	r.same(facts{"looked": len(looked), "givenUp": givenUp}, facts{"looked": 2, "givenUp": 1})
	n, err := r.client.RetryEach(r.Context(), looked, false, nil)
	r.check(err)
	_, err = r.client.Retry(r.Context(), r.get(1).Seen(), false)
	if again := new(store.BuysAgain); !errors.As(err, &again) || *again != (store.BuysAgain{Task: 1, Attempt: 1}) {
		r.Errorf("a retry says %v", err)
	}
	bought, err := r.client.BuyAgain(r.Context(), r.get(1).Seen())
	r.check(err)
	r.same(facts{"n": n, "1": bought.Status, "2": r.get(2).Status, "3": r.get(3).Status}, facts{"n": 0, "1": task.Pending, "2": task.Failed, "3": task.Failed})
}

func buyUnknown(r *rig) {
	_, err := r.client.Enqueue(r.Context(), lighthouse())
	r.check(err)
	r.calls(task.AttemptUnknown, task.OutcomeUnknown)
	l, err := r.client.Look(r.Context(), 1, enqueue.About{})
	r.check(err)
	_, asked := r.client.PaidCalls(l)
	_, bought := r.client.BuyAgain(r.Context(), l.Task.Seen())
	for _, err := range []error{asked, bought} {
		if unknown := new(enqueue.UnknownOutcome); !errors.As(err, &unknown) || unknown.Attempt != 1 {
			r.Errorf("it says %v", err)
		}
	}
	r.same(r.get(1).Status, task.Failed)
}

func wordAbout(r *rig) {
	t := lighthouse()
	_, err := r.client.Enqueue(r.Context(), t)
	r.check(err)
	says := func(about enqueue.About, want string) {
		r.Helper()
		text := ""
		if _, err := r.client.Look(r.Context(), t.ID, about); err != nil {
			text = err.Error()
		}
		r.same(text, want)
	}
	says(enqueue.About{Attempt: 1}, "task 1 has moved on since you looked: it has no call; look again")
	says(enqueue.About{Unknown: true}, "task 1 has no call of unknown outcome: no call was made")
	r.calls(task.AttemptSucceeded, task.Timeout)
	says(enqueue.About{Attempt: 1}, "")
	says(enqueue.About{Attempt: 2}, "task 1 has moved on since you looked: its last call is 1 and not 2; look again")
	says(enqueue.About{Began: time.Now()}, "")
	says(enqueue.About{Unknown: true}, "task 1 has no call of unknown outcome: its call 1 is written down as succeeded")
	says(enqueue.About{Unknown: true, Attempt: 1}, "task 1 has moved on since you looked: its call 1 is written down as succeeded; look again")
	r.exec("UPDATE generation_attempt SET state = 'failed', error_kind = 'charged'")
	says(enqueue.About{Unknown: true, Attempt: 1}, "task 1 has moved on since you looked: its call 1 was given up as charged; look again")
	r.exec("UPDATE generation_attempt SET state = 'unknown', sent_at = later(60000)")
	says(enqueue.About{Unknown: true, Attempt: 1, Began: time.Now()}, "")
	says(enqueue.About{Unknown: true, Began: time.Now()}, "task 1 has moved on since you looked: its call 1 was made after this command began; look again")
}
