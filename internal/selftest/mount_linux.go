package selftest

import (
	"fmt"
	"os"
	"syscall"
)

// mount puts a file system of that many bytes on the folder, if this process may.
func mount(folder string, size int) bool {
	return os.Geteuid() == 0 && syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)) == nil
}

func unmount(folder string) error { return syscall.Unmount(folder, 0) }
