package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/task"
)

// outing is a site whose servers can be killed and whose provider keeps a book.
type outing struct {
	*testSite
	postgres, queue *throwaway.Server
	redis           redis.UniversalClient
	book
}

// book is the file in which a fake provider keeps what it billed.
type book string

const fakeproviderKey = "the-fakeprovider-key"

// openFakeProvider starts a fake provider and returns where it is, and its book.
func openFakeProvider(t *testing.T, like fakeprovider.Options) (at string, b book) {
	t.Helper()
	like.Ledger, like.Key = filepath.Join(t.TempDir(), "ledger.jsonl"), fakeproviderKey
	far, err := fakeprovider.Open(like)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(far)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL, book(like.Ledger)
}

// bills is how often the fake provider was paid.
func (b book) bills(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), `"billed":true`)
}

// buildWrongClock makes a worker whose clock can be wrong, without the race detector.
func buildWrongClock(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "easel-selftest")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, "../easel-selftest").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// newOuting prepares one with a fake provider of that class.
func newOuting(t *testing.T, class string, like fakeprovider.Options, concurrency int) *outing {
	t.Helper()
	o := &outing{postgres: servertest.PostgresServer(t), queue: servertest.Redis(t)}
	var at string
	at, o.book = openFakeProvider(t, like)
	yaml := fmt.Sprintf("providers:\n  fakeprovider:\n    concurrency: %d\n    timeout: 2m\n    deadline: 10m\n    accounts:\n      - {name: main, key: \"${FAKEPROVIDER_KEY}\", base_url: %q}\n",
		concurrency, at+"/"+class+"/fakeprovider")
	o.testSite = newSite(t, yaml, "FAKEPROVIDER_KEY="+fakeproviderKey, "EASEL_DATABASE_URL="+o.postgres.URL, "EASEL_REDIS_URL="+o.queue.URL)
	options, err := redis.ParseURL(o.queue.URL)
	if err != nil {
		t.Fatal(err)
	}
	o.redis = redis.NewClient(options)
	t.Cleanup(func() { o.redis.Close() })
	return o
}

func (o *outing) bills() int { return o.book.bills(o.t) }

// busy is by how much longer things may take here than on a machine of their
// own: these tests run beside all others.
const busy = 6

// within polls until ok and logs how long that took since from. It fails the
// test if it is longer than a busy machine excuses.
func (o *outing) within(from time.Time, limit time.Duration, what string, ok func() bool) {
	o.t.Helper()
	servertest.Eventually(o.t, time.Until(from)+busy*limit, what, ok)
	o.t.Logf("%s after %s; alone the limit is %s", what, time.Since(from).Round(10*time.Millisecond), limit)
}

// heldBy is how many unfinished tasks the worker has.
func (o *outing) heldBy(p process) int {
	o.t.Helper()
	return o.number("SELECT count(*) FROM image_generations WHERE status = 'processing' AND worker = $1", workerID(o.t, p))
}

// workerID is the id with which the process works, by its own word.
func workerID(t *testing.T, p process) string {
	t.Helper()
	_, after, ok := strings.Cut(p.Said(), `"worker":"`)
	if !ok {
		t.Fatalf("the process does not work: %s", p.Said())
	}
	id, _, _ := strings.Cut(after, `"`)
	return id
}

func (p process) works(t *testing.T) {
	t.Helper()
	servertest.Eventually(t, 5*time.Minute, "the worker works", func() bool { return strings.Contains(p.Said(), `"message":"working"`) })
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	t.Run("Of 200 asynchronous jobs of a killed worker the first goes on within 10 s and all within 20 s, and none is bought again", func(t *testing.T) {
		t.Parallel()
		const n = 200
		o := newOuting(t, "async", fakeprovider.Options{Takes: 90 * time.Second}, n)
		victim := o.start("worker")
		o.insert(n, "fakeprovider", nil)
		servertest.Eventually(t, 5*time.Minute, "all are with the provider", func() bool {
			return o.number("SELECT count(*) FROM generation_attempt WHERE state IN ('accepted', 'answered', 'succeeded')") == n
		})
		heir := o.start("worker")
		heir.works(t)
		killed := time.Now()
		victim.Send(syscall.SIGKILL)
		o.within(killed, 10*time.Second, "the first goes on", func() bool { return o.heldBy(heir) > 0 })
		o.within(killed, 20*time.Second, "all go on", func() bool { return o.heldBy(heir)+o.count(task.Completed) == n })
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return o.count(task.Completed) == n })
		if bills, attempts := o.bills(), o.number("SELECT count(*) FROM generation_attempt"); bills != n || attempts != n {
			t.Errorf("%d bills and %d attempts for %d tasks", bills, attempts, n)
		}
	})

	t.Run("Of 200 calls of a killed worker that nobody can be asked about, all end as unknown within 20 s, and none is made again", func(t *testing.T) {
		t.Parallel()
		const n = 200
		o := newOuting(t, "sync", fakeprovider.Options{Takes: time.Hour}, n)
		victim := o.start("worker")
		o.insert(n, "fakeprovider", nil)
		servertest.Eventually(t, 5*time.Minute, "all are billed", func() bool { return o.bills() == n })
		o.start("worker").works(t)
		killed := time.Now()
		victim.Send(syscall.SIGKILL)
		unknown := func() int {
			return o.number("SELECT count(*) FROM image_generations WHERE status = 'failed' AND error_kind = 'outcome_unknown'")
		}
		o.within(killed, 10*time.Second, "the first is called unknown", func() bool { return unknown() > 0 })
		o.within(killed, 20*time.Second, "all are called unknown", func() bool { return unknown() == n })
		if bills := o.bills(); bills != n {
			t.Errorf("%d bills for %d tasks", bills, n)
		}
	})

	t.Run("10,000 waiting tasks are published again within 10 s of a FLUSHALL, and none twice", func(t *testing.T) {
		t.Parallel()
		const n = 10_000
		o := newOuting(t, "sync", fakeprovider.Options{Takes: time.Hour}, 1)
		o.insert(n, "fakeprovider", nil)
		o.start("worker").works(t)
		published := func() int {
			waiting, err := o.redis.LLen(t.Context(), "asynq:{fakeprovider}:pending").Result()
			if err != nil {
				t.Fatal(err)
			}
			return int(waiting)
		}
		servertest.Eventually(t, 5*time.Minute, "all are published", func() bool { return published() >= n-2 })
		emptied := time.Now()
		if err := o.redis.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		o.within(emptied, 10*time.Second, "all are published again", func() bool { return published() >= n-2 })
		if keys, err := o.redis.Keys(t.Context(), "asynq:{fakeprovider}:t:*").Result(); err != nil || len(keys) > n {
			t.Errorf("%d deliveries for %d tasks (%v)", len(keys), n, err)
		}
		if bills := o.bills(); bills > 1 {
			t.Errorf("%d calls, and there is room for one", bills)
		}
	})

	t.Run("A Redis that is frozen for 45 s aborts no paid call and spends no attempt, and work goes on within 10 s of its return", func(t *testing.T) {
		t.Parallel()
		const n, places = 30, 20
		o := newOuting(t, "sync", fakeprovider.Options{Takes: 40 * time.Second}, places)
		o.insert(n, "fakeprovider", nil)
		o.start("worker").works(t)
		servertest.Eventually(t, 5*time.Minute, "all places are taken", func() bool { return o.bills() >= places })
		if err := syscall.Kill(o.queue.Pid(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		frozen := time.NewTimer(45 * time.Second)
		<-frozen.C
		before := o.bills()
		if err := syscall.Kill(o.queue.Pid(), syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		o.within(time.Now(), 10*time.Second, "new calls are made", func() bool { return o.bills() > before })
		servertest.Eventually(t, 4*time.Minute, "all completed", func() bool { return o.count(task.Completed) == n })
		spent := o.number("SELECT count(*) FROM image_generations WHERE attempt > 0")
		if bills := o.bills(); bills != n || spent != 0 {
			t.Errorf("%d bills for %d tasks, %d of which have spent a try", bills, n, spent)
		}
	})

	t.Run("A Postgres that is killed under load loses no task and no paid answer, and the first claim comes within 5 s of its return", func(t *testing.T) {
		t.Parallel()
		const n, places = 300, 20
		o := newOuting(t, "sync", fakeprovider.Options{Takes: time.Second}, places)
		o.start("worker").works(t)
		o.insert(n, "fakeprovider", nil)
		servertest.Eventually(t, 5*time.Minute, "it is at work", func() bool { return o.count(task.Completed) > places })
		if err := o.postgres.Kill(); err != nil {
			t.Fatal(err)
		}
		away := time.NewTimer(5 * time.Second)
		<-away.C
		if err := o.postgres.Restart(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		o.within(back, 5*time.Second, "the first claim", func() bool {
			return o.number("SELECT count(*) FROM image_generations WHERE started_at > $1", back) > 0
		})
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return o.count(task.Completed) == n })
		if bills := o.bills(); bills != n {
			t.Errorf("%d bills for %d tasks", bills, n)
		}
	})

	t.Run("One of two workers with a clock that is 70 s ahead makes 20 calls for 20 tasks", func(t *testing.T) {
		t.Parallel()
		const n = 20
		o := newOuting(t, "sync", fakeprovider.Options{Takes: 12 * time.Second}, n/2)
		o.start("worker").works(t)
		o.startProgram(buildWrongClock(t), "worker", "--clock", "70s").works(t)
		o.insert(n, "fakeprovider", nil)
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return o.count(task.Completed) == n })
		if bills, by := o.bills(), o.number("SELECT count(DISTINCT worker) FROM generation_attempt"); bills != n || by != 2 {
			t.Errorf("%d calls for %d tasks by %d workers", bills, n, by)
		}
	})

	t.Run("A drain waits for calls that are being paid for, and no longer than 5 s more", func(t *testing.T) {
		t.Parallel()
		const n, places = 40, 20
		o := newOuting(t, "sync", fakeprovider.Options{Takes: 8 * time.Second}, places)
		o.insert(n, "fakeprovider", nil)
		p := o.start("worker")
		servertest.Eventually(t, 5*time.Minute, "all places are taken", func() bool { return o.bills() >= places })
		asked := time.Now()
		p.Send(syscall.SIGTERM)
		code := p.Ends(time.Minute)
		if took := time.Since(asked); code != 0 || took > 12*time.Second+5*time.Second {
			t.Errorf("exit %d after %s; the longest call takes 12 s", code, took)
		}
		unknown := o.number("SELECT count(*) FROM generation_attempt WHERE state = 'unknown'")
		if done, open := o.count(task.Completed), o.open(); unknown != 0 || done != o.bills() || done+open != n {
			t.Errorf("%d completed of %d bills, %d open, %d unknown", done, o.bills(), open, unknown)
		}
	})
}

func TestSpooledAnswers(t *testing.T) {
	t.Parallel()
	for _, class := range []string{"sync", "async"} {
		t.Run("Answers that come while Postgres is away outlive a killed worker, and the next one goes on with them: class "+class, func(t *testing.T) {
			t.Parallel()
			const n = 10
			o := newOuting(t, class, fakeprovider.Options{Takes: 24 * time.Second, Latency: 24 * time.Second}, n) // half of it is enough to stop a server
			victim := o.start("worker")
			o.insert(n, "fakeprovider", nil)
			servertest.Eventually(t, 5*time.Minute, "all are bought", func() bool { return o.bills() == n })
			if err := o.postgres.Stop(); err != nil {
				t.Fatal(err)
			}
			servertest.Eventually(t, 5*time.Minute, "all answers are in the spool", func() bool { return strings.Count(victim.Said(), "it is in the spool as well") == n })
			victim.Send(syscall.SIGKILL)
			<-victim.Done()
			if err := o.postgres.Restart(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			heir := o.start("worker")
			servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return o.count(task.Completed) == n })
			if bills, attempts := o.bills(), o.number("SELECT count(*) FROM generation_attempt"); bills != n || attempts != n {
				t.Errorf("%d bills and %d attempts for %d tasks", bills, attempts, n)
			}
			if adopted := strings.Count(heir.Said(), "a paid answer was adopted from the spool"); adopted != n {
				t.Errorf("%d answers were adopted, want %d", adopted, n)
			}
			if left, _ := filepath.Glob(filepath.Join(o.dir, "spool", "*", "*.json")); len(left) > 0 {
				t.Errorf("the spool still holds %v", left)
			}
		})
	}
}
