package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/cli"
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
func (s *testSite) played(want int) performance {
	s.t.Helper()
	out := s.easel(want, "demo", "--exit", "--json")
	var p performance
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
		if p := s.played(cli.ExitOK); !p.AsExpected || len(p.Acts) != len(playbill()) {
			t.Errorf("as expected: %t, with %d tasks", p.AsExpected, len(p.Acts))
		}
	})
	t.Run("On Postgres and Redis every task goes as it should", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "providers:\n  sketch: {}\n")
		if p := s.played(cli.ExitOK); !p.AsExpected {
			t.Error("not as expected")
		}
		if done, want := s.count(task.Completed), completing(playbill()); done != want {
			t.Errorf("%d rows are completed, want %d", done, want)
		}
	})
	t.Run("A task that goes otherwise is named, and the exit code is 1", func(t *testing.T) {
		t.Parallel()
		s := newEmbeddedSite(t, "providers:\n  sketch: {on_unknown: hold}\n")
		p := s.played(cli.ExitFailure)
		wrong := slices.DeleteFunc(p.Acts, func(a *act) bool { return a.Wrong == "" })
		if p.AsExpected || len(wrong) != 1 || wrong[0].Wrong != "failed, not completed; 1 call, not 2; 0 pictures, not 1" {
			t.Errorf("as expected: %t, wrong: %+v", p.AsExpected, wrong)
		}
	})
}

func completing(acts []*act) (n int) {
	for _, a := range acts {
		if a.Want == task.Completed {
			n++
		}
	}
	return n
}

func TestJudge(t *testing.T) {
	for claim, c := range map[string]struct {
		act  act
		want string
	}{
		"All as it should be":             {act{Status: task.Completed, Want: task.Completed, Calls: 2, wantCalls: 2, Pictures: 3, wantPictures: 3}, ""},
		"Another status is wrong":         {act{Status: task.Failed, Want: task.Completed}, "failed, not completed"},
		"One call too many is wrong":      {act{Calls: 2, wantCalls: 1}, "2 calls, not 1"},
		"One call too few is wrong":       {act{Calls: 1, wantCalls: 2}, "1 call, not 2"},
		"Any number of calls can be fine": {act{Calls: 7}, ""},
		"No call at all can be wanted":    {act{Calls: 1, wantCalls: none}, "1 call, not 0"},
		"A missing picture is wrong":      {act{Pictures: 1, wantPictures: 2}, "1 picture, not 2"},
		"A picture that nobody expects":   {act{Pictures: 1}, "1 picture, not 0"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := c.act.judge(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMade(t *testing.T) {
	attempts := []task.Attempt{
		{State: task.AttemptSucceeded},
		{State: task.AttemptUnknown, ErrorKind: task.OutcomeUnknown},
		{State: task.AttemptRejected, ErrorKind: task.Unavailable},
		{State: task.AttemptRejected, ErrorMsg: "the call was not made"},
	}
	t.Run("A call that was journalled and never made does not count", func(t *testing.T) {
		if got := made(attempts); got != 3 {
			t.Errorf("got %d, want 3", got)
		}
	})
}
