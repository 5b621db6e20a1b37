package matrix

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
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
	*servertest.Process
	t *testing.T
}

// start starts a worker, which is ended when the test is.
func (s *site) start(env ...string) worker {
	s.t.Helper()
	c := exec.Command(s.program, "worker")
	c.Env = slices.Concat(s.env, env)
	return worker{servertest.Start(s.t, c), s.t}
}

// drains has the worker drain and waits for its end.
func (w worker) drains() {
	w.t.Helper()
	servertest.Eventually(w.t, time.Minute, "the worker works", func() bool { return strings.Contains(w.Said(), `"message":"working"`) })
	w.Send(syscall.SIGTERM)
	if code := w.Ends(45 * time.Second); code != 0 {
		w.t.Errorf("worker %d ended with %d", w.Pid(), code)
	}
}

// killed reports whether the worker died of SIGKILL.
func (w worker) killed() bool {
	select {
	case <-w.Done():
		status, ok := w.ProcessState.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	default:
		return false
	}
}

// stopped reports whether the worker stands still.
func (w worker) stopped() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.Pid()))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "T")
}
