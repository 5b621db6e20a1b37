//go:build linux

package store

import (
	"net"
	"syscall"
	"testing"
	"time"
)

func TestAConnectionIsGivenUpThatNobodyTakesPacketsOf(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dialer{}.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	limit := 0
	if err := raw.Control(func(fd uintptr) { limit, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout) }); err != nil {
		t.Fatal(err)
	}
	if err != nil || time.Duration(limit)*time.Millisecond != unackedLimit {
		t.Errorf("packets may go unanswered for %d ms, %v", limit, err)
	}
}
