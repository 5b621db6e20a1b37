//go:build unix

package httpserver

import "syscall"

// connections is how many connections a server of this process lets in by default: of
// the files that the process may open a quarter, for the rest of it needs the others,
// and 1,000 at most. The runtime has raised the soft limit to the hard one.
func connections() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return minConnections
	}
	return int(min(max(limit.Cur/4, minConnections), maxConnections))
}

const (
	minConnections = 16
	maxConnections = 1000
)
