package queue

import (
	"os/exec"
	"strings"
	"testing"
)

// relied is the asynq whose inner workings this package knows: its keys and the
// states in them, its message, to which a repair appends fields of protocol buffers,
// its channel of cancels, the words that it keeps as last errors and logs, and when
// it asks for the next delivery.
const relied = "v0.26.0"

func TestAsynqIsTheOneWhoseInnerWorkingsAreKnown(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}{{with .Replace}}, replaced by {{.}}{{end}}", "github.com/hibiken/asynq").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != relied {
		t.Errorf("asynq is %s (%v), and what this package does to its keys and messages was read in %s. Compare internal/base, internal/rdb and internal/proto of both, mend what differs, then change the constant", got, err, relied)
	}
}
