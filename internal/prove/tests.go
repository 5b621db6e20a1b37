package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
)

// runTests runs tests of a built package and counts those without subtests as
// cases. The error says that they did not come to their end; one that fails is none.
func (p *prover) runTests(ctx context.Context, r *result, binary, folder, tests string, args ...string) error {
	counted := &tally{ended: make(map[string]string), parents: make(map[string]bool)}
	counted.begun = func(name string, n int) { p.show.status("%s: %d begun, now %s", r.Part, r.Cases+n, name) }
	c := p.command(ctx, folder, binary, append([]string{"-test.v", "-test.timeout", "2h", "-test.run", "^(" + tests + ")$"}, args...)...)
	said := io.MultiWriter(r.log, counted)
	c.Stdout, c.Stderr = said, said
	err := c.Run()
	counted.into(r)
	var exit *exec.ExitError
	switch {
	case counted.crash != "":
		return errors.New(counted.crash)
	case errors.As(err, &exit) && len(r.Failed) > 0:
		return ctx.Err()
	}
	return err
}

// tally reads what go test -v prints.
type tally struct {
	begun   func(name string, n int)
	n       int
	names   []string          // in the order in which they ended
	ended   map[string]string // PASS, FAIL or SKIP by name
	parents map[string]bool   // tests that have subtests
	crash   string            // the first line of a panic
	rest    bytes.Buffer      // of the last line
}

var (
	started = regexp.MustCompile(`^=== (?:RUN|CONT) +(\S+)$`)
	ended   = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+)`)
	crash   = regexp.MustCompile(`^(?:panic|fatal error): .*`)
)

func (t *tally) Write(b []byte) (int, error) {
	t.rest.Write(b)
	for {
		line, err := t.rest.ReadString('\n')
		if err != nil {
			t.rest.Reset()
			t.rest.WriteString(line)
			return len(b), nil
		}
		t.line(strings.TrimSuffix(line, "\n"))
	}
}

func (t *tally) line(l string) {
	if m := started.FindStringSubmatch(l); m != nil {
		t.parent(m[1])
		if strings.HasPrefix(l, "=== CONT") {
			t.n++
			t.begun(m[1], t.n)
		}
	}
	if m := ended.FindStringSubmatch(l); m != nil {
		if t.ended[m[2]] == "" {
			t.names = append(t.names, m[2])
		}
		t.ended[m[2]] = m[1]
		t.parent(m[2])
	}
	if t.crash == "" {
		t.crash = crash.FindString(l)
	}
}

func (t *tally) parent(name string) {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		t.parents[name[:i]] = true
	}
}

// into adds the cases to r. A skipped one has shown nothing, so it failed.
func (t *tally) into(r *result) {
	for _, name := range t.names {
		switch how := t.ended[name]; {
		case t.parents[name]:
		case how == "PASS":
			r.passed()
		case how == "SKIP":
			r.failed(name + " (skipped)")
		default:
			r.failed(name)
		}
	}
}
