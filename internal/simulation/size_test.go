//go:build !race

package simulation

// A run of a seed costs about a second and a half of one processor, one of a placed
// fault a twentieth of a second.
const (
	seedsByDefault  = 60
	strideByDefault = 1
	thinByDefault   = 1
)
