package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// What the process ends with.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitTask        = 3   // the task that was waited for failed or was cancelled
	exitInterrupted = 130 // as a shell reports a ^C
)

// endedBadly is the end of a task that a command waited for. What there is to
// say about it has been printed.
type endedBadly struct{ Task *task.Task }

func (e *endedBadly) Error() string { return fmt.Sprintf("task %d ended %s", e.Task.ID, e.Task.Status) }

// errUsage marks a request that can only be mended by asking otherwise.
var errUsage = errors.New("wrong request")

type usageError struct{ message string }

func (e *usageError) Error() string  { return e.message }
func (e *usageError) Unwrap() error  { return errUsage }
func usage(f string, a ...any) error { return &usageError{fmt.Sprintf(f, a...)} }

// finish prints err, if there is one, and returns the exit code.
func (a *app) finish(ctx context.Context, err error) int {
	code := a.code(ctx, err)
	var ended *endedBadly
	switch {
	case err == nil || errors.As(err, &ended) || errors.Is(err, errPrinted):
	case a.out.json:
		a.out.errorJSON(errorObject(err, code))
	case code == exitInterrupted && err.Error() == ctx.Err().Error(): // nothing but a ^C, which its sender knows of
	default:
		a.out.complain(sentence(err))
	}
	return code
}

// errPrinted ends a command with exit code 1 whose answer says what is wrong.
var errPrinted = errors.New("see the answer")

func (a *app) code(ctx context.Context, err error) int {
	var ended *endedBadly
	var failure *task.Failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ended):
		return exitTask
	case ctx.Err() != nil:
		return exitInterrupted
	case !a.started || errors.Is(err, errUsage) || errors.Is(err, errConfig):
		return exitUsage
	case errors.As(err, &failure) && slices.Contains([]task.Kind{task.Invalid, task.Unsupported, task.Auth}, failure.Kind):
		return exitUsage
	}
	return exitFailure
}

// sentence is what a person reads.
func sentence(err error) string {
	var wrong *configError
	if errors.As(err, &wrong) && len(wrong.mistakes) > 1 {
		var b strings.Builder
		fmt.Fprintf(&b, "the configuration has %d mistakes:", len(wrong.mistakes))
		for _, m := range wrong.mistakes {
			b.WriteString("\n  " + m.Error())
		}
		return b.String()
	}
	var locked *store.Locked
	if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &locked) {
		return err.Error() + " (it took too long)"
	}
	return err.Error()
}

// mistakesOf returns the mistakes of a configuration one by one.
func mistakesOf(err error) []error {
	var wrong *configError
	if errors.As(err, &wrong) {
		return wrong.mistakes
	}
	return []error{err}
}

// problem is an error as programs read it.
type problem struct {
	Message string    `json:"message"`
	Kind    task.Kind `json:"kind,omitempty"`
	Code    string    `json:"code,omitempty"`
	Next    string    `json:"next,omitempty"`
	Details []string  `json:"details,omitempty"`
	Exit    int       `json:"exit"`
}

func errorObject(err error, code int) json.Marshaler {
	p := problem{Message: err.Error(), Exit: code}
	var f *task.Failure
	if errors.As(err, &f) {
		p.Kind, p.Code, p.Next = f.Kind, f.Code, f.Next
	}
	if errors.Is(err, store.ErrNotFound) {
		p.Kind = "not_found"
	}
	var wrong *configError
	if errors.As(err, &wrong) {
		p.Message = errConfig.Error()
		for _, m := range wrong.mistakes {
			p.Details = append(p.Details, m.Error())
		}
	}
	return p
}

// MarshalJSON puts the problem under "error", so that it cannot be taken for an answer.
func (p problem) MarshalJSON() ([]byte, error) {
	type plain problem
	return json.Marshal(map[string]plain{"error": plain(p)})
}
