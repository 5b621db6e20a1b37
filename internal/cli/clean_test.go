package cli

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
)

func TestClean(t *testing.T) {
	for claim, c := range map[string]struct{ in, want string }{
		"Text stays":                          {"一只 red fox, ünï\n\tnew line 👩‍🎨", "一只 red fox, ünï\n\tnew line 👩‍🎨"},
		"Colours go":                          {"\x1b[1;31mred\x1b[0m", "red"},
		"Cursor movements go":                 {"a\x1b[2J\x1b[H\x1b7b", "ab"},
		"A title of the window goes":          {"a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"},
		"A sequence without an end goes":      {"a\x1b]0;title", "a"},
		"A sequence of one byte goes":         {"a\u009b31mb", "ab"},
		"Bells and backspaces go":             {"a\x07\x08b\r\x00c", "abc"},
		"What turns the reading goes":         {"a\u202eb\u2066c\u200f", "abc"},
		"What is no UTF-8 is shown as that":   {"a\xffb", "a\uFFFDb"},
		"An escape alone does not eat a line": {"a\x1b\nb", "a\nb"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := Clean(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mb\x1b]0;x\x07")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if strings.ContainsAny(got, "\x1b\x07\x08\r\u009b\u202e") || Clean(got) != got {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

func TestOneLine(t *testing.T) {
	for claim, c := range map[string]struct{ in, want string }{
		"Lines are joined":                   {"a\n\n  b\tc", "a b c"},
		"What fits stays":                    {"0123456789", "0123456789"},
		"What does not fit is cut":           {"0123456789x", "012345678…"},
		"A wide character takes two columns": {"一只红狐狸在", "一只红狐…"},
	} {
		t.Run(claim, func(t *testing.T) {
			got := OneLine(c.in, 10)
			if got != c.want || text.StringWidth(got) > 10 {
				t.Errorf("got %q, %d columns", got, text.StringWidth(got))
			}
		})
	}
}
