// Package demo plays tasks through every door to every end, and says what became
// of each. It prints nothing.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/task"
)

// Limit bounds the demo; it takes some ten seconds.
const Limit = 2 * time.Minute

// Listen takes another port where the usual one is in use.
func Listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	usual := "http://" + cfg.Listen
	listener, err := app.Listen(ctx, *cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(cfg.Listen)
		cfg.Listen = net.JoinHostPort(host, "0")
		listener, err = app.Listen(ctx, *cfg)
	}
	if err != nil {
		return nil, err
	}
	if at := listener.Addr().String(); cfg.PublicURL == usual && usual != "http://"+at {
		cfg.Listen, cfg.PublicURL = at, "http://"+at
	}
	return listener, nil
}

// Performance is the answer of demo.
type Performance struct {
	AsExpected bool   `json:"as_expected"`
	Acts       []*Act `json:"tasks"`
	Pictures   string `json:"pictures"` // folder
	Page       string `json:"page"`
}

// Act is one task of the demo and what must become of it.
type Act struct {
	Shows    string      `json:"shows"`
	Door     string      `json:"door"`
	Want     task.Status `json:"want"`
	ID       int64       `json:"id,omitempty"` // 0 if the door refused it
	Status   task.Status `json:"status,omitempty"`
	Result   string      `json:"result"`
	Calls    int         `json:"calls"`
	Pictures int         `json:"pictures"`
	Wrong    string      `json:"wrong,omitempty"` // what is not as it should be

	task         task.Task
	enter        door
	wantCalls    int // 0 is any number, none is none
	wantPictures int
	// when the task has this status for the first time, then does something to it.
	when task.Status
	then func(context.Context, *app.App, int64) error
	done bool
}

// Command runs `easel enqueue` with the arguments and returns the task's id.
type Command func(ctx context.Context, args ...string) (int64, error)

// Perform brings all acts in and waits for their ends, two minutes at most. ended is told
// how many have.
func Perform(ctx context.Context, e *app.App, acts []*Act, command Command, ended func(int)) (*Performance, error) {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	if err := enterAll(ctx, command, e, acts); err != nil {
		return nil, err
	}
	for over := false; !over; {
		n, err := follow(ctx, e, acts)
		if err != nil {
			return nil, err
		}
		ended(n)
		if n == len(acts) {
			break
		}
		select {
		case <-ctx.Done():
			over = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	pictures, err := filepath.Abs(e.Config.Pictures)
	if err != nil {
		return nil, err
	}
	p := &Performance{AsExpected: true, Acts: acts, Pictures: pictures, Page: e.Config.PublicURL}
	for _, act := range acts {
		if err := conclude(context.WithoutCancel(ctx), e, act); err != nil {
			return nil, err
		}
		act.Wrong = act.judge()
		p.AsExpected = p.AsExpected && act.Wrong == ""
	}
	return p, nil
}

// enterAll brings tasks in, those of one door together.
func enterAll(ctx context.Context, command Command, e *app.App, acts []*Act) error {
	for len(acts) > 0 {
		door := acts[0].enter
		n := slices.IndexFunc(acts, func(next *Act) bool { return next.Door != acts[0].Door })
		if n < 0 {
			n = len(acts)
		}
		if err := door(ctx, command, e, acts[:n]); err != nil {
			return fmt.Errorf("%s: %w", acts[0].Door, err)
		}
		acts = acts[n:]
	}
	return nil
}

// follow notes where the tasks stand, does what is to be done to them, and
// counts those that have ended.
func follow(ctx context.Context, e *app.App, acts []*Act) (ended int, err error) {
	for _, act := range acts {
		if act.done {
			ended++
			continue
		}
		t, err := e.Tasks.Get(ctx, act.ID)
		if err != nil {
			return ended, err
		}
		act.Status = t.Status
		switch {
		case act.then != nil && t.Status == act.when:
			if err := act.then(ctx, e, act.ID); err != nil {
				return ended, err
			}
			act.then = nil
		case act.then == nil && t.Status.Final():
			act.done = true
			ended++
		}
	}
	return ended, nil
}

// conclude fills in what there is to say about an ended task.
func conclude(ctx context.Context, e *app.App, act *Act) error {
	if act.ID == 0 {
		return nil
	}
	attempts, err := e.Tasks.Attempts(ctx, act.ID)
	if err != nil {
		return err
	}
	t, err := e.Tasks.Get(ctx, act.ID)
	if err != nil {
		return err
	}
	results, err := e.Tasks.Results(ctx, act.ID)
	if err != nil {
		return err
	}
	act.Calls, act.Pictures = made(attempts), len(results)
	switch {
	case t.Status == task.Completed && len(results) == 1:
		act.Result = results[0].StorageKey
	case t.Status == task.Completed:
		act.Result = fmt.Sprintf("%d pictures from %s", len(results), results[0].StorageKey)
	default:
		act.Result = t.ErrorMsg
	}
	return nil
}
