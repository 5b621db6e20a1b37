package provider

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A secret comes back in the spelling of whatever repeats it: JSON writes \u0026
// and \/, a page &amp; and &#38;, an address %26, a log all of them one within the
// other. What is here reads one character in each of them.

// layers is how many spellings may lie within each other, such as JSON in JSON or a
// page in JSON: each is taken off once, and the innermost read as it stands.
const layers = 2

// ends adds to all where the character r ends that begins at text[i:], once for
// each spelling of it that stands there. None is added if another one does.
func ends(all []int, text string, i int, r rune) []int {
	if i >= len(text) {
		return all
	}
	if c, n := utf8.DecodeRuneInString(text[i:]); c == r {
		all = append(all, i+n)
	}
	switch text[i] {
	case '\\':
		if c, n := backslash(text[i:]); n > 0 && c == r {
			all = append(all, i+n)
		}
	case '%':
		if n := percent(text[i:], r); n > 0 {
			all = append(all, i+n)
		}
	case '&':
		if c, n := entity(text[i:]); n > 0 && c == r {
			all = append(all, i+n)
		}
	case '+':
		if r == ' ' {
			all = append(all, i+1)
		}
	}
	return all
}

// backslash reads an escape of JSON, or of languages like it, and returns its
// length; 0 if there is none.
func backslash(text string) (rune, int) {
	if len(text) < 2 {
		return 0, 0
	}
	switch c := text[1]; c {
	case 'u':
		return utf16Escape(text)
	case 'x':
		if n, ok := hexDigits(text, 2, 2); ok {
			return rune(n), 4
		}
		return 0, 0
	case '\\', '"', '\'', '/':
		return rune(c), 2
	case 'n', 'r', 't', 'b', 'f':
		return rune(map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}[c]), 2
	}
	return 0, 0
}

// utf16Escape reads \uXXXX, or two that belong together.
func utf16Escape(text string) (rune, int) {
	first, ok := hexDigits(text, 2, 4)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(rune(first)) && strings.HasPrefix(text[6:], `\u`) {
		if second, ok := hexDigits(text, 8, 4); ok {
			return utf16.DecodeRune(rune(first), rune(second)), 12
		}
	}
	return rune(first), 6
}

// percent returns how long r is as an address escapes it, 0 if it does not stand there.
func percent(text string, r rune) int {
	var encoded [utf8.UTFMax]byte
	n := utf8.EncodeRune(encoded[:], r)
	for i, b := range encoded[:n] {
		if 3*i >= len(text) || text[3*i] != '%' {
			return 0
		}
		if v, ok := hexDigits(text, 3*i+1, 2); !ok || byte(v) != b {
			return 0
		}
	}
	return 3 * n
}

// maxEntity is longer than the longest name of a single ASCII character.
const maxEntity = 16

// entity reads a character of HTML, also without the semicolon where browsers do.
func entity(text string) (rune, int) {
	window := text[:min(len(text), maxEntity)]
	end := 1
	for end < len(window) && (window[end] == '#' || window[end] < utf8.RuneSelf && (unicode.IsLetter(rune(window[end])) || unicode.IsDigit(rune(window[end])))) {
		end++
	}
	if end < len(window) && window[end] == ';' {
		end++
	}
	plain := html.UnescapeString(window[:end])
	r, n := utf8.DecodeRuneInString(plain)
	rest := plain[n:]
	if len(plain) == end || !strings.HasSuffix(window[:end], rest) { // nothing was read, or more than one character
		return 0, 0
	}
	return r, end - len(rest)
}

func hexDigits(text string, at, n int) (uint64, bool) {
	if at+n > len(text) {
		return 0, false
	}
	v, err := strconv.ParseUint(text[at:at+n], 16, 32)
	return v, err == nil
}

// peeled takes one layer of escapes off text. The second result is, for each byte
// and the end, where in text it comes from; nil if nothing was escaped.
func peeled(text string) (string, []int) {
	if !strings.ContainsAny(text, `\%&`) {
		return text, nil
	}
	out, from := make([]byte, 0, len(text)), make([]int, 0, len(text)+1)
	add := func(at int, b ...byte) {
		for range b {
			from = append(from, at)
		}
		out = append(out, b...)
	}
	for i := 0; i < len(text); {
		var r rune
		n := 0
		switch text[i] {
		case '\\':
			r, n = backslash(text[i:])
		case '&':
			r, n = entity(text[i:])
		case '%':
			if v, ok := hexDigits(text, i+1, 2); ok {
				add(i, byte(v))
				i += 3
				continue
			}
		}
		if n == 0 {
			add(i, text[i])
			i++
			continue
		}
		add(i, utf8.AppendRune(nil, r)...)
		i += n
	}
	if len(out) == len(text) {
		return text, nil
	}
	return string(out), append(from, len(text))
}
