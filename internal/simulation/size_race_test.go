//go:build race

package simulation

// Under the race detector a run costs ten times as much.
const (
	seedsByDefault  = 3
	strideByDefault = 45
	thinByDefault   = 7
)
