//go:build race

package simulation

// Under the race detector a run costs ten times as much, and the same runs without
// it are part of make test as well.
const (
	seedsByDefault  = 2
	strideByDefault = 60
	thinByDefault   = 12
)
