package enqueue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var relay = []claim{
	{"A producer that dies between commit and publishing loses nothing", func(r *rig) {
		t := r.inserts(lighthouse())
		r.runs(r.relay().Run)
		r.in(t.Ref(), queue.Pending)
		r.until("its publication is noted", func() bool { return r.get(t.ID).PublishedAt != nil })
	}},
	{"A row that any program inserted is published, high before low", func(r *rig) {
		r.exec("INSERT INTO image_generations (provider, prompt, priority) VALUES ('painter', 'a cat', -7), ('painter', 'a dog', 7)")
		n, err := r.relay().Drain(r.Context())
		r.check(err)
		states, err := r.queue.States(r.Context(), []queue.Delivery{
			{Ref: task.Ref{Task: 1}, Provider: "painter", Priority: task.Low}, {Ref: task.Ref{Task: 2}, Provider: "painter", Priority: task.High}})
		r.check(err)
		r.same(facts{"n": n, "states": states}, facts{"n": 2, "states": []queue.State{queue.Pending, queue.Pending}})
	}},
	{"Several relays at once publish all", func(r *rig) {
		var tasks []*task.Task
		for range 50 {
			tasks = append(tasks, lighthouse())
		}
		for range 4 {
			slow := r.relay()
			slow.Batch = 7
			r.runs(slow.Run)
		}
		_, err := r.tasks.Insert(r.Context(), tasks)
		r.check(err)
		for _, t := range tasks {
			r.in(t.Ref(), queue.Pending)
		}
	}},
	{"A row for a provider that nobody serves fails with that reason", func(r *rig) {
		r.exec("INSERT INTO image_generations (provider, prompt) VALUES ('nobody', 'a cat'), ('a {b}', 'a cat'), ('painter', 'a cat')")
		r.runs(r.relay().Run)
		for _, id := range []int64{1, 2} {
			r.until("the row has failed", func() bool { return r.get(id).Status == task.Failed })
			if f := r.get(id); f.ErrorKind != task.Invalid || !strings.Contains(f.ErrorMsg, "is not configured; configured are: painter") {
				r.Errorf("%s: %s", f.ErrorKind, f.ErrorMsg)
			}
		}
		r.in(task.Ref{Task: 3}, queue.Pending)
	}},
	{"A row for a provider that only another worker serves is published", func(r *rig) {
		r.check(r.tasks.Heartbeat(r.Context(), store.Worker{ID: "other", Host: "h", Providers: ",sculptor,"}, time.Minute))
		r.exec("INSERT INTO image_generations (provider, prompt) VALUES ('sculptor', 'a cat')")
		r.runs(r.relay().Run)
		delivery := queue.Delivery{Ref: task.Ref{Task: 1}, Provider: "sculptor"}
		r.until("it is published", func() bool {
			states, err := r.queue.States(r.Context(), []queue.Delivery{delivery})
			r.check(err)
			return states[0] == queue.Pending && r.get(1).PublishedAt != nil
		})
	}},
	{"A task that is nil is refused and does not end the program", func(r *rig) {
		_, err := r.client.EnqueueMany(r.Context(), []*task.Task{lighthouse(), nil})
		if err == nil || !strings.Contains(err.Error(), "task 2 of 2 is nil") {
			r.Errorf("got %v", err)
		}
	}},
}

func TestRelay(t *testing.T) {
	t.Parallel()
	inBubble(t, relay)
	inBubble(t, []claim{
		{"A row that waits for a retry is published then and not before", func(r *rig) {
			t := r.inserts(lighthouse())
			c, _, err := r.tasks.Claim(r.Context(), t.Ref(), "w", r.lease)
			r.check(err)
			r.check(r.tasks.Release(r.Context(), c.Task.Token(), time.Hour, ""))
			r.check(r.tasks.MarkUnpublished(r.Context(), []task.Ref{t.Ref()}))
			_, err = r.relay().Drain(r.Context())
			r.check(err)
			r.same(r.where(t.Ref()), queue.Scheduled)
		}},
		{"A row that is due by the database's clock is published at once, whatever our own says", func(r *rig) {
			t := r.inserts(lighthouse())
			r.exec("UPDATE image_generations SET run_at = later(60000), updated_at = later(60001)") // the database is a minute ahead
			_, err := r.relay().Drain(r.Context())
			r.check(err)
			r.same(r.where(t.Ref()), queue.Pending)
		}},
		{"A database that is away is waited for", func(r *rig) {
			t := r.inserts(lighthouse())
			r.exec("ALTER TABLE image_generations RENAME TO away")
			r.runs(r.relay().Run)
			r.passes(time.Minute)
			r.exec("ALTER TABLE away RENAME TO image_generations")
			r.in(t.Ref(), queue.Pending)
		}},
	})
}

func TestRelayOnServers(t *testing.T) {
	t.Parallel()
	onServers(t, relay)
	onServers(t, []claim{{"An insert wakes the relay", func(r *rig) {
		sleepy := r.relay()
		sleepy.Every = time.Hour
		r.runs(sleepy.Run)
		r.until("it listens", func() bool {
			var n int
			r.check(r.tasks.DB().QueryRow("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle' AND datname = current_database()").Scan(&n))
			return n == 1
		})
		began := time.Now()
		r.exec("INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a cat')")
		r.in(task.Ref{Task: 1}, queue.Pending)
		if took := time.Since(began); took > 2*time.Second {
			r.Errorf("it took %s", took)
		}
	}}})
}
