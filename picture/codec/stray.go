package codec

import (
	"bytes"
	"net/http"
)

// foreigners are the kinds of pictures that easel cannot look into. The magic numbers are
// those of the TIFF, BMP, ICO and JPEG 2000 specifications.
var foreigners = []struct {
	contentType string
	magic       func([]byte) bool
}{
	{"image/tiff", begins("II*\x00", "MM\x00*")},
	{"image/bmp", begins("BM")},
	{"image/x-icon", begins("\x00\x00\x01\x00")},
	{"image/jp2", begins("\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51")},
	{"image/svg+xml", func(head []byte) bool { return looksLike(head) == "an SVG drawing" }},
}

// strange is why a file is refused that begins so: as none of the formats does.
func strange(head []byte) *Error {
	bad := refuse("the file is %s; accepted are PNG, JPEG, WebP, GIF, AVIF, HEIF and JPEG XL pictures", looksLike(head))
	bad.Info.Extension = unknown.extension
	for _, f := range foreigners {
		if f.magic(head) {
			bad.Info.ContentType, bad.Foreign = f.contentType, true
			return bad
		}
	}
	bad.Info.ContentType = http.DetectContentType(head)
	bad.Text = len(bytes.TrimSpace(head)) == 0 || opensWith("<", "{", "[", "%pdf-")(head) || isText(head)
	return bad
}
