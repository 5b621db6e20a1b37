package provider

import (
	"fmt"
	"strconv"
	"strings"
)

// maxSide is longer than any service draws; it keeps Pixels from overflowing.
const maxSide = 65_535

// Size is a picture's size in pixels.
type Size struct{ W, H int }

// ParseSize reads "1024x1536", also with X, × or * between the numbers.
func ParseSize(s string) (Size, bool) {
	i := strings.IndexAny(s, "xX×*")
	if i < 0 {
		return Size{}, false
	}
	rest, _ := strings.CutPrefix(s[i:], "×")
	if rest == s[i:] {
		rest = s[i+1:]
	}
	w, okW := side(s[:i])
	h, okH := side(rest)
	return Size{w, h}, okW && okH
}

func side(s string) (int, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false // Atoi would take a sign
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= maxSide
}

// Pixels returns width times height.
func (s Size) Pixels() int { return s.W * s.H }

// Within reports whether the longer side is at most ratio times the shorter one.
func (s Size) Within(ratio int) bool { return max(s.W, s.H) <= ratio*min(s.W, s.H) }

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.W, s.H) }
