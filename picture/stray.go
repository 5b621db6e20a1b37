package picture

import (
	"bytes"
	"net/http"
)

// Stray is what bytes are that Check refuses.
type Stray struct {
	ContentType string
	Picture     bool // a kind of picture that easel cannot look into, as far as its first bytes tell
	Text        bool // no picture at all: a page, a document, or nothing
}

// strays are the kinds of pictures that easel cannot look into. The magic numbers are
// those of the TIFF, BMP, ICO and JPEG 2000 specifications.
var strays = []struct {
	contentType string
	magic       func([]byte) bool
}{
	{"image/tiff", begins("II*\x00", "MM\x00*")},
	{"image/bmp", begins("BM")},
	{"image/x-icon", begins("\x00\x00\x01\x00")},
	{"image/jp2", begins("\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51")},
}

// StrayOf says what a file is that Check refuses, by its first bytes, of which 512 are
// enough.
func StrayOf(head []byte) Stray {
	if looksLike(head) == "an SVG drawing" {
		return Stray{ContentType: "image/svg+xml", Picture: true}
	}
	for _, s := range strays {
		if s.magic(head) {
			return Stray{ContentType: s.contentType, Picture: true}
		}
	}
	if f, err := sniff(head); err == nil {
		return Stray{ContentType: f.contentType}
	}
	text := len(bytes.TrimSpace(head)) == 0 || opensWith("<", "{", "[", "%pdf-")(head) || isText(head)
	return Stray{ContentType: http.DetectContentType(head), Text: text}
}

// StrayEnd ends the keys of files that Check has refused. A browser is to save them and
// not to show them: nobody has looked into them.
const StrayEnd = ".kept.bin"
