//go:build unix

package servertest

import (
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a program that a test has started.
type Process struct {
	*exec.Cmd
	t    testing.TB
	log  Output
	done chan struct{}
}

// Start starts a program, which is killed when t ends. If t has failed by then, the
// end of what the program has said is logged. A data race in it fails t.
func Start(t testing.TB, c *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: c, t: t, done: make(chan struct{})}
	p.Stdout, p.Stderr = &p.log, &p.log
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.done) }() // the exit code is read from ProcessState
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
		if strings.Contains(p.Said(), "WARNING: DATA RACE") {
			t.Error("a data race")
		}
		if t.Failed() {
			said := p.Said()
			t.Logf("%s said:\n%s", p, said[max(0, len(said)-6000):])
		}
	})
	return p
}

// Said is what the program has said until now, to stdout and stderr.
func (p *Process) Said() string { return p.log.String() }

// Send sends the program a signal.
func (p *Process) Send(sig syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// Pid is the number of the process.
func (p *Process) Pid() int { return p.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ends waits for the program's end and returns its exit code, -1 if it was killed. It
// fails the test if that takes longer.
func (p *Process) Ends(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("%s did not end within %s", p, within)
		return 0
	}
}

// Eventually polls until ok, or fails the test.
func Eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
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

// FreeAddress is one of this machine where nobody listens yet.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
