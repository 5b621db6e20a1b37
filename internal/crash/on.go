//go:build crashpoints

package crash

import (
	"os"
	"strings"
	"syscall"
	"time"
)

// Armed says that this program may kill itself.
const Armed = true

// At kills or freezes this process if CRASH_AT names the point, as in
// "answer read=kill" or "answer read=stop", and the file CRASH_MARK is not there yet. It
// makes that file first, so that it happens once in all processes that share the file.
func At(point string) {
	wanted, how, _ := strings.Cut(os.Getenv("CRASH_AT"), "=")
	if wanted != point {
		return
	}
	mark, err := os.OpenFile(os.Getenv("CRASH_MARK"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	mark.Close()
	signal := syscall.SIGKILL
	if how == "stop" {
		signal = syscall.SIGSTOP
	}
	if err := syscall.Kill(os.Getpid(), signal); err != nil {
		panic(err)
	}
	<-time.After(settle) // the signal meets the process, not this goroutine
}

// settle is how long a signal may take to work.
const settle = 100 * time.Millisecond
