// Package human puts amounts, times, sizes and counts into words, for pages and terminals
// alike, in the languages that easel speaks. It decides nothing and reads no clock.
package human

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Language is one that people are spoken to in, named as HTML and HTTP name it.
type Language string

const (
	English Language = "en"
	Chinese Language = "zh"
)

// Of returns the text in the language; every other than Chinese is English.
func (l Language) Of(english, chinese string) string {
	if l == Chinese {
		return chinese
	}
	return english
}

// Count is so many of the English noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Shorten cuts text to at most n characters, of which the last shows that it did. n is
// at least 1.
func Shorten(text string, n int) string {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	seen := 0
	for i := range text {
		if seen++; seen == n {
			return text[:i] + "…"
		}
	}
	return text
}

// Quoted is text between quotation marks, shortened to what a sentence bears.
func Quoted(text string) string { return fmt.Sprintf("%q", Shorten(text, 80)) }

// Money writes millionths as a decimal, with two decimals or as many as it has.
func Money(micros int64, currency string) string {
	sign, n := "", uint64(micros)
	if micros < 0 {
		sign, n = "-", -n
	}
	decimals := strings.TrimRight(fmt.Sprintf("%06d", n%1_000_000), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d.%s %s", sign, n/1_000_000, decimals, currency))
}
