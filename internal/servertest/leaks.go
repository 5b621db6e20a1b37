//go:build unix

package servertest

import (
	"flag"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// NothingStays runs the tests of a package, and fails if one of them has left a
// goroutine behind. The one that minds the shared server lives as long as the
// process. A TestMain calls it last, with what is to be done after the tests; it
// does not return.
func NothingStays(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	if code == 0 {
		minds := goleak.IgnoreAnyFunction("github.com/easelqueue/easel/internal/throwaway.(*Server).run.func1")
		if err := goleak.Find(minds); err != nil {
			os.Stderr.WriteString("after the tests: " + err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// AtOnce has n tests of a package run at once if the command line says nothing else, for
// a package whose tests mostly wait. A TestMain calls it first.
func AtOnce(n int) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", strconv.Itoa(n))
	}
}

// UnderRace reports whether this process has the race detector in it, which makes
// code of ours five to ten times as slow, and that of SQLite too.
func UnderRace() bool {
	info, _ := debug.ReadBuildInfo() // nil in a program that was not built as a module
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
