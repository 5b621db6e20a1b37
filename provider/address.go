package provider

import (
	"net/url"
	"regexp"
	"strings"
)

// scheme is how an address begins that is not relative.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// isAddress reports whether content in the place of a picture is a whole address.
func isAddress(content []byte) bool {
	head := strings.ToLower(string(content[:min(len(content), 8)]))
	return strings.HasPrefix(head, "http://") || strings.HasPrefix(head, "https://")
}

// NamesPicture reports whether a text is where a picture lies, or one in base64, and
// not something else that a service may say in its place, such as a caption.
func NamesPicture(text string) bool {
	text = strings.TrimSpace(text)
	head := strings.ToLower(text[:min(len(text), 16)])
	for _, begins := range []string{"https://", "http://", "data:image/", "data:application", "//"} {
		if strings.HasPrefix(head, begins[:min(len(begins), 16)]) {
			return true
		}
	}
	return isBare64(text) || strings.HasPrefix(text, "/") && !strings.ContainsAny(text, " \t\n")
}

// resolve returns a relative address as one below base, which has no slash at its
// end; one with a scheme as it is written. Nothing in it is rewritten: it may be signed.
func resolve(base, address string) string {
	own, err := url.Parse(base)
	switch {
	case base == "" || err != nil || scheme.MatchString(address):
		return address
	case strings.HasPrefix(address, "//"):
		return own.Scheme + ":" + address
	case strings.HasPrefix(address, "/"):
		return own.Scheme + "://" + own.Host + address
	}
	return base + "/" + strings.TrimPrefix(address, "./")
}

// sameOrigin reports whether address has the scheme, host and port of base.
func sameOrigin(base, address string) bool {
	own, err := url.Parse(base)
	given, bad := url.Parse(escaped(address))
	return err == nil && bad == nil && given.User == nil && own.Scheme == given.Scheme && strings.EqualFold(own.Host, given.Host)
}

// escaped returns address with every byte escaped that may not stand behind its
// host, a percent sign that escapes nothing among them; all others stay.
func escaped(address string) string {
	_, rest, found := strings.Cut(address, "://")
	host := strings.IndexAny(rest, "/?#")
	if !found || host < 0 {
		return address
	}
	from := len(address) - len(rest) + host
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.WriteString(address[:from])
	for i := from; i < len(address); i++ {
		c := address[i]
		hex := c != '%' || i+2 < len(address) && isHex(address[i+1]) && isHex(address[i+2])
		if hex && c > ' ' && c < 0x7f && !strings.ContainsRune("\"<>\\^`{|}", rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + string(digits[c>>4]) + string(digits[c&15]))
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
