package matrix

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
)

const key = "the-fakeprovider-key-of-the-matrix"

// site is what the processes of one case share.
type site struct {
	t            *testing.T
	dir          string
	env          []string
	fakeprovider *fakeprovider.Server
	tasks        *store.Store
	redis        redis.UniversalClient
	program      string
	blocked      bool // a frozen worker kept everybody from writing
}

// shared are the servers of all cases: each has a database and a Redis number of its own.
type shared struct {
	program string
	redis   *throwaway.Server
	numbers atomic.Int64
}

// redisURL returns an empty database of the shared Redis.
func (s *shared) redisURL() string {
	return fmt.Sprintf("%s/%d", strings.TrimSuffix(s.redis.URL, "/0"), s.numbers.Add(1))
}

const yaml = `providers:
  fakeprovider:
    adapter: %s
    model: %s
    concurrency: 4
    timeout: %s
    deadline: 2m
    on_unknown: hold
    accounts:
      - {name: main, key: "${FAKEPROVIDER_KEY}", base_url: %q}
`

// services are the real services that give their callers what each class says. None
// honours a key, so that class idempotent is the fake provider's own.
var services = map[string]struct{ adapter, model, path string }{
	"idempotent": {"fakeprovider", "brush", ""},
	"lookup":     {"comfyui", "brush.safetensors", ""},
	"async":      {"replicate", "acme/brush", "/v1"},
	"sync":       {"openai", "gpt-image-2", "/v1"},
}

func newSite(t *testing.T, s *shared, c single) *site {
	t.Helper()
	dir := t.TempDir()
	drawing, err := fakeprovider.Open(fakeprovider.Options{Ledger: filepath.Join(dir, "ledger.jsonl"), Takes: 300 * time.Millisecond, Latency: 100 * time.Millisecond, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	far := httptest.NewServer(drawing)
	t.Cleanup(func() {
		far.CloseClientConnections()
		far.Close()
		if err := drawing.Close(); err != nil {
			t.Error(err)
		}
	})
	database := tables.SQLite(t)
	if c.store == "postgres" {
		database = tables.Postgres(t)
	}
	file := filepath.Join(dir, "easel.yaml")
	timeout := "1m" // longer than a freeze, after which the answer is there to be read
	if c.class == "idempotent" || c.class == "lookup" {
		timeout = "4s" // so long, and a lease, a service is not believed that a call never came
	}
	as := services[c.class]
	if err := os.WriteFile(file, fmt.Appendf(nil, yaml, as.adapter, as.model, timeout, far.URL+"/"+c.class+"/fakeprovider"+as.path), 0o600); err != nil {
		t.Fatal(err)
	}
	at := &site{t: t, dir: dir, fakeprovider: drawing, program: s.program}
	where := s.redisURL()
	at.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "FAKEPROVIDER_KEY=" + key, "EASEL_DATA=" + dir, "EASEL_CONFIG=" + file,
		"EASEL_LOG=info,json", "EASEL_DATABASE_URL=" + database, "EASEL_REDIS_URL=" + where, "EASEL_DRAIN=30s"}
	at.connect(database, where)
	return at
}

// connect opens what the test looks at.
func (s *site) connect(database, where string) {
	s.t.Helper()
	var err error
	if s.tasks, err = store.Open(s.t.Context(), database); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.tasks.Close() })
	if s.redis, err = queue.Redis(where); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.redis.Close() })
}

// worker is a running easel worker.
type worker struct {
	*exec.Cmd
	t     *testing.T
	mu    sync.Mutex
	log   bytes.Buffer
	ended chan struct{}
}

func (w *worker) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func (w *worker) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// start starts a worker, which is ended when the test is.
func (s *site) start(env ...string) *worker {
	s.t.Helper()
	w := &worker{Cmd: exec.Command(s.program, "worker"), t: s.t, ended: make(chan struct{})}
	w.Env, w.Stdout, w.Stderr = append(s.env, env...), w, w
	if err := w.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = w.Wait(); close(w.ended) }() // how it ended is in ProcessState
	s.t.Cleanup(func() {
		_ = w.Process.Kill()
		<-w.ended
		if s.t.Failed() {
			said := w.said()
			s.t.Logf("worker %d said:\n%s", w.Process.Pid, said[max(0, len(said)-6000):])
		}
	})
	return w
}

// signal sends sig to the worker.
func (w *worker) signal(sig syscall.Signal) {
	w.t.Helper()
	if err := w.Process.Signal(sig); err != nil {
		w.t.Fatal(err)
	}
}

// ends has the worker drain and waits for its end.
func (w *worker) ends() {
	w.t.Helper()
	eventually(w.t, time.Minute, "the worker works", func() bool { return strings.Contains(w.said(), `"message":"working"`) })
	w.signal(syscall.SIGTERM)
	select {
	case <-w.ended:
	case <-time.After(45 * time.Second):
		w.t.Fatalf("worker %d does not end", w.Process.Pid)
	}
	if code := w.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("worker %d ended with %d", w.Process.Pid, code)
	}
}

// killed reports whether the worker died of SIGKILL.
func (w *worker) killed() bool {
	select {
	case <-w.ended:
		status, ok := w.ProcessState.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	default:
		return false
	}
}

// stopped reports whether the worker stands still.
func (w *worker) stopped() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.Process.Pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "T")
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
