package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

// former builds the program of the commit before this one.
func former(t *testing.T) string {
	t.Helper()
	folder, program := t.TempDir(), filepath.Join(t.TempDir(), "easel-before")
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "safe.directory=*"}, args...)...)
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	top, err := git("rev-parse", "--show-toplevel")
	if err == nil {
		_, err = git("rev-parse", "--verify", "HEAD~1^{commit}")
	}
	if err != nil {
		const why = "there is no commit before this one to compare with: this needs a clone with its history (git fetch --unshallow)"
		fmt.Fprintln(os.Stderr, "SKIPPED "+t.Name()+": "+why)
		t.Skip(why)
	}
	archive := filepath.Join(folder, "before.tar")
	if out, err := git("-C", top, "archive", "--output", archive, "HEAD~1"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, step := range [][]string{{"tar", "-xf", archive, "-C", folder}, {"go", "build", "-C", folder, "-ldflags=-s -w", "-o", program, "./cmd/easel"}} {
		if out, err := exec.CommandContext(t.Context(), step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
	return program
}

func TestRollingChange(t *testing.T) {
	t.Parallel()
	before := former(t)
	const yaml = "providers:\n  sketch:\n    concurrency: 50\n    on_unknown: hold\n"

	t.Run("The former worker works on the new tables without an error", func(t *testing.T) {
		t.Parallel()
		const n = 60
		s := newSite(t, yaml)
		p := s.startProgram(before, "worker")
		s.insert(n, "sketch", map[string]string{"dot": "true", "mode": "async", "delay": "500ms"})
		s.easel(0, "enqueue", "one by the new command", "--provider", "sketch")
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return s.count(task.Completed) == n+1 })
		for _, level := range []string{`"level":"error"`, `"level":"warn","error"`} {
			if strings.Contains(p.Said(), level) {
				t.Errorf("it complains:\n%s", p.Said())
			}
		}
	})

	t.Run("The new worker ends what the former began, by its handle and without a second call", func(t *testing.T) {
		t.Parallel()
		const n = 20
		s := newSite(t, yaml)
		p := s.startProgram(before, "worker")
		s.insert(n, "sketch", map[string]string{"dot": "true", "mode": "async", "delay": "15s"})
		servertest.Eventually(t, 5*time.Minute, "all accepted", func() bool {
			return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == n
		})
		p.Send(syscall.SIGTERM)
		p.Ends(30 * time.Second)
		s.start("worker")
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return s.count(task.Completed) == n })
		if attempts := s.number("SELECT count(*) FROM generation_attempt"); attempts != n {
			t.Errorf("%d attempts for %d tasks", attempts, n)
		}
	})

	t.Run("And the former what the new one began, while both work side by side", func(t *testing.T) {
		t.Parallel()
		const n = 40
		s := newSite(t, yaml)
		first := s.start("worker")
		s.insert(n, "sketch", map[string]string{"dot": "true", "mode": "async", "delay": "15s"})
		servertest.Eventually(t, 5*time.Minute, "all accepted", func() bool {
			return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == n
		})
		s.startProgram(before, "worker")
		first.Send(syscall.SIGKILL)
		s.start("worker")
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return s.count(task.Completed) == n })
		if attempts := s.number("SELECT count(*) FROM generation_attempt"); attempts != n {
			t.Errorf("%d attempts for %d tasks", attempts, n)
		}
	})
}
