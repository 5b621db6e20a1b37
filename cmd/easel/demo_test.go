package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/demo"
	"github.com/easelqueue/easel/task"
)

// newEmbeddedSite prepares a folder in which easel runs without servers. yaml
// configures its providers; with none there is no file.
func newEmbeddedSite(t *testing.T, yaml string) *testSite {
	t.Helper()
	dir := t.TempDir()
	s := &testSite{t: t, dir: dir, env: []string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir,
		"EASEL_DATA=" + filepath.Join(dir, "data"), "EASEL_LISTEN=127.0.0.1:0"}}
	if yaml != "" {
		file := filepath.Join(dir, "easel.yaml")
		writeFile(t, file, yaml)
		s.env = append(s.env, "EASEL_CONFIG="+file)
	}
	return s
}

// played runs the demo to its end and returns its answer.
func (s *testSite) played(want int) demo.Performance {
	s.t.Helper()
	out := s.easel(want, "demo", "--exit", "--json")
	var p demo.Performance
	if err := json.NewDecoder(strings.NewReader(out[strings.Index(out, "{\n"):])).Decode(&p); err != nil {
		s.t.Fatalf("%v in:\n%s", err, out)
	}
	return p
}

func TestDemo(t *testing.T) {
	t.Parallel()
	t.Run("Without any configuration every task goes as it should", func(t *testing.T) {
		t.Parallel()
		s := newEmbeddedSite(t, "")
		if p := s.played(cli.ExitOK); !p.AsExpected || len(p.Acts) != len(demo.Playbill()) {
			t.Errorf("as expected: %t, with %d tasks", p.AsExpected, len(p.Acts))
		}
	})
	t.Run("On Postgres and Redis every task goes as it should", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "providers:\n  sketch: {}\n")
		if p := s.played(cli.ExitOK); !p.AsExpected {
			t.Error("not as expected")
		}
		if done, want := s.count(task.Completed), completing(demo.Playbill()); done != want {
			t.Errorf("%d rows are completed, want %d", done, want)
		}
	})
	t.Run("A task that goes otherwise is named, and the exit code is 1", func(t *testing.T) {
		t.Parallel()
		s := newEmbeddedSite(t, "providers:\n  sketch: {on_unknown: hold}\n")
		p := s.played(cli.ExitFailure)
		wrong := slices.DeleteFunc(p.Acts, func(a *demo.Act) bool { return a.Wrong == "" })
		if p.AsExpected || len(wrong) != 1 || wrong[0].Wrong != "failed, not completed; 1 call, not 2; 0 pictures, not 1" {
			t.Errorf("as expected: %t, wrong: %+v", p.AsExpected, wrong)
		}
	})
}

func completing(acts []*demo.Act) (n int) {
	for _, a := range acts {
		if a.Want == task.Completed {
			n++
		}
	}
	return n
}
