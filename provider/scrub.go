package provider

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDetail is how many bytes of a service's own text a Failure keeps.
const maxDetail = 2 << 10

// maxScrubbed is how many bytes of a text are looked through: more than anybody is shown.
const maxScrubbed = 256 << 10

// What never belongs in a text that people or logs see, whoever wrote it. Slashes
// and the signs of a query may be escaped.
var (
	authorization = regexp.MustCompile(`(?i)\b(bearer|basic)((?:[ :=+]|%20|\\u0020)+)([A-Za-z0-9._~+/=-]{4,})`)
	urlUser       = regexp.MustCompile(`(https?:(?:\\?/){2})[^\s"'<>/?#@]+@`)
	urlQuery      = regexp.MustCompile(`(https?:(?:\\?/){2}[^\s"'<>?#]*)\?[^\s"'<>]*`)
	dataURL       = regexp.MustCompile(`data:[a-z]+/[a-zA-Z0-9.+-]+;base64,[A-Za-z0-9+/=_-]*`)
	signature     = regexp.MustCompile(`(?i)((?:[?&;]|\\u0026|&amp;|&#38;|%26|%3F)` +
		`(?:x-(?:amz|goog|oss|cos|tos|ms|sig)[a-z0-9-]*|q-[a-z-]+|signature|sign|sig|se|sp|sv|sr|policy|key-pair-id|expires|` +
		`(?:aws|oss)?access_?key_?id|googleaccessid|security-token|[a-z_-]*token|[a-z_-]*secret|api[_-]?key|key|auth(?:_key)?|password|hmac|jwt)` +
		`(?:=|%3D|\\u003d))[^\s"'<>&\\]+`)
)

// Scrub makes a foreign text fit to be stored and shown: valid UTF-8 of at most
// 2 kB on one line, without control and invisible format characters, and without
// the secrets in any spelling, bearer tokens, the user names and queries of URLs,
// signatures, and data URLs.
func Scrub(text string, secrets ...string) string {
	return cut(redact(text, secrets), maxDetail)
}

func redact(text string, secrets []string) string { return needlesOf(secrets).line(text) }

// line is redact for secrets that are known already.
func (n *needles) line(text string) string {
	return strings.TrimSpace(strings.Map(visible, n.text(text)))
}

// text takes out what nobody may see and leaves lines as they are. Of a text longer than
// maxScrubbed it returns the beginning, without what may be half a secret.
func (n *needles) text(text string) string {
	if len(text) > maxScrubbed {
		text = n.clean(text[:maxScrubbed])
		return text[:max(len(text)-n.longest(), 0)]
	}
	return n.clean(text)
}

func (n *needles) clean(text string) string {
	text = n.conceal(strings.ToValidUTF8(text, ""))
	text = dataURL.ReplaceAllString(text, "data:"+hidden)
	text = urlUser.ReplaceAllString(text, "${1}")
	text = urlQuery.ReplaceAllString(text, "${1}?"+hidden)
	text = signature.ReplaceAllString(text, "${1}"+hidden)
	return authorization.ReplaceAllStringFunc(text, unauthorized)
}

// unauthorized hides the token after bearer or basic, and leaves words alone:
// "a basic understanding" holds none.
func unauthorized(text string) string {
	m := authorization.FindStringSubmatch(text)
	token := strings.TrimRight(m[3], ".")
	if len(token) < 20 && !strings.ContainsAny(token, "0123456789._~+/=") {
		return text
	}
	return m[1] + m[2] + hidden
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
