package matrix

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/internal/evidence"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/task"
)

var (
	all    = flag.Bool("all", false, "all 192 cases, and not only some of each kind")
	atOnce = flag.Int("at-once", 32, "how many cases run at a time; they mostly wait")
)

const (
	lease = 9 * time.Second // of the workers
	tag   = "t-000001"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(*atOnce)); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestCrashMatrix loses a worker at every point of a task's life.
func TestCrashMatrix(t *testing.T) {
	s := &shared{program: build(t)}
	var err error
	if s.redis, err = throwaway.Redis(t.Context(), throwaway.Options{Settings: map[string]string{"databases": "256"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.redis.Close(); err != nil {
			t.Error(err)
		}
	})
	cases := some()
	if *all {
		cases = every()
	}
	held := make(chan bool, len(cases))
	t.Run("case", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				c.live(t, s)
				held <- !t.Failed()
			})
		}
	})
	good := 0
	for range len(held) {
		if <-held {
			good++
		}
	}
	t.Logf("%d of %d cases hold", good, len(cases))
}

// build makes a worker that knows the fake provider, with its crash points.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "easel-selftest")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "crashpoints", "-ldflags=-s -w", "-o", program, "github.com/easelqueue/easel/cmd/easel-selftest").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// live lives through the case: one task, a worker that is lost at the point, and
// another that goes on.
func (c single) live(t *testing.T, s *shared) {
	at := newSite(t, s, c)
	began := time.Now()
	id := at.insert()
	mark := filepath.Join(at.dir, "mark")
	victim := at.start("CRASH_AT="+c.point+"="+c.how, "CRASH_MARK="+mark)
	lost := victim.killed
	if c.how == stop {
		lost = victim.stopped
	}
	servertest.Eventually(t, time.Minute, "the worker is lost at "+c.point, lost)
	lostAt := time.Now()
	if _, err := os.Stat(mark); err != nil {
		t.Fatalf("the worker is lost, and not at its point: %v", err)
	}
	second := at.start()
	if c.how == stop {
		c.thaw(at, victim, id, lostAt)
	}
	servertest.Eventually(t, time.Minute, "the task ends", func() bool { return at.task(id).Status.Final() })
	took := time.Since(lostAt)
	if c.how == stop {
		if at.expected(c).late {
			servertest.Eventually(t, time.Minute, "the frozen worker brings its picture", func() bool { return at.results(id) > 0 })
		}
		victim.drains()
	}
	second.drains()
	at.drained()
	c.judge(t, at, id, began, lostAt)
	t.Logf("%s: %s after %s", c, at.task(id).Status, took.Round(100*time.Millisecond))
}

// thaw lets the frozen worker go on once the other has ended the task, and its
// own lease is over by far. One that was frozen while it wrote to SQLite holds the
// file's lock: then nobody can end anything before it goes on.
func (c single) thaw(at *site, victim worker, id int64, lostAt time.Time) {
	at.t.Helper()
	enough := time.After(3 * lease)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !at.blocked && (!at.task(id).Status.Final() || time.Since(lostAt) < lease+3*time.Second) {
		select {
		case <-tick.C:
		case <-enough:
			at.blocked = true
		}
	}
	victim.Send(syscall.SIGCONT)
}

// expected is what the case has to end with here.
func (s *site) expected(c single) outcome {
	if s.blocked && s.task(1).Status == task.Completed {
		return outcome{status: task.Completed, bills: 1}
	}
	return c.expected()
}

func (s *site) insert() int64 {
	s.t.Helper()
	var id int64
	err := s.tasks.DB().QueryRowContext(s.t.Context(), `INSERT INTO image_generations (provider, prompt, run_at, created_at, updated_at)
		VALUES ('fakeprovider', $1, now(), now(), now()) RETURNING id`, tag+" 一只红狐狸").Scan(&id)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *site) task(id int64) *task.Task {
	s.t.Helper()
	found, err := s.tasks.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func (s *site) results(id int64) int {
	s.t.Helper()
	found, err := s.tasks.Results(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(found)
}

// drained waits for a worker of its own to find the queue as it should be, which
// the others may have left in the middle of their last delivery.
func (s *site) drained() {
	s.t.Helper()
	settler := s.start()
	servertest.Eventually(s.t, 2*time.Minute, "the queue holds no delivery of a finished task", func() bool {
		entries, err := evidence.Deliveries(s.t.Context(), s.redis)
		for _, e := range entries {
			if e.State != "archived" || s.task(1).Status != task.Failed {
				return false
			}
		}
		return err == nil
	})
	settler.drains()
}

// judge compares the end with what is expected, and has the checker look at everything.
func (c single) judge(t *testing.T, at *site, id int64, began, lostAt time.Time) {
	t.Helper()
	want := at.expected(c)
	got := at.task(id)
	bills := at.bills()
	if got.Status != want.status || got.ErrorKind != want.kind || len(bills) != want.bills {
		t.Errorf("%d bills, and the task is %s (%s: %s); want %d, %s (%s)", len(bills), got.Status, got.ErrorKind, got.ErrorMsg, want.bills, want.status, want.kind)
	}
	results, err := at.tasks.Results(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if want.status == task.Completed || want.late {
		if len(results) != 1 || len(bills) != 1 || results[0].SHA256 != bills[0].Pictures[0] {
			t.Errorf("the results are %+v, the bills %+v; want the one picture that was billed", results, bills)
		}
	} else if len(results) != 0 {
		t.Errorf("there are results: %+v", results)
	}
	at.check(check.Run{Seed: 1, Policy: map[string]string{"fakeprovider": "hold"}, Class: map[string]string{"fakeprovider": c.class}, Began: check.When{Time: began},
		FaultsEnded: check.When{Time: time.Now()}, Settled: check.When{Time: time.Now()}, Expect: map[string]int{}, Canaries: []string{key}},
		check.Fault{At: check.When{Time: lostAt.Add(-time.Second)}, Until: check.When{Time: time.Now()}, Kind: c.how, Target: "a worker", Detail: c.String(), Ambiguous: true}, id)
}

// bills are the lines of the fake provider's book that cost money.
func (s *site) bills() []check.Entry {
	s.t.Helper()
	text, err := os.ReadFile(s.fakeprovider.Ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []check.Entry
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var e check.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			s.t.Fatal(err)
		}
		if e.Billed {
			all = append(all, e)
		}
	}
	return all
}

// check has the independent checker judge the case.
func (s *site) check(run check.Run, fault check.Fault, id int64) {
	s.t.Helper()
	told := []check.Told{{At: run.Began, Event: "acked", Task: id, Tag: tag, Door: "sql"}}
	where := evidence.Site{DB: s.tasks.DB(), Redis: s.redis, Pictures: filepath.Join(s.dir, "pictures")}
	if err := where.Gather(s.t.Context(), s.dir, evidence.Books{Run: run, Told: told, Faults: []check.Fault{fault}}); err != nil {
		s.t.Fatal(err)
	}
	found, err := check.Read(os.DirFS(s.dir))
	if err != nil {
		s.t.Fatal(err)
	}
	report := found.Judge()
	for _, v := range report.Judgements {
		for _, broken := range v.Violations {
			s.t.Errorf("%s: %s", v.ID, broken.Text)
		}
	}
	if s.t.Failed() {
		for _, story := range report.Stories {
			s.t.Log(fmt.Sprint(story.Timeline))
		}
	}
}
