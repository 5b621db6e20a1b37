package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// What a program ends with.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitTask        = 3   // the task that was waited for failed or was cancelled
	ExitInterrupted = 130 // as a shell reports a ^C
)

// ErrPrinted ends a command with exit code 1 whose answer says what is wrong.
var ErrPrinted = errors.New("see the answer")

// usageError is of a request that can only be mended by asking otherwise.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// Usage returns an error that ends a program with ExitUsage.
func Usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// Code is the exit code of a command that ended with err. started says that its
// arguments were understood and it has begun.
func Code(ctx context.Context, started bool, err error) int {
	switch {
	case err == nil:
		return ExitOK
	case ctx.Err() != nil:
		return ExitInterrupted
	case !started || errors.As(err, new(*usageError)):
		return ExitUsage
	}
	return ExitFailure
}

// Problem is an error as programs read it.
type Problem struct {
	Message string   `json:"message"`
	Kind    string   `json:"kind,omitempty"`
	Code    string   `json:"code,omitempty"`
	Next    string   `json:"next,omitempty"`   // what can be done, a sentence
	Advice  string   `json:"advice,omitempty"` // its code
	About   string   `json:"about,omitempty"`  // and the argument of that
	Details []string `json:"details,omitempty"`
	Exit    int      `json:"exit"`
}

// MarshalJSON puts the problem under "error", so that it cannot be taken for an answer.
func (p Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	return json.Marshal(map[string]plain{"error": plain(p)})
}

// Finish tells of err, if there is one that has not been told of, in the sentence for
// people or as the problem for programs.
func (o *Output) Finish(ctx context.Context, err error, sentence string, p Problem) {
	switch {
	case err == nil || errors.Is(err, ErrPrinted):
	case o.JSON:
		o.errorJSON(p)
	case p.Exit == ExitInterrupted && err.Error() == ctx.Err().Error(): // nothing but a ^C, which its sender knows of
	default:
		o.Complain(sentence)
	}
}
