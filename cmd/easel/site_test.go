package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/demo"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

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
		"EASEL_DATA=" + dir, "EASEL_CONFIG=" + file, "EASEL_LISTEN=" + servertest.FreeAddress(t), "EASEL_LOG=info,json", "EASEL_REDIS_URL=" + server.URL}, env...)}
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
type process struct{ *servertest.Process }

// start starts easel and leaves it running; it is killed when the test ends.
func (s *testSite) start(args ...string) process {
	s.t.Helper()
	if s.raced {
		return s.startProgram(raced.get(s.t), args...)
	}
	return s.startProgram(plain.get(s.t), args...)
}

// startProgram is start for another program than this one.
func (s *testSite) startProgram(program string, args ...string) process {
	s.t.Helper()
	c := exec.Command(program, args...)
	c.Env = s.env
	return process{servertest.Start(s.t, c)}
}

// serves waits until the pages of `easel up` answer.
func (p process) serves(t *testing.T) {
	t.Helper()
	listen := ""
	for _, line := range p.Env { // the last one holds
		if value, ok := strings.CutPrefix(line, "EASEL_LISTEN="); ok {
			listen = value
		}
	}
	servertest.Eventually(t, 5*time.Minute, "the pages answer", func() bool {
		conn, err := net.Dial("tcp", listen)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
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
