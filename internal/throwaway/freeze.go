//go:build unix

package throwaway

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Freeze stops the server with its children as they are: whoever is connected, or connects,
// hears nothing. Kill and Close work on a frozen one too.
func (s *Server) Freeze() error {
	if err := syscall.Kill(s.Pid(), syscall.SIGSTOP); err != nil { // first, so that it makes no more of them
		return fmt.Errorf("%s: %w", s.recipe.name, err)
	}
	return s.toChildren(syscall.SIGSTOP)
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error {
	return errors.Join(s.toChildren(syscall.SIGCONT), syscall.Kill(s.Pid(), syscall.SIGCONT))
}

func (s *Server) toChildren(sig syscall.Signal) error {
	all, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(all)) {
		pid, parent, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.TrimSpace(parent) != strconv.Itoa(s.Pid()) {
			continue
		}
		child, err := strconv.Atoi(pid)
		if err != nil {
			return err
		}
		if err := syscall.Kill(child, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}
