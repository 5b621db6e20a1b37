package enqueue_test

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// `go test ./enqueue -run Flood -v -args -rows 1000000` says how long others wait beside so many.
var rows = flag.Int("rows", 20_000, "how many rows an app inserts in one statement")

// TestFlood takes as long as it takes to publish all rows, which is what others are not
// to wait for.
func TestFlood(t *testing.T) {
	t.Parallel()
	onServers(t, []claim{{"While an app's rows of one statement are published, those of others are published, claimed and given back all the while", flood}})
}

func flood(r *rig) {
	r.patience = time.Minute // what is too long is said below
	r.services["sculptor"] = &provider.Service{Name: "sculptor", DefaultModel: "chisel", Accounts: r.services["painter"].Accounts}
	r.runs(r.relay().Run)
	r.runs(r.reconciler().Run)
	began, inserted := time.Now(), make(chan error, 1)
	go func() {
		_, err := r.tasks.DB().ExecContext(context.WithoutCancel(r.Context()),
			"INSERT INTO image_generations (provider, prompt) SELECT 'painter', 'a cat' FROM generate_series(1, $1)", *rows)
		inserted <- err
	}()
	var committed, worst time.Duration
	asked := 0
	for waiting := true; waiting; asked++ {
		select {
		case err := <-inserted:
			r.check(err)
			committed = time.Since(began)
		default:
		}
		worst = max(worst, r.stepBesides())
		r.check(r.tasks.DB().QueryRow("SELECT $1 OR EXISTS (SELECT 1 FROM image_generations WHERE provider = 'painter' AND published_at IS NULL AND status = 'pending')",
			committed == 0).Scan(&waiting))
	}
	took := time.Since(began)
	r.Logf("%d rows were inserted in %s and published within %s; of %d others the slowest took %s", *rows, committed.Round(time.Millisecond),
		took.Round(time.Millisecond), asked, worst.Round(time.Millisecond))
	if bar := max(2*time.Second, took/2); worst > bar { // a machine that is busy is slow with both
		r.Errorf("one of another provider took %s, want %s", worst, bar)
	}
	if asked < 4 {
		r.Errorf("only %d were tried meanwhile", asked)
	}
}

// stepBesides takes a task of another provider from its insert by SQL to its claim and
// back, and returns how long that took.
func (r *rig) stepBesides() time.Duration {
	r.Helper()
	began := time.Now()
	var id int64
	r.check(r.tasks.DB().QueryRow("INSERT INTO image_generations (provider, prompt) VALUES ('sculptor', 'a dog') RETURNING id").Scan(&id))
	ref := task.Ref{Task: id}
	r.until(fmt.Sprintf("task %d is published", id), func() bool {
		states, err := r.queue.States(r.Context(), []queue.Delivery{{Ref: ref, Provider: "sculptor"}})
		r.check(err)
		return states[0] == queue.Pending
	})
	c, _, err := r.tasks.Claim(r.Context(), ref, "w", time.Minute)
	r.check(err)
	if c == nil {
		r.Fatalf("task %d cannot be claimed", id)
	}
	r.check(r.tasks.Release(r.Context(), c.Task.Token(), 0, ""))
	return time.Since(began)
}
