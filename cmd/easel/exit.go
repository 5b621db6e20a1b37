package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// endedBadly is the end of a task that a command waited for. What there is to
// say about it has been printed.
type endedBadly struct{ Task *task.Task }

func (e *endedBadly) Error() string { return fmt.Sprintf("task %d ended %s", e.Task.ID, e.Task.Status) }

// finish tells of err, if there is one, and returns the exit code. started is as of cli.Code.
func (a *program) finish(ctx context.Context, started bool, err error) int {
	code := code(ctx, started, err)
	var ended *endedBadly
	if err != nil && !errors.As(err, &ended) {
		a.out.Finish(ctx, err, sentence(err), problem(err, code))
	}
	return code
}

func code(ctx context.Context, started bool, err error) int {
	var ended *endedBadly
	var failure *task.Failure
	code := cli.Code(ctx, started, err)
	switch {
	case errors.As(err, &ended):
		return cli.ExitTask
	case code != cli.ExitFailure:
		return code
	case errors.Is(err, config.ErrWrong):
		return cli.ExitUsage
	case errors.As(err, &failure) && slices.Contains([]task.Kind{task.Invalid, task.Unsupported, task.Auth}, failure.Kind):
		return cli.ExitUsage
	}
	return code
}

// sentence is what a person reads.
func sentence(err error) string {
	var wrong config.Mistakes
	if errors.As(err, &wrong) && len(wrong) > 1 {
		var b strings.Builder
		fmt.Fprintf(&b, "the configuration has %d mistakes:", len(wrong))
		for _, m := range wrong {
			b.WriteString("\n  " + m.Error())
		}
		return b.String()
	}
	var locked *store.Locked
	if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &locked) {
		return err.Error() + " (it took too long)"
	}
	return err.Error() + inShell(err)
}

// problem is err as programs read it.
func problem(err error, code int) cli.Problem {
	p := cli.Problem{Message: err.Error(), Exit: code}
	var f *task.Failure
	if errors.As(err, &f) {
		p.Kind, p.Code, p.Next, p.Advice, p.About = string(f.Kind), f.Code, f.Advice.Sentence(f.About), string(f.Advice), f.About
	}
	if errors.Is(err, store.ErrNotFound) {
		p.Kind = "not_found"
	}
	var wrong config.Mistakes
	if errors.As(err, &wrong) {
		p.Message = config.ErrWrong.Error()
		for _, m := range wrong {
			p.Details = append(p.Details, m.Error())
		}
	}
	return p
}
