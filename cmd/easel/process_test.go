package main

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/demo"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// asProgram makes a test binary be easel, so that tests can start, stop and kill
// real processes of what they test.
const asProgram = "TEST_RUN_AS_EASEL"

// withLease makes its leases shorter, so that five of them are soon over.
const withLease = "TEST_LEASE"

func TestMain(m *testing.M) {
	app.Quiet()
	kinds = append(slices.Clone(all.Kinds), fakeprovider.Kind)
	if os.Getenv(asProgram) != "" {
		if d, err := time.ParseDuration(os.Getenv(withLease)); err == nil {
			lease = d
		}
		os.Exit(cli.Main(run))
	}
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		_ = flag.Set("test.parallel", "8") // these tests mostly wait for other processes
	}
	servertest.NothingStays(m, removeBuilds)
}

// binary is this test binary, built once, with the race detector or without it.
type binary struct {
	race    bool
	once    sync.Once
	folder  string
	program string
	err     error
}

// Tests start easel without the race detector, which makes each of hundreds of short
// processes five times as slow. Those that are about what goes on at once in one
// process start it with the detector: see testSite.raced.
var plain, raced = binary{}, binary{race: true}

func (b *binary) get(t testing.TB) string {
	t.Helper()
	if b.race == servertest.UnderRace() {
		return os.Args[0]
	}
	b.once.Do(func() {
		if b.folder, b.err = os.MkdirTemp("", "easel-program-"); b.err != nil {
			return
		}
		b.program = filepath.Join(b.folder, "easel")
		out, err := exec.Command("go", "test", "-c", fmt.Sprintf("-race=%t", b.race), "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=github.com/yuin/gopher-lua/...=-race=false", "-ldflags", "-s -w", "-o", b.program, ".").CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.program
}

func removeBuilds() {
	_ = os.RemoveAll(plain.folder) // of "" it removes nothing
	_ = os.RemoveAll(raced.folder)
}

// site is a database, a Redis and a folder that real processes share.
type testSite struct {
	t     *testing.T
	env   []string
	dir   string
	tasks *store.Store
	redis *throwaway.Server // newSite's; nil elsewhere
	raced bool              // start starts this test binary, with its race detector if it has one
}

// newSite prepares a site on Postgres and Redis. yaml configures its providers.
func newSite(t *testing.T, yaml string, env ...string) *testSite {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "easel.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	server := servertest.Redis(t)
	s := &testSite{t: t, dir: dir, redis: server, env: append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir,
		"EASEL_DATA=" + dir, "EASEL_CONFIG=" + file, "EASEL_LISTEN=" + freeAddress(t), "EASEL_LOG=info,json", "EASEL_REDIS_URL=" + server.URL}, env...)}
	if config.Variables(s.env)["EASEL_DATABASE_URL"] != "" {
		s.easel(0, "migrate", "up")
	} else {
		s.env = append(s.env, "EASEL_DATABASE_URL="+tables.Postgres(t))
	}
	var err error
	if s.tasks, err = store.Open(t.Context(), config.Variables(s.env)["EASEL_DATABASE_URL"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.tasks.Close() })
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// easel runs a command to its end and returns what it printed. A wanted code of -1 is any.
func (s *testSite) easel(want int, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), demo.Limit+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, plain.get(s.t), args...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want && want >= 0 {
		s.t.Fatalf("easel %s ended with %d (%v), want %d:\n%s", strings.Join(args, " "), code, err, want, out)
	}
	return string(out)
}

// process is a running easel.
type process struct {
	*exec.Cmd
	t    *testing.T
	mu   sync.Mutex
	log  bytes.Buffer
	done chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start starts easel and leaves it running; it is killed when the test ends.
func (s *testSite) start(args ...string) *process {
	s.t.Helper()
	if s.raced {
		return s.startProgram(raced.get(s.t), args...)
	}
	return s.startProgram(plain.get(s.t), args...)
}

// startProgram is start for another program than this one.
func (s *testSite) startProgram(program string, args ...string) *process {
	s.t.Helper()
	p := &process{Cmd: exec.Command(program, args...), t: s.t, done: make(chan struct{})}
	p.Env, p.Stdout, p.Stderr = s.env, p, p
	if err := p.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.done) }() // the exit code is read from ProcessState
	s.t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
		if strings.Contains(p.said(), "WARNING: DATA RACE") {
			s.t.Error("a data race")
		}
		if s.t.Failed() {
			s.t.Logf("easel %s said:\n%s", strings.Join(args, " "), tail(p.said(), 6000))
		}
	})
	return p
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// ends waits for the process and returns its exit code, -1 if it was killed.
func (p *process) ends(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("the process did not end within %s", within)
		return 0
	}
}

// serves waits until the pages of `easel up` answer.
func (p *process) serves() {
	p.t.Helper()
	listen := ""
	for _, line := range p.Env { // the last one holds
		if value, ok := strings.CutPrefix(line, "EASEL_LISTEN="); ok {
			listen = value
		}
	}
	eventually(p.t, 5*time.Minute, "the pages answer", func() bool {
		conn, err := net.Dial("tcp", listen)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

func (s *testSite) count(statuses ...task.Status) int {
	s.t.Helper()
	n, err := s.tasks.Count(s.t.Context(), store.Filter{Statuses: statuses})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *testSite) open() int { return s.count(task.Pending, task.Processing) }

// insert brings rows in by plain SQL.
func (s *testSite) insert(n int, provider string, parameters map[string]string) {
	s.t.Helper()
	ctx := s.t.Context()
	tx, err := s.tasks.DB().BeginTx(ctx, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback()
	s.exec(tx, `INSERT INTO image_generations (provider, model, prompt, size)
		SELECT $1, 'gpt-image-test', 'picture ' || i, '1024x1024' FROM generate_series(1, $2) i`, provider, n)
	for name, value := range parameters {
		s.exec(tx, "INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) SELECT id, $1, $2 FROM image_generations", name, value)
	}
	if err := tx.Commit(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testSite) exec(tx *sql.Tx, query string, args ...any) {
	s.t.Helper()
	if _, err := tx.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testSite) number(query string, args ...any) (n int) {
	s.t.Helper()
	if err := s.tasks.DB().QueryRowContext(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// slow answers well, after d.
func slow(d time.Duration) providertest.Behaviour {
	return providertest.Behaviour{Name: "slow", Bills: true, Serve: func(w http.ResponseWriter, r *http.Request, answer []byte) {
		select {
		case <-time.After(d):
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
		case <-r.Context().Done():
		}
	}}
}

func openAIYAML(fake *providertest.Server, concurrency int) string {
	return fmt.Sprintf("providers:\n  openai:\n    concurrency: %d\n    accounts:\n      - {name: main, key: \"${FAKE_KEY}\", base_url: %q}\n", concurrency, fake.OpenAIURL())
}

func TestAKilledWorker(t *testing.T) {
	t.Parallel()
	t.Run("Of 1,000 paid tasks with two workers and one killed, each is bought once at most and every one ends", func(t *testing.T) {
		t.Parallel()
		const n, concurrency = 1000, 20
		fake := providertest.StartAll()
		t.Cleanup(fake.Close)
		fake.Always(slow(30 * time.Millisecond))
		s := newSite(t, openAIYAML(fake, concurrency), "FAKE_KEY=sk-test")
		victim := s.start("worker")
		s.start("worker")
		s.insert(n, "openai", nil)
		eventually(t, 5*time.Minute, "both workers at work", func() bool {
			return s.number("SELECT count(DISTINCT worker) FROM generation_attempt") == 2 && s.count(task.Completed) > n/5
		})
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Minute, "all ended", func() bool { return s.open() == 0 })

		completed, unknown := s.count(task.Completed), s.number("SELECT count(*) FROM image_generations WHERE error_kind = 'outcome_unknown'")
		t.Logf("%d completed, %d of unknown outcome", completed, unknown)
		if completed+unknown != n || unknown > concurrency {
			t.Errorf("%d completed and %d of unknown outcome; want %d together, and at most the %d calls of the killed worker unknown", completed, unknown, n, concurrency)
		}
		if twice := s.number("SELECT count(*) FROM (SELECT task_id FROM generation_result GROUP BY task_id HAVING count(*) > 1) x"); twice != 0 {
			t.Errorf("%d tasks have two results", twice)
		}
		bought := make(map[string]int)
		for _, e := range fake.Ledger() {
			bought[e.Prompt]++
		}
		for prompt, times := range bought {
			if times != 1 {
				t.Errorf("%q was bought %d times", prompt, times)
			}
		}
		if len(bought) < completed {
			t.Errorf("%d tasks completed, but only %d were bought", completed, len(bought))
		}
	})

	t.Run("Jobs with a handle all complete, each of one attempt", func(t *testing.T) {
		t.Parallel()
		const n = 1000
		s := newSite(t, "providers:\n  sketch:\n    concurrency: 200\n    on_unknown: hold\n")
		victim := s.start("worker")
		s.start("worker")
		s.insert(n, "sketch", map[string]string{"empty": "true", "mode": "async", "delay": "1s"})
		eventually(t, 5*time.Minute, "both workers at work", func() bool {
			return s.number("SELECT count(DISTINCT worker) FROM generation_attempt WHERE state = 'accepted'") == 2
		})
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Minute, "all ended", func() bool { return s.open() == 0 })
		unknown := s.number("SELECT count(*) FROM image_generations WHERE error_kind = 'outcome_unknown'")
		if got := s.count(task.Completed); got+unknown != n {
			t.Errorf("%d completed and %d of unknown outcome, want %d", got, unknown, n)
		}
		if got := s.number("SELECT count(*) FROM generation_attempt"); got != n {
			t.Errorf("%d attempts for %d tasks", got, n)
		}
		if resumed := s.number("SELECT count(*) FROM image_generations WHERE delivery > 0 AND status = 'completed'"); resumed == 0 {
			t.Error("no task was taken over from the killed worker: the test shows nothing")
		}
	})
}

func TestSIGTERM(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"worker", "up"} {
		t.Run("A paid call in flight may end, waiting work is handed back, and the exit code is 0: "+command, func(t *testing.T) {
			t.Parallel()
			fake := providertest.StartAll()
			t.Cleanup(fake.Close)
			fake.Always(slow(2 * time.Second))
			s := newSite(t, openAIYAML(fake, 5), "FAKE_KEY=sk-test", "EASEL_DRAIN=20s")
			s.raced = true
			p := s.start(command)
			s.insert(20, "openai", nil)
			eventually(t, 5*time.Minute, "five calls in flight", func() bool { submits, _ := fake.Count(""); return submits == 5 })
			if command == "up" {
				p.serves()
			}
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := p.ends(15 * time.Second); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			submits, _ := fake.Count("")
			if done, waiting := s.count(task.Completed), s.count(task.Pending); submits != 5 || done != 5 || waiting != 15 {
				t.Errorf("%d calls, %d completed, %d pending; want 5, 5 and 15", submits, done, waiting)
			}
		})
	}

	t.Run("Jobs that are only waited for are handed back at once and completed by the next worker", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "providers:\n  sketch:\n    on_unknown: hold\n")
		s.raced = true
		p := s.start("worker")
		s.insert(20, "sketch", map[string]string{"empty": "true", "mode": "async", "delay": "15s"})
		eventually(t, 5*time.Minute, "all accepted", func() bool {
			return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == 20
		})
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.ends(12 * time.Second); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		if got := s.count(task.Pending); got != 20 {
			t.Errorf("%d tasks pending after the drain, want 20", got)
		}
		s.start("worker")
		eventually(t, 5*time.Minute, "all completed", func() bool { return s.count(task.Completed) == 20 })
		if got := s.number("SELECT count(*) FROM generation_attempt"); got != 20 {
			t.Errorf("%d attempts for 20 tasks", got)
		}
	})
}

func TestRowsFromOutside(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  volcengine:\n    model: doubao-seedream-4-0-250828\n    accounts:\n      - {name: main, key: \"${FAKE_KEY}\", base_url: \"http://127.0.0.1:1\"}\n  sketch: {}\n", "FAKE_KEY=sk-test")
	s.start("worker")
	get := func(id int64) *task.Task {
		t.Helper()
		found, err := s.tasks.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	insert := func(query string) (id int64) {
		t.Helper()
		if err := s.tasks.DB().QueryRowContext(t.Context(), query).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	ends := func(id int64) *task.Task {
		t.Helper()
		eventually(t, 5*time.Minute, fmt.Sprintf("task %d ended", id), func() bool { return get(id).Status.Final() })
		return get(id)
	}

	t.Run("A row with only provider and prompt completes", func(t *testing.T) {
		got := ends(insert("INSERT INTO image_generations (provider, prompt) VALUES ('sketch', '一只红狐狸 🦊') RETURNING id"))
		if got.Status != task.Completed || got.LocalPath == "" {
			t.Errorf("it is %s with local_path %q: %s", got.Status, got.LocalPath, got.ErrorMsg)
		}
	})

	t.Run("A row through the view completes with its parameters, which came in the same commit", func(t *testing.T) {
		tx, err := s.tasks.DB().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		var id int64
		row := tx.QueryRowContext(t.Context(), "INSERT INTO image_generation_task (provider, prompt, watermark) VALUES ('sketch', 'through the view', false) RETURNING id")
		if err := row.Scan(&id); err != nil {
			t.Fatal(err)
		}
		for _, p := range [][2]string{{"mode", "async"}, {"delay", "10ms"}} {
			s.exec(tx, "INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) VALUES ($1, $2, $3)", id, p[0], p[1])
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		got := ends(id)
		if got.Status != task.Completed || got.Size != "2K" || got.Width == nil || *got.Width != 2048 {
			t.Errorf("it is %s, size %q, width %v: %s", got.Status, got.Size, got.Width, got.ErrorMsg)
		}
	})

	for name, c := range map[string]struct{ columns, values, reason string }{
		"an unknown provider":          {"provider, prompt", "'nobody', 'x'", "nobody"},
		"an empty prompt":              {"provider, prompt", "'sketch', '  '", "prompt is empty"},
		"negative steps":               {"provider, prompt, steps", "'sketch', 'x', -5", "steps is -5"},
		"a size out of range":          {"provider, prompt, size", "'sketch', 'x', '9000x9000'", "9000x9000"},
		"broken JSON in references":    {"provider, prompt, reference_images", "'sketch', 'x', '[\"http'", "reference_images"},
		"a photo that does not exist":  {"provider, prompt, input_image_id", "'sketch', 'x', 4711", "4711"},
		"a provider with control data": {"provider, prompt", "E'sk\\netch', 'x'", "not configured"},
	} {
		t.Run("A row of nonsense ends failed with the reason: "+name, func(t *testing.T) {
			got := ends(insert("INSERT INTO image_generations (" + c.columns + ") VALUES (" + c.values + ") RETURNING id"))
			if got.Status != task.Failed || !strings.Contains(got.ErrorMsg, c.reason) || got.ErrorKind != task.Invalid {
				t.Errorf("it is %s, %s: %q; want failed, invalid, naming %q", got.Status, got.ErrorKind, got.ErrorMsg, c.reason)
			}
			if attempts, err := s.tasks.Attempts(t.Context(), got.ID); err != nil || len(attempts) != 0 {
				t.Errorf("%d attempts were made (%v)", len(attempts), err)
			}
		})
	}
}
