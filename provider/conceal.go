package provider

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minTransformed is the shortest secret, in bytes, that is looked for in base64 and
// hex too: those of shorter ones are found by chance.
const minTransformed = 6

// needle is a secret, or a form of it, as it is looked for.
type needle struct {
	runes []rune
	// within says that a service may have put more before and after it, as base64
	// of user:password does: what belongs to the same word is hidden too.
	within bool
}

// needles are the forms in which secrets may come back, in whatever spelling.
type needles struct {
	all   []needle
	first [256]bool // bytes that a form or an escape may begin with
	long  stretches // of all
}

// needlesOf looks for each secret as it is, in base64 of both alphabets at
// whatever place within other text, and in hex.
func needlesOf(secrets []string) *needles {
	n := &needles{long: make(stretches)}
	n.first['\\'], n.first['%'], n.first['&'] = true, true, true
	for _, s := range secrets {
		s = strings.ToValidUTF8(s, "")
		if s == "" {
			continue
		}
		n.add(s, false)
		if len(s) < minTransformed {
			continue
		}
		if plain, _ := peeled(s); len(plain) >= minTransformed {
			n.add(plain, false) // of one that looks escaped itself, the layers below are read so
		}
		n.add(hex.EncodeToString([]byte(s)), false)
		n.add(strings.ToUpper(hex.EncodeToString([]byte(s))), false)
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 {
				whole := alphabet.EncodeToString(append(make([]byte, shift), s...))
				n.add(whole[(shift*8+5)/6:(shift+len(s))*8/6], true)
			}
		}
	}
	return n
}

// longest is how many bytes the beginning of a secret may have, every character of it
// as two \uXXXX, and of the token of a header.
func (n *needles) longest() int {
	longest := 64
	for _, one := range n.all {
		longest = max(longest, 12*len(one.runes))
	}
	return longest
}

func (n *needles) add(text string, within bool) {
	same := func(known needle) bool { return string(known.runes) == text }
	if slices.ContainsFunc(n.all, same) {
		return
	}
	n.all = append(n.all, needle{[]rune(text), within})
	n.long.add(text)
	n.first[text[0]] = true
}

// span is a part of a text.
type span struct{ from, to int }

// conceal replaces the secrets in text by stars, however they are spelled, and what has
// long stretches of one. Text that holds none comes back as it is. Its time grows with the length of text.
func (n *needles) conceal(text string) string {
	if len(n.all) == 0 {
		return text
	}
	found := append(n.find(nil, text, nil), n.long.find(text)...)
	layer, origin := text, []int(nil)
	for range layers {
		inner, from := peeled(layer)
		if from == nil {
			break
		}
		for i := range from {
			if origin != nil {
				from[i] = origin[from[i]]
			}
		}
		layer, origin = inner, from
		found = n.find(found, layer, origin)
		for _, f := range n.long.find(layer) {
			found = append(found, span{origin[f.from], origin[f.to]})
		}
	}
	return starred(text, found)
}

// find adds where in the original text, to which origin leads, secrets stand.
func (n *needles) find(found []span, text string, origin []int) []span {
	for i := 0; i < len(text); i++ {
		if !n.first[text[i]] {
			continue
		}
		end := 0
		at := i
		for _, one := range n.all {
			if e := one.match(text, i); e > end {
				end = e
				if one.within {
					at, end = word(text, i, e)
				}
			}
		}
		if end == 0 {
			continue
		}
		if origin == nil {
			found = append(found, span{at, end})
		} else {
			found = append(found, span{origin[at], origin[end]})
		}
		i = end - 1
	}
	return found
}

// match returns where the needle that begins at text[i:] ends, or 0. All spellings
// are followed at once, so that none can lead astray.
func (n needle) match(text string, i int) int {
	var one, other [8]int // spares most texts an allocation
	at, next := append(one[:0], i), other[:0]
	for k, r := range n.runes {
		next = next[:0]
		for _, p := range at {
			if k > 0 {
				p = skipped(text, p, r)
			}
			next = ends(next, text, p, r)
		}
		if len(next) == 0 {
			return 0
		}
		slices.Sort(next)
		next = slices.Compact(next)
		at, next = next, at
	}
	return at[len(at)-1]
}

// skipped goes over what splits a secret and cannot be seen, or breaks a line:
// services wrap long words.
func skipped(text string, i int, wanted rune) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == wanted || !unseen(r) {
			return i
		}
		i += size
	}
	return i
}

func unseen(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// word widens a match over what base64 is written with.
func word(text string, from, to int) (int, int) {
	part := func(b byte) bool {
		return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || strings.IndexByte("+/-_=", b) >= 0
	}
	for from > 0 && part(text[from-1]) {
		from--
	}
	for to < len(text) && part(text[to]) {
		to++
	}
	return from, to
}

// starred puts stars in the place of the parts, which may overlap.
func starred(text string, parts []span) string {
	if len(parts) == 0 {
		return text
	}
	slices.SortFunc(parts, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	done := 0
	for _, p := range parts {
		if p.to <= done {
			continue
		}
		if p.from >= done {
			b.WriteString(text[done:p.from])
			b.WriteString(hidden)
		}
		done = p.to
	}
	b.WriteString(text[done:])
	return b.String()
}
