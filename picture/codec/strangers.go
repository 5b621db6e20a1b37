package codec

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// strangers are what is often found where a picture was expected.
var strangers = []struct {
	name  string
	magic func([]byte) bool
}{
	{"an MP4 or QuickTime film", boxes("")},
	{"a TIFF picture", begins("II*\x00", "MM\x00*")},
	{"a BMP picture", begins("BM")},
	{"an icon", begins("\x00\x00\x01\x00")},
	{"a JPEG 2000 picture", begins("\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51")},
	{"a PDF document", begins("%PDF-")},
	{"a ZIP archive", begins("PK\x03\x04")},
	{"gzip-compressed data", begins("\x1f\x8b")},
	{"a WebM or Matroska film", begins("\x1a\x45\xdf\xa3")},
	{"an SVG drawing", opensWith("<svg")},
	{"an HTML page", opensWith("<!doctype html", "<html", "<head", "<body", "<script")},
	{"an XML document", opensWith("<?xml", "<")},
	{"JSON text", opensWith("{", "[")},
	{"text", isText},
}

// looksLike names the content for a person.
func looksLike(head []byte) string {
	if opensWith("<?xml", "<!--", "<!doctype svg")(head) && bytes.Contains(bytes.ToLower(head), []byte("<svg")) {
		return "an SVG drawing"
	}
	for _, s := range strangers {
		if s.magic(head) {
			return s.name
		}
	}
	return "of an unknown kind"
}

func begins(magics ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, m := range magics {
			if bytes.HasPrefix(head, []byte(m)) {
				return true
			}
		}
		return false
	}
}

// opensWith is begins for text: a byte order mark, white space and case do not count.
func opensWith(texts ...string) func([]byte) bool {
	is := begins(texts...)
	return func(head []byte) bool {
		return is(bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))))
	}
}

func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n <= 1 && len(head) >= utf8.UTFMax || !unicode.IsPrint(r) && !unicode.IsSpace(r) && r != utf8.RuneError {
			return false
		}
		head = head[n:]
	}
	return true
}
