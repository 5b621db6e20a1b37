package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/selftest"
	"github.com/easelqueue/easel/internal/servertest"
)

func TestMain(m *testing.M) {
	servertest.NothingStays(m, func() { _ = os.RemoveAll(binary.folder) }) // of "" it removes nothing
}

// binary is easel-selftest as people run it, built once, with easel beside it.
var binary struct {
	once         sync.Once
	folder, path string
	err          error
}

func built(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.folder, binary.err = os.MkdirTemp("", "easel-selftest-program-"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.folder, "easel-selftest")
		if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary.folder+"/", ".", "../easel").CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// selftestOf runs easel-selftest as a process of its own.
func selftestOf(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints strings.Builder
	cmd := exec.CommandContext(t.Context(), built(t), args...)
	cache, err := os.UserCacheDir() // where the S3 server is
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + openTemp(t), "XDG_CACHE_HOME=" + cache}
	cmd.Stdout, cmd.Stderr = &out, &complaints
	_ = cmd.Run() // the exit code says it
	return cmd.ProcessState.ExitCode(), out.String(), complaints.String()
}

// openTemp is a folder for temporary files that Postgres's own user may enter.
func openTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "selftest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSelftest(t *testing.T) {
	t.Parallel()
	t.Run("A short attack on real servers breaks no promise, and says what it did", func(t *testing.T) {
		t.Parallel()
		args := []string{"--for", "12s", "--every", "1s", "--seed", "3", "--json"}
		for _, brief := range []string{"worker killed", "worker frozen", "worker drained", "provider storm", "network cut", "redis emptied", "postgres restarted", "table flooded", "rows locked", "clock jumped", "dashboard"} {
			args = append(args, "--faults", brief) // one that stops everybody would last for the whole run
		}
		code, out, complaints := selftestOf(t, args...)
		var r selftest.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("exit %d, and its answer is no report: %v\n%s\n%s", code, err, out, complaints)
		}
		if code != 0 || !r.OK || r.Seed != 3 || !slices.Equal(r.Servers, []string{"PostgreSQL", "Redis", "S3"}) {
			t.Errorf("exit %d, report %+v\n%s", code, r, complaints)
		}
		if c := r.Judged.Counts; len(r.Faults) == 0 || c.Acknowledged < 20 || c.Billed < 20 || c.Faults == 0 {
			t.Errorf("nothing much happened: %d kinds of faults, %+v", len(r.Faults), c)
		}
		for _, v := range r.Judged.Judgements {
			if v.ID == "I10" && v.State != "holds" {
				t.Errorf("secrets were not looked for: %+v", v)
			}
		}
	})

	t.Run("Without servers it runs on a file and an embedded Redis", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), built(t), "--for", "6s", "--every", "2s", "--seed", "5", "--faults", "provider storm", "--faults", "redis emptied")
		cmd.Env = []string{"PATH=" + t.TempDir(), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "SQLite, an embedded Redis and a folder") {
			t.Errorf("%v\n%s", err, out)
		}
	})

	t.Run("A ^C takes everything down and leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		temp := t.TempDir()
		cmd := exec.CommandContext(t.Context(), built(t), "--for", "5m", "--seed", "9")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + temp, "TMPDIR=" + temp}
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.After(5 * time.Minute)
		for tick := time.Tick(20 * time.Millisecond); ; {
			if logs, _ := filepath.Glob(filepath.Join(temp, "easel-selftest-*", "sinks", "worker-*.log")); len(logs) == 3 {
				break
			}
			select {
			case <-tick:
			case <-deadline:
				t.Fatal("its workers do not work within five minutes")
			}
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != cli.ExitInterrupted {
			t.Errorf("exit %d, want %d: %s", code, cli.ExitInterrupted, said.String())
		}
		if left, _ := filepath.Glob(filepath.Join(temp, "easel-*")); len(left) > 0 {
			t.Errorf("it left %v", left)
		}
	})

	t.Run("What it cannot do is refused with what it can", func(t *testing.T) {
		for name, c := range map[string]struct {
			args []string
			says string
		}{
			"too short":          {[]string{"--for", "1s"}, "5s to 24h"},
			"too long":           {[]string{"--for", "25h"}, "5s to 24h"},
			"too fast":           {[]string{"--every", "1ms"}, "100ms to 1m"},
			"no tasks":           {[]string{"--rate", "0"}, "1 to 200"},
			"an unknown fault":   {[]string{"--faults", "meteor"}, "meteor"},
			"a folder there is":  {[]string{"--keep", t.TempDir()}, "--keep"},
			"no duration":        {[]string{"--for", "soon"}, "soon"},
			"an argument to it":  {[]string{"please"}, "please"},
			"no such sub-action": {[]string{"--nonsense"}, "nonsense"},
		} {
			if code, _, said := selftestOf(t, c.args...); code != cli.ExitUsage || !strings.Contains(said, c.says) {
				t.Errorf("%s: exit %d, says %q", name, code, said)
			}
		}
	})

	t.Run("It lists its faults", func(t *testing.T) {
		code, out, _ := selftestOf(t, "--list")
		if code != 0 || !strings.Contains(out, "worker frozen") || strings.Count(out, "\n") < 20 {
			t.Errorf("exit %d:\n%s", code, out)
		}
	})
}
