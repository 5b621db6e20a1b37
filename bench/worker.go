//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A worker is a process of its own, so that what it takes can be told apart.

// workCommand is how this program is started as a worker.
const workCommand = "work"

// orders are what a worker process is told at its start, in its one argument.
type orders struct {
	Name    string
	Site    site
	Slots   int
	Idle    bool
	Tells   bool   // it says what becomes of each task
	Profile string // the beginning of the names of its profiles; empty makes none
}

// work is a worker process.
func work(ctx context.Context, args []string) error {
	var o orders
	if len(args) != 2 {
		return errors.New("work is for this program alone")
	}
	if err := json.Unmarshal([]byte(args[1]), &o); err != nil {
		return err
	}
	stopProfile, err := o.profile()
	if err != nil {
		return err
	}
	err = contenders[o.Name].Work(ctx, o.Site, working{Slots: o.Slots, Idle: o.Idle, Told: o.teller()})
	return errors.Join(err, stopProfile())
}

func (o orders) teller() func(string, time.Time) {
	if !o.Tells {
		return func(string, time.Time) {}
	}
	var mu sync.Mutex
	return func(event string, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(event, at.UnixNano())
	}
}

// profile begins profiles, and returns what writes them.
func (o orders) profile() (func() error, error) {
	if o.Profile == "" {
		return func() error { return nil }, nil
	}
	runtime.SetBlockProfileRate(10_000) // a sample for each 10 µs of waiting
	cpu, err := os.Create(o.Profile + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		block, err := os.Create(o.Profile + ".block")
		if err != nil {
			return err
		}
		return errors.Join(cpu.Close(), pprof.Lookup("block").WriteTo(block, 0), block.Close())
	}, nil
}

// worker is a worker process as its parent sees it.
type worker struct {
	cmd   *exec.Cmd
	told  chan event
	ended chan error
	fault strings.Builder
}

type event struct {
	what string
	at   time.Time
}

// stopLimit is how long a worker may take to end.
const stopLimit = 30 * time.Second

func hire(o orders) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.Command(self, workCommand, string(text)), told: make(chan event, 1000), ended: make(chan error, 1)}
	w.cmd.Stderr = &w.fault
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the terminal is its parent's to pass on
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		w.read(out)
		w.ended <- w.cmd.Wait()
	}()
	return w, nil
}

func (w *worker) read(out io.Reader) {
	defer close(w.told)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		what, at, _ := strings.Cut(lines.Text(), " ")
		if ns, err := strconv.ParseInt(at, 10, 64); err == nil {
			w.told <- event{what, time.Unix(0, ns)}
		}
	}
}

// wait returns when the worker tells the event; all others are passed over.
func (w *worker) wait(ctx context.Context, what string) (time.Time, error) {
	for {
		select {
		case e, open := <-w.told:
			if !open {
				return time.Time{}, fmt.Errorf("the worker has ended: %s", w.fault.String())
			}
			if e.what == what {
				return e.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("the worker has not %s a task: %w", what, context.Cause(ctx))
		}
	}
}

func (w *worker) pid() int { return w.cmd.Process.Pid }

// dismiss ends the worker.
func (w *worker) dismiss() error {
	go func() {
		for range w.told { // it may still tell
		}
	}()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-w.ended:
		if err != nil {
			return fmt.Errorf("%w: %s", err, w.fault.String())
		}
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("a worker has not ended within %s", stopLimit), w.cmd.Process.Kill())
	}
}

// profileName is the beginning of the names of a contender's profiles.
func profileName(folder, name string) string {
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, name)
}
