package provider

import (
	"unicode"
	"unicode/utf8"
)

// Services change a key before they repeat it: they write it in capitals, read its + as
// a space, or leave out some characters. What is here finds what is left of it.

// gramLen is how many characters in a row are looked up at once.
const gramLen = minTransformed

// stretches tells where a text goes along with a secret: for each gramLen characters in
// a row of a form of one, folded, how many in a row are too many.
type stretches map[uint64]int

// telling is how many characters in a row of a secret of n are hidden: a third of it,
// so that one with a few characters out of its middle is found by either side. Fewer than
// twelve may be the beginning that all keys of a service have, or chance; of a
// short secret all but four.
func telling(n int) int { return min(n, max(12, (n+2)/3), max(8, n-4)) }

func (s stretches) add(form string) {
	runes := []rune(form)
	long := telling(len(runes))
	var gram uint64
	for i, r := range runes {
		gram = next(gram, r)
		if known, ok := s[gram]; i >= gramLen-1 && (!ok || long < known) {
			s[gram] = long
		}
	}
}

// next adds a character to a gram, folded: what is taken for the same is the same.
func next(gram uint64, r rune) uint64 {
	if r == '+' {
		r = ' '
	}
	return (gram<<8 | uint64(byte(unicode.ToLower(r)))) & (1<<(8*gramLen) - 1)
}

// find returns where in text stretches stand that are too long, each with the rest of its
// word. Each character is looked up once, however many secrets there are.
func (s stretches) find(text string) (found []span) {
	var gram uint64
	var begins [gramLen]int                // of the last characters, as a ring
	seen, along, least, from := 0, 0, 0, 0 // what goes along begins at from and has that many characters
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		if r, size = utf8.DecodeRuneInString(text[i:]); unseen(r) {
			continue
		}
		begins[seen%gramLen] = i
		seen++
		gram = next(gram, r)
		long, ok := s[gram]
		switch {
		case !ok || seen < gramLen:
			along = 0
			continue
		case along == 0:
			along, least, from = gramLen, long, begins[seen%gramLen]
		default:
			along, least = along+1, min(least, long)
		}
		if along < least {
			continue
		}
		if n := len(found) - 1; n >= 0 && found[n].from == from {
			found[n].to = i + size
		} else {
			found = append(found, span{from, i + size})
		}
	}
	return widened(found, text)
}

// widened takes in what else belongs to the words, of which an escape is no part.
func widened(found []span, text string) []span {
	part := func(at int) bool {
		return at >= 0 && at < len(text) && (text[at] >= '0' && text[at] <= '9' || text[at] >= 'A' && text[at] <= 'Z' || text[at] >= 'a' && text[at] <= 'z')
	}
	done := 0
	for i, f := range found {
		from := f.from
		for from > done && part(from-1) {
			from--
		}
		if from == 0 || text[from-1] != '\\' && text[from-1] != '%' && text[from-1] != '&' && text[from-1] != '#' {
			found[i].from = from
		}
		for part(found[i].to) {
			found[i].to++
		}
		done = found[i].to
	}
	return found
}
