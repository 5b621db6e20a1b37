package simulation

// A run of a seed costs about a second and a half of one processor, one of a placed
// fault a twentieth of a second. CI lives through more seeds, and `make prove` through
// every fault.
const (
	seedsByDefault  = 5
	strideByDefault = 10
	thinByDefault   = 6
)
