package provider

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDetail is how many bytes of a service's own text a Failure keeps.
const maxDetail = 2 << 10

// What never belongs in a text that people or logs see, whoever wrote it.
var (
	bearerToken = regexp.MustCompile(`(?i)\b(bearer|basic)[ :=]+[A-Za-z0-9._~+/=-]{4,}`)
	urlUser     = regexp.MustCompile(`(https?://)[^\s"'<>/?#@]+@`)
	urlQuery    = regexp.MustCompile(`(https?://[^\s"'<>?#]*)\?[^\s"'<>]*`)
	dataURL     = regexp.MustCompile(`data:[a-z]+/[a-zA-Z0-9.+-]+;base64,[A-Za-z0-9+/=_-]*`)
)

// Scrub makes a foreign text fit to be stored and shown: valid UTF-8 of at most
// 2 kB on one line, without control and invisible format characters, and without
// the secrets, bearer tokens, the user names and queries of URLs, and data URLs.
func Scrub(text string, secrets ...string) string {
	return cut(redact(text, secrets), maxDetail)
}

func redact(text string, secrets []string) string {
	// Invisible characters go first, so that none can split a secret.
	text = strings.Map(visible, strings.ToValidUTF8(text, ""))
	text = conceal(text, secrets)
	text = dataURL.ReplaceAllString(text, "data:"+hidden)
	text = urlUser.ReplaceAllString(text, "${1}")
	text = urlQuery.ReplaceAllString(text, "${1}?"+hidden)
	text = bearerToken.ReplaceAllString(text, "${1} "+hidden)
	return strings.TrimSpace(text)
}

// conceal replaces each secret, as it is and as a URL or JSON would carry it.
func conceal(text string, secrets []string) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		quoted, _ := json.Marshal(s) // of a string: cannot fail
		for _, form := range []string{s, url.QueryEscape(s), string(quoted[1 : len(quoted)-1])} {
			text = strings.ReplaceAll(text, form, hidden)
		}
	}
	return text
}

func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t' || r == '\r':
		return ' '
	case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
		return -1
	}
	return r
}

// cut shortens text to n bytes without splitting a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}
