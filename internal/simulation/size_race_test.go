//go:build race

package simulation

// Under the race detector a run costs ten times as much, and make test runs all of
// this without it as well. The detector itself has crashed once after thousands of
// fake timers in one process.
const (
	seedsByDefault  = 1
	strideByDefault = 240
	thinByDefault   = 48
	coarse          = true
)
