package selftest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process of ours.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// spawn runs easel-selftest with the arguments. What it prints as a log becomes a sink.
func (r *run) spawn(name string, stdout io.Writer, env []string, args ...string) (*child, error) {
	return r.spawnProgram(r.Program, name, stdout, env, args...)
}

// spawnProgram is spawn of another program.
func (r *run) spawnProgram(program, name string, stdout io.Writer, env []string, args ...string) (*child, error) {
	log, err := r.sink(name + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.Folder, "TMPDIR=" + os.TempDir()}, env...)
	for _, inherited := range os.Environ() { // a test binary that is easel says so in its environment
		if strings.HasPrefix(inherited, "TEST_") {
			cmd.Env = append(cmd.Env, inherited)
		}
	}
	cmd.Stderr, cmd.Stdout = log, log
	if stdout != nil {
		cmd.Stdout = stdout
	}
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{cmd: cmd, ended: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(c.ended) }() // how it ended is in ProcessState
	return c, nil
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) } // one that has ended needs none

// kill ends the child at once, also if it is frozen.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.ended
}

// drain asks the child to end and kills it when it does not.
func (c *child) drain(within time.Duration) {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(within):
		c.kill()
	}
}

func (c *child) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// slot is the place of a worker or producer, which is filled again when its
// process is lost.
type slot struct {
	*run
	number int

	mu        sync.Mutex
	child     *child
	times     int
	listening string // where its pages are, if it serves them
}

func (s *slot) name() string {
	if s.number < workers {
		return fmt.Sprintf("worker-%d", s.number+1)
	}
	return fmt.Sprintf("producer-%d", s.number-workers+1)
}

// proxy is the name of the slot's way to something.
func (s *slot) proxy(to string) string { return s.name() + "-" + to }

// start fills the slot. The first worker also serves the pages, and the clock of
// the last is off.
func (s *slot) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	env, err := s.env(ctx)
	if err != nil {
		return err
	}
	s.times++
	args := []string{"worker"}
	switch {
	case s.number >= workers:
		name := fmt.Sprintf("p%d-%d", s.number-workers+1, s.times)
		args = []string{"producer", "--name", name, "--rate", fmt.Sprint(s.Rate), "--providers", strings.Join(providers, ","), "--told", filepath.Join(s.Folder, "told-"+name+".jsonl")}
	case s.number == 0:
		args = []string{"up"}
	case s.number == workers-1:
		args = []string{"worker", "--clock", clockOff.String()}
	}
	s.child, err = s.spawn(s.name(), nil, env, args...)
	return err
}

// clockOff is by how much the last worker's clock is wrong.
const clockOff = 70 * time.Second

func (s *slot) env(ctx context.Context) ([]string, error) {
	dir := filepath.Join(s.Folder, s.name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	database, err := s.net.through(s.proxy("database"), s.databaseURL)
	if err != nil {
		return nil, err
	}
	redis, err := s.net.through(s.proxy("redis"), s.redisURL)
	if err != nil {
		return nil, err
	}
	fakeprovider, err := s.net.through(s.proxy("fakeprovider"), s.fakeproviderURL)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "easel.yaml")
	if err := os.WriteFile(file, []byte(configuration(fakeprovider, every)), 0o600); err != nil {
		return nil, err
	}
	listen, err := s.address(ctx)
	if err != nil {
		return nil, err
	}
	public, err := s.public(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := s.storageEnv()
	return append(stored, "FAKEPROVIDER_KEY="+s.key, "FAKEPROVIDER_CALLBACK_SECRET="+s.hookSecret, "EASEL_DATA="+dir, "EASEL_CONFIG="+file, "EASEL_LOG=info,json",
		"EASEL_DATABASE_URL="+database, "EASEL_REDIS_URL="+redis, "EASEL_LISTEN="+listen, "EASEL_PUBLIC_URL="+public, "EASEL_DRAIN=20s",
		"EASEL_FETCH_ALLOW=127.0.0.0/8"), err // a picture's address may be that of another's way to the fake provider
}

// callbacks is the way from the fake provider to the pages, where callbacks arrive.
const callbacks = "fakeprovider-pages"

// public is where the fake provider finds the pages: those of the first worker.
func (s *slot) public(ctx context.Context) (string, error) {
	at, err := s.slots[0].address(ctx)
	if err != nil {
		return "", err
	}
	return s.net.through(callbacks, "http://"+at)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// address is where the slot's pages are: the same for all who come to be in it.
func (s *slot) address(ctx context.Context) (string, error) {
	if s.listening == "" {
		free, err := freeAddress(ctx)
		if err != nil {
			return "", err
		}
		s.listening = free
	}
	return s.listening, nil
}

// process returns who is in the slot, or nil.
func (s *slot) process() *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child
}

func (s *slot) kill() {
	if c := s.process(); c != nil {
		c.kill()
	}
}
