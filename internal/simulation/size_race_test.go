//go:build race

package simulation

// Under the race detector a run costs ten times as much, and the same runs without
// it are part of make test as well.
const (
	seedsByDefault  = 1
	strideByDefault = 120
	thinByDefault   = 24
)
