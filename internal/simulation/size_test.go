//go:build !race

package simulation

// A run of a seed costs about a second and a half of one processor, one of a placed
// fault a twentieth of a second. `make prove` lives through every one.
const (
	seedsByDefault  = 60
	strideByDefault = 3
	thinByDefault   = 2
)
