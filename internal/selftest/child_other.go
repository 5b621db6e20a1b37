//go:build !linux

package selftest

import "syscall"

// childAttributes keeps a ^C of the terminal for us.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
