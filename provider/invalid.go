package provider

import (
	"fmt"

	"github.com/easelqueue/easel/task"
)

// Invalid is how an adapter refuses a request: nothing was sent. The message names the
// field, the value and what would be accepted.
func Invalid(format string, values ...any) error {
	return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf(format, values...)}
}
