//go:build unix

// Package throwaway starts real servers (PostgreSQL, Redis, S3) in a folder of their
// own for tests and self-tests, and takes them away again. They listen on
// 127.0.0.1 only, on a free port. It knows nothing of what they are used for.
package throwaway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = time.Minute            // for a server to begin or begin again
	stopLimit  = 30 * time.Second       // for a server to end in good order
	retryPause = 100 * time.Millisecond // between tries to begin
	portTries  = 5                      // free ports to try
	againTries = 50                     // tries on the one port of a restart
)

// errEnded says that a server's process ended before it was ready.
var errEnded = errors.New("the server ended while starting")

// Options say what a server is to be like. The zero value is a fast server that
// survives its own death, but not that of the machine.
type Options struct {
	// Durable makes PostgreSQL flush its writes to the disk, and Redis keep an
	// append-only file. Without it Redis forgets everything when it ends.
	Durable bool

	// Settings are added to the server's configuration and override ours, such as
	// "max_connections" for PostgreSQL or "maxmemory" for Redis.
	Settings map[string]string

	// Clock gives PostgreSQL a clock of its own, for Server.SetClock. It needs libfaketime.
	Clock bool

	// Kept is a folder that keeps what PostgreSQL's initdb has made, for the next server
	// to begin with a copy of it. It is made if it is missing. Empty keeps nothing.
	Kept string

	// Objects is the folder in which an S3 server keeps its buckets, each a folder of
	// files; it must exist. Empty is one inside the server's own folder.
	Objects string
}

// Server is a running server. Its methods may be called from any goroutine, but
// Kill, Stop, Restart and Close only one after the other.
type Server struct {
	URL string // stays the same through Restart

	recipe recipe
	dir    string
	port   int
	guard  *guard

	mu    sync.Mutex
	cmd   *exec.Cmd     // nil before the first start
	ended chan struct{} // closed when cmd has ended
}

// recipe is what the kinds of servers differ in.
type recipe struct {
	name    string
	command func(dir string, port int) *exec.Cmd
	ready   func(dir string, port, pid int) bool // whether process pid itself answers
	url     func(port int) string
	orderly syscall.Signal // finishes and keeps its data
	quick   syscall.Signal // ends at once, with its children
}

// begin runs prepare in a new folder and starts the server there. ctx bounds
// only the start.
func begin(ctx context.Context, r recipe, prepare func(ctx context.Context, dir string) error) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "easel-"+r.name+"-")
	if err != nil {
		return nil, err
	}
	g, err := watch(dir, r.quick)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &Server{recipe: r, dir: dir, guard: g}
	if err := prepare(ctx, dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.start(ctx, true); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.URL = r.url(s.port)
	return s, nil
}

// start runs the server until it is ready. It tries again when the process ends
// at once: on another port if newPort is set, since the port may have been taken
// meanwhile; otherwise because children of a killed PostgreSQL need a moment to
// leave its memory.
func (s *Server) start(ctx context.Context, newPort bool) error {
	var err error
	tries := againTries
	if newPort {
		tries = portTries
	}
	for range tries {
		if newPort {
			if s.port, err = freePort(ctx); err != nil {
				return err
			}
		}
		if err = s.run(ctx); !errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w\n%s", s.recipe.name, err, s.logTail())
		case <-time.After(retryPause):
		}
	}
	return fmt.Errorf("%s: %w\n%s", s.recipe.name, err, s.logTail())
}

// run starts the process once and waits until it is ready or has ended.
func (s *Server) run(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.recipe.command(s.dir, s.port)
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // a Ctrl-C at the terminal is not for the server
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.ended = cmd, ended
	s.mu.Unlock()
	guardErr := s.guard.mind(cmd.Process.Pid)
	go func() {
		defer close(ended)
		_ = cmd.Wait()      // how it ended stands in its log
		_ = s.guard.mind(0) // fails only after Close
	}()
	if guardErr != nil {
		return errors.Join(guardErr, s.Kill())
	}
	return s.waitReady(ctx, cmd.Process.Pid, ended)
}

func (s *Server) waitReady(ctx context.Context, pid int, ended <-chan struct{}) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !s.recipe.ready(s.dir, s.port, pid) {
		select {
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s is not ready: %w\n%s", s.recipe.name, context.Cause(ctx), s.logTail()), s.Kill())
		case <-tick.C:
		}
	}
	return nil
}

// Pid is the server's process, or 0 while it does not run. It may be stopped
// and continued by signals; Kill and Close work on a stopped one too.
func (s *Server) Pid() int {
	cmd, ended := s.process()
	if cmd == nil {
		return 0
	}
	select {
	case <-ended:
		return 0
	default:
		return cmd.Process.Pid
	}
}

// Kill ends the server as a crash does (SIGKILL) and returns when its process is
// gone. Its data stay for Restart.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL, stopLimit) }

// Stop ends the server in good order. Its data stay for Restart.
func (s *Server) Stop() error { return s.end(s.recipe.orderly, stopLimit) }

// Restart ends the server in good order if it runs, and starts it on the same
// port with the same data. ctx bounds only the start.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return s.start(ctx, false)
}

// Close ends the server and removes its folder. It may be called more than once.
func (s *Server) Close() error {
	err := s.end(s.recipe.quick, 5*time.Second)
	if err != nil {
		err = s.Kill()
	}
	return errors.Join(err, s.guard.dismiss())
}

// end sends sig and waits for the process to be gone.
func (s *Server) end(sig syscall.Signal, limit time.Duration) error {
	cmd, ended := s.process()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", s.recipe.name, err)
	}
	select {
	case <-ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s has not ended within %s of signal %q", s.recipe.name, limit, sig)
	}
}

func (s *Server) process() (*exec.Cmd, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd, s.ended
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// logTail is the end of what the server said, for the error of a failed start.
func (s *Server) logTail() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// freePort is a port that was free a moment ago.
func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
