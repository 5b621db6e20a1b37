//go:build unix

package throwaway

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guardScript reads process ids, one a line, of which the last one counts and 0
// is none. When its input ends, for whatever reason, it ends that process and
// removes the folder. The folder is removed twice because children of a killed
// PostgreSQL may still write there for a moment.
const guardScript = `
pid=0
while read -r line; do pid=$line; done
if [ "$pid" != 0 ]; then
	kill -s "$2" "$pid" 2>/dev/null
	n=0
	while [ "$n" -lt 50 ] && kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
		n=$((n + 1))
	done
	kill -s KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; }
`

// guard is a shell that outlives us by a moment. It holds the reading end of a
// pipe whose only writing end is ours, so that the kernel tells it when we end,
// even by SIGKILL. Linux's parent death signal is no help here: it fires when
// the thread that started the server ends, which in Go may be any time, and it
// leaves the folder behind.
type guard struct {
	mu    sync.Mutex
	input io.WriteCloser
	cmd   *exec.Cmd
	err   error
	once  sync.Once
}

// watch starts the guard of a folder and of the server in it. quick is the
// signal that ends the server with its children.
func watch(dir string, quick syscall.Signal) (*guard, error) {
	name := map[syscall.Signal]string{syscall.SIGQUIT: "QUIT", syscall.SIGTERM: "TERM"}[quick]
	cmd := exec.Command("/bin/sh", "-c", guardScript, "guard", dir, name)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what kills our process group must not kill the guard
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{input: input, cmd: cmd}, nil
}

// mind names the process to end; 0 is none.
func (g *guard) mind(pid int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := fmt.Fprintln(g.input, pid)
	return err
}

// dismiss ends the guard, and with it the folder and a process that still runs.
func (g *guard) dismiss() error {
	g.once.Do(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.input.Close()
		g.err = g.cmd.Wait()
	})
	return g.err
}
