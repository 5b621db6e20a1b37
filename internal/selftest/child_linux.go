package selftest

import "syscall"

// childAttributes has a child die with us, however we end, and keeps a ^C of the
// terminal for us.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
