package cli

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"
)

// sequences matches terminal control sequences: CSI, OSC and its like up to
// their end, and the two-character escapes.
var sequences = regexp.MustCompile("(?s)(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f]).*?(?:\x07|\x1b\\\\|\u009c|$)" +
	"|\x1b[ -/]*[0-~]?")

// Clean takes out of a text what would move the cursor, colour the screen, ring
// or turn the reading direction. Line breaks and tabs stay.
func Clean(s string) string {
	s = sequences.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// OneLine is Clean on a single line of at most width columns; East Asian
// characters take two.
func OneLine(s string, width int) string {
	const longest = 4096 // enough for any terminal; a prompt may be far longer
	if len(s) > longest {
		s = s[:longest]
	}
	s = strings.Join(strings.Fields(Clean(s)), " ")
	return text.Snip(s, width, "…")
}
