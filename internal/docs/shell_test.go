package docs

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
)

// install is the line that makes the program, as the README gives it.
const install = "go install ./cmd/easel"

// patience bounds what one line may take, on a machine that is busy with other things.
const patience = 3 * time.Minute

var folder string // of the program, made by TestMain

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "easel-docs-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// built installs the program, once.
var built = sync.OnceValues(func() ([]byte, error) {
	c := exec.Command("sh", "-c", install)
	c.Dir, c.Env = root, append(os.Environ(), "GOBIN="+folder)
	return c.CombinedOutput()
})

// shell is somebody who types in what a page says.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	instead map[string]string // values of variables that a test has to choose by itself
	said    map[string]string // what the lines have printed to stdout, by their text without a comment
}

func newShell(t *testing.T, instead map[string]string) *shell {
	t.Helper()
	if out, err := built(); err != nil {
		t.Fatalf("%s: %v\n%s", install, err, out)
	}
	env := slices.DeleteFunc(os.Environ(), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return strings.HasPrefix(name, "EASEL_") || strings.HasSuffix(name, "_KEY") || strings.HasSuffix(name, "_TOKEN") || name == "PATH"
	})
	env = append(env, "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"), "EASEL_LISTEN="+servertest.FreeAddress(t))
	return &shell{t: t, dir: t.TempDir(), env: env, instead: instead, said: make(map[string]string)}
}

var (
	comment  = regexp.MustCompile(`\s+# .*$`)
	exitCode = regexp.MustCompile(`exit code (\d)`)
	enter    = regexp.MustCompile(`^mkdir (\S+) && cd (\S+)$`)
	export   = regexp.MustCompile(`^export ([A-Z_0-9]+)=(.*)$`)
)

// run runs a block line by line. What serves until it is stopped goes on until the test ends.
func (s *shell) run(b block) {
	s.t.Helper()
	for line := range strings.Lines(b.text) {
		line = strings.TrimSpace(line)
		bare := comment.ReplaceAllString(line, "")
		set, entered := export.FindStringSubmatch(bare), enter.FindStringSubmatch(bare)
		switch {
		case set != nil:
			s.set(set[1], set[2])
		case entered != nil:
			s.line("mkdir "+entered[1], bare)
			s.dir = s.path(entered[2])
		case bare == install: // is done, see built
		case bare == "easel up", bare == "easel worker", bare == "easel demo":
			s.start(bare)
		default:
			s.line(line, bare)
		}
	}
}

func (s *shell) set(name, value string) {
	s.t.Helper()
	if chosen, ok := s.instead[name]; ok {
		value = chosen
	}
	s.env = append(s.env, name+"="+strings.Trim(value, "'"))
}

func (s *shell) line(line, bare string) {
	s.t.Helper()
	want := 0
	if found := exitCode.FindStringSubmatch(strings.TrimPrefix(line, bare)); found != nil {
		want, _ = strconv.Atoi(found[1])
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c := s.command(ctx, line)
	var out, complaint bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaint
	err := c.Run()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != want {
		s.t.Fatalf("%s: %v; want exit code %d\n%s%s", line, err, want, &out, &complaint)
	}
	s.said[bare] = strings.TrimSpace(out.String())
}

// python runs a program with the interpreter of the system, which has psycopg2.
func (s *shell) python(b block) {
	s.t.Helper()
	if err := os.WriteFile(s.path("app.py"), []byte(b.text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.line("/usr/bin/python3 app.py", "python")
}

func (s *shell) command(ctx context.Context, line string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sh", "-c", line)
	c.Dir, c.Env = s.dir, s.env
	return c
}

// start starts what serves, and waits until it does. What it prints goes to a file of
// its name. It returns how to stop it, which the end of the test does too.
func (s *shell) start(line string) (stop func()) {
	s.t.Helper()
	c := s.command(context.WithoutCancel(s.t.Context()), "exec "+line+" > '"+line+"' 2>&1")
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	log := s.path(line)
	ended := make(chan struct{})
	var failed error
	go func() { failed = c.Wait(); close(ended) }()
	stop = sync.OnceFunc(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
			// A demo that is not over yet ends as interrupted.
			if failed != nil && !(line == "easel demo" && c.ProcessState.ExitCode() == 130) {
				s.t.Errorf("%s: %v\n%s", line, failed, content(log))
			}
		case <-time.After(patience):
			_ = c.Process.Kill()
			<-ended
			s.t.Errorf("%s does not end when it is told to\n%s", line, content(log))
		}
	})
	s.t.Cleanup(stop)
	if line == "easel worker" {
		return stop // it serves no pages that could be asked
	}
	servertest.Eventually(s.t, patience, "the pages of "+line+" answer", func() bool {
		select {
		case <-ended:
			s.t.FailNow() // stop says why
		default:
		}
		return s.command(s.t.Context(), "easel ping").Run() == nil
	})
	return stop
}

func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (s *shell) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}
