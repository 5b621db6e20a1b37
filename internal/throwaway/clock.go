//go:build unix

package throwaway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// fakeClock is the library that gives a server a clock of its own.
func fakeClock() (string, error) {
	for _, pattern := range []string{"/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1", "/usr/lib64/faketime/libfaketime.so.1"} {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			return found[0], err
		}
	}
	return "", errors.New("libfaketime was not found: install it with `apt-get install -y faketime`")
}

// clockFile says how far the clock is off. Every process of the server reads it
// anew whenever it asks for the time.
func clockFile(dir string) string { return filepath.Join(dir, "clock") }

// clockEnv leaves monotonic time alone: a clock that is set does not change how long things take.
func clockEnv(lib, dir string) []string {
	return []string{"LD_PRELOAD=" + lib, "FAKETIME_TIMESTAMP_FILE=" + clockFile(dir), "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"}
}

// SetClock puts the clock of a PostgreSQL that was started with Options.Clock
// ahead of the machine's, or behind it, at once and until it is called again.
func (s *Server) SetClock(off time.Duration) error {
	next := clockFile(s.dir) + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%+.3f\n", off.Seconds()), 0o644); err != nil {
		return err
	}
	return os.Rename(next, clockFile(s.dir)) // never half of it
}
