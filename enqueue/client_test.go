package enqueue_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var client = []claim{
	{"A stored task is published at once", publishedAtOnce},
	{"A task for later waits where asynq shows it", waitsForLater},
	{"Twenty repetitions at once are one task", twenty},
	{"A key that stands for another request is refused", keyReused},
	{"A transaction that is rolled back leaves nothing", rolledBack},
	{"A transaction that is committed is published by the relay", committed},
}

func TestClient(t *testing.T) {
	t.Parallel()
	inBubble(t, client)
	inBubble(t, []claim{
		{"A task that no provider could honour is not stored", refuses},
		{"A Redis that is away costs a task only its first publication", redisAway},
		{"A cancelled task loses its delivery, and a retried one gets another", cancelAndRetry},
		{"What is final is neither cancelled nor, if it is completed, retried", notAllowed},
		{"All failed tasks come back, over several pages", retryAll},
		{"A word about calls is said of the tasks that were looked at, and of none that joins them", retryLooked},
		{"What was given up as charged is bought again by a word of its own, and by none for many", retryCharged},
		{"Buying again what nobody can say to be charged says the two words for that", buyUnknown},
		{"A word is about the last call that its speaker knows of", wordAbout},
		{"Two locked rows in a row end a retry of many, and one does not", retryAllTable},
		{"Without a queue the relay publishes", func(r *rig) {
			r.client.Queue = nil
			t := lighthouse()
			_, err := r.client.Enqueue(r.Context(), t)
			r.check(err)
			r.runs(r.relay().Run)
			r.in(t.Ref(), queue.Pending)
			r.client.Cancel(r.Context(), task.Seen{Task: t.ID})
			again, err := r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
			r.check(err)
			r.in(again.Ref(), queue.Pending)
		}},
	})
}

func TestClientOnServers(t *testing.T) {
	t.Parallel()
	onServers(t, client)
	onServers(t, []claim{{"A row that an app has locked keeps no other from coming back, and is named", retryAllLocked}})
}

func publishedAtOnce(r *rig) {
	for _, at := range []time.Time{{}, time.Now(), time.Now().Add(-time.Hour)} {
		t := lighthouse()
		t.RunAt = at
		created, err := r.client.Enqueue(r.Context(), t)
		r.check(err)
		r.same(facts{"created": created, "Status": t.Status, "where": r.where(t.Ref()), "PublishedAt != nil": r.get(t.ID).PublishedAt != nil},
			facts{"created": true, "Status": task.Pending, "where": queue.Pending, "PublishedAt != nil": true})
	}
}

func waitsForLater(r *rig) {
	t := lighthouse()
	t.RunAt = time.Now().Add(time.Hour)
	_, err := r.client.Enqueue(r.Context(), t)
	r.check(err)
	r.same(r.where(t.Ref()), queue.Scheduled)
	r.runs(r.relay().Run)
	r.runs(r.reconciler().Run)
	r.passes(10 * r.every)
	r.same(facts{"where": r.where(t.Ref()), "Status": r.get(t.ID).Status}, facts{"where": queue.Scheduled, "Status": task.Pending})
}

func twenty(r *rig) {
	ids := make([]int64, 20)
	var created sync.Map
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			t := lighthouse()
			t.IdempotencyKey = "order-1"
			fresh, err := r.client.Enqueue(r.Context(), t)
			if err != nil {
				r.Error(err)
			}
			if ids[i] = t.ID; fresh {
				created.Store(i, true)
			}
		})
	}
	group.Wait()
	n := 0
	created.Range(func(any, any) bool { n++; return true })
	count, err := r.tasks.Count(r.Context(), store.Filter{})
	r.check(err)
	r.same(facts{"n": n, "count": count}, facts{"n": 1, "count": 1})
	for _, id := range ids {
		r.same(id, ids[0])
	}
}

func keyReused(r *rig) {
	t, other := lighthouse(), lighthouse()
	t.IdempotencyKey, other.IdempotencyKey, other.Prompt = "order-1", "order-1", "a windmill"
	_, err := r.client.Enqueue(r.Context(), t)
	r.check(err)
	_, err = r.client.Enqueue(r.Context(), other)
	var reused *store.KeyReused
	if !errors.As(err, &reused) || reused.Task != t.ID {
		r.Errorf("got %v", err)
	}
}

func rolledBack(r *rig) {
	r.runs(r.relay().Run)
	tx, err := r.tasks.DB().BeginTx(r.Context(), nil)
	r.check(err)
	t := lighthouse()
	_, err = r.client.EnqueueTx(r.Context(), tx, t)
	r.check(err)
	r.check(tx.Rollback())
	r.passes(5 * r.every)
	_, err = r.tasks.Get(r.Context(), t.ID)
	keys, keysErr := r.redis.Keys(r.Context(), "asynq:*:t:*").Result()
	r.check(keysErr)
	if !errors.Is(err, store.ErrNotFound) || len(keys) > 0 {
		r.Errorf("the row: %v, Redis: %v", err, keys)
	}
}

func committed(r *rig) {
	r.runs(r.relay().Run)
	tx, err := r.tasks.DB().BeginTx(r.Context(), nil)
	r.check(err)
	t := lighthouse()
	_, err = r.client.EnqueueTx(r.Context(), tx, t)
	r.check(err)
	r.same(r.where(t.Ref()), queue.Absent)
	r.check(tx.Commit())
	r.in(t.Ref(), queue.Pending)
}

func refuses(r *rig) {
	for _, c := range []struct {
		change func(t *task.Task)
		reason string
	}{
		{func(t *task.Task) { t.Prompt = "" }, "prompt is empty"},
		{func(t *task.Task) { t.WebhookURL = "https://app.test" }, "webhook_url is"},
		{func(t *task.Task) { t.Provider = "nobody" }, `provider "nobody" is not configured`},
		{func(t *task.Task) { t.Style = "noir" }, "painter cannot honour style"},
	} {
		bad := lighthouse()
		c.change(bad)
		_, err := r.client.Enqueue(r.Context(), bad)
		_, inMany := r.client.EnqueueMany(r.Context(), []*task.Task{lighthouse(), bad})
		_, inTx := r.client.EnqueueTx(r.Context(), nil, bad)
		var f *task.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Message, c.reason) || !errors.As(inTx, &f) {
			r.Errorf("got %v, and in a transaction %v", err, inTx)
		}
		if !errors.As(inMany, &f) || !strings.HasPrefix(inMany.Error(), "task 2 of 2: ") {
			r.Errorf("got %v", inMany)
		}
	}
	count, err := r.tasks.Count(r.Context(), store.Filter{})
	r.check(err)
	r.same(count, 0)
}

func redisAway(r *rig) {
	r.runs(r.relay().Run)
	r.down.Store(true)
	t := lighthouse()
	_, err := r.client.Enqueue(r.Context(), t)
	r.check(err)
	r.passes(time.Minute)
	r.same(r.get(t.ID).PublishedAt, (*time.Time)(nil))
	r.down.Store(false)
	back := time.Now()
	r.in(t.Ref(), queue.Pending)
	if took := time.Since(back); took > 6*time.Second {
		r.Errorf("it took %s", took)
	}
}
