package provider

import (
	"errors"
	"fmt"

	"github.com/easelqueue/easel/task"
)

// errNewer marks what only a worker of a later release can read.
var errNewer = errors.New("written by a later release")

// Newer is the failure of an adapter that is given a handle of a version it does
// not know. The job is not lost: it waits for a worker that does.
func Newer(what string, version, known int) *task.Failure {
	return &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Cause: errNewer,
		Message: fmt.Sprintf("the %s has version %d; this worker knows up to %d", what, version, known),
		Advice:  task.WaitForRelease}
}

// IsNewer reports whether err says that a later release has to go on.
func IsNewer(err error) bool { return errors.Is(err, errNewer) }
