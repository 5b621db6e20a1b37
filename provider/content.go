package provider

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// maxAddress is how long an address may be, in bytes: RFC 9110 asks servers to take 8000.
const maxAddress = 8 << 10

// minPicture is less than any picture has, in bytes.
const minPicture = 64

// Picture is the output at that position whose bytes came as base64: of either
// alphabet, with or without padding, line breaks and the head of a data URL.
func (r Reply) Picture(position int, content, contentType string) Output {
	return r.content(position, []byte(content), contentType)
}

// damaged reports whether content is base64 that ends at a wrong character.
func damaged(content []byte) bool {
	if isAddress(content) || bytes.Contains(content, []byte(markBegins)) { // what lies in a file is judged there
		return false
	}
	content, _ = behead(content)
	_, err := decode64(content)
	return err != nil
}

func (r Reply) content(position int, content []byte, contentType string) Output {
	o := Output{Position: position, ContentType: contentType}
	if isAddress(content) {
		o = r.Link(position, string(content))
		o.ContentType = contentType
		return o
	}
	if head, rest, long := r.parts.rest(content); long && isData(string(content[:5])) && !bytes.Contains(bytes.ToLower(head), []byte("base64")) {
		whole, err := io.ReadAll(rest) // in percent escapes: nobody does that with a large one
		if err != nil {
			return Output{Position: position, Err: r.Bad("a picture of the provider's answer cannot be read back: " + err.Error())}
		}
		content = append(bytes.Clone(head), whole...)
	}
	content, announced := behead(content)
	if announced != "" {
		o.ContentType = announced
	}
	if head, rest, long := r.parts.rest(content); long {
		return r.large(o, head, rest)
	}
	decoded, err := decode64(content)
	switch {
	case err != nil && len(decoded) >= minPicture: // whether that is a whole picture is seen when it is kept
		r.note(fmt.Sprintf("picture %d is no base64 after its first %d bytes", position+1, len(decoded)))
		o.Bytes = decoded
	case err != nil:
		o.Err = r.Bad(fmt.Sprintf("picture %d of the provider's answer is no base64: %d characters that begin with %q",
			position+1, len(content), Scrub(string(content[:min(len(content), 24)]), r.secrets...)))
	case len(decoded) == 0:
		o.Err = r.Bad(fmt.Sprintf("picture %d of the provider's answer is empty", position+1))
	default:
		o.Bytes = decoded
	}
	return o
}

// large is the output of a picture whose base64 goes on in rest.
func (r Reply) large(o Output, head []byte, rest *io.SectionReader) Output {
	file, err := decodeFile(r.parts.folder, head, rest)
	if err != nil && file.Len() >= minPicture { // as in content
		r.note(fmt.Sprintf("picture %d is no base64 after its first %d bytes", o.Position+1, file.Len()))
	} else if err != nil {
		_ = file.Close()
		o.Err = r.Bad(fmt.Sprintf("picture %d of the provider's answer is no base64: %d characters that begin with %q",
			o.Position+1, int64(len(head))+rest.Size(), Scrub(string(head[:min(len(head), 24)]), r.secrets...)))
		return o
	}
	o.File = file
	return o
}

// Link is the output at that position that lies under an address. One with a host
// stays as it is byte for byte: it may be signed. One without is resolved against
// the base URL, and a data URL is the picture itself.
func (r Reply) Link(position int, address string) Output {
	address = strings.TrimSpace(address)
	switch {
	case address == "":
		return Output{Position: position, Err: r.Bad(fmt.Sprintf("picture %d of the provider's answer has no address", position+1))}
	case isData(address) || isBare64(address):
		return r.content(position, []byte(address), "")
	}
	long := int64(len(address))
	if head, rest, parted := r.parts.rest([]byte(address)); parted {
		long = int64(len(head)) + rest.Size()
	}
	if long > maxAddress {
		return Output{Position: position, Err: r.Bad(fmt.Sprintf("the url of picture %d of the provider's answer has %d bytes; accepted are up to %d", position+1, long, maxAddress))}
	}
	return Output{Position: position, URL: resolve(r.base, address)}
}

// behead takes the head off a data URL and returns its type. Content that is not in
// base64 but escaped comes back in base64.
func behead(content []byte) (_ []byte, contentType string) {
	content = bytes.TrimSpace(content)
	if !isData(string(content[:min(len(content), 5)])) {
		return content, ""
	}
	head, rest, _ := bytes.Cut(content[5:], []byte(","))
	contentType, options, _ := strings.Cut(string(head[:min(len(head), 256)]), ";")
	if !strings.Contains(strings.ToLower(options), "base64") {
		if plain, err := url.PathUnescape(string(rest)); err == nil {
			return []byte(base64.StdEncoding.EncodeToString([]byte(plain))), contentType
		}
	}
	return rest, contentType
}

// decode64 reads base64 of either alphabet, and skips spaces, line breaks and padding. With
// an error it returns what stands before the fault.
func decode64(content []byte) ([]byte, error) {
	if decoded := make([]byte, base64.StdEncoding.DecodedLen(len(content))); len(content)%4 == 0 {
		if n, err := base64.StdEncoding.Decode(decoded, content); err == nil {
			return decoded[:n], nil
		}
	}
	plain := make([]byte, 0, len(content))
	for _, c := range content {
		switch c {
		case ' ', '\n', '\r', '\t', '=':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		plain = append(plain, c)
	}
	n, err := base64.RawStdEncoding.Decode(plain, plain) // in place: it writes behind where it reads
	return plain[:n], err
}

func isData(address string) bool { return len(address) >= 5 && strings.EqualFold(address[:5], "data:") }

// isBare64 reports whether what stands in the place of an address is a picture in
// base64: its beginning says so, and an address of that form would be too long.
func isBare64(address string) bool {
	if len(address) < 80 {
		return false
	}
	for _, begins := range []string{"iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD", "AAAA"} {
		if strings.HasPrefix(address, begins) {
			return !strings.ContainsAny(address[:80], ".:?&%")
		}
	}
	return false
}
