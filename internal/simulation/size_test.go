//go:build !race

package simulation

// A run of a seed costs about two seconds of one processor, one of a placed
// fault a tenth of a second.
const (
	seedsByDefault  = 60
	strideByDefault = 7
	thinByDefault   = 1
)
