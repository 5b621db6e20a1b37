//go:build unix

package servertest

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// NothingStays runs the tests of a package, and fails if one of them has left a
// goroutine behind. The one that minds the shared server lives as long as the
// process. A TestMain calls it last; it does not return.
func NothingStays(m *testing.M) {
	code := m.Run()
	if code == 0 {
		minds := goleak.IgnoreAnyFunction("github.com/easelqueue/easel/internal/throwaway.(*Server).run.func1")
		if err := goleak.Find(minds); err != nil {
			os.Stderr.WriteString("after the tests: " + err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}
