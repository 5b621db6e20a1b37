package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/webp"
)

// format is a kind of picture that is accepted.
type format struct {
	name        string
	contentType string
	extension   string
	magic       func(head []byte) bool
	config      func(io.Reader) (image.Config, error)
	decode      func(r io.Reader, size int64) (image.Image, error)
	frames      func(r io.Reader, limit int) (frames, error) // nil where there is only one
	cost        func(image.Config) int64                     // bytes of memory for each pixel while decoding
}

// frames is how many pictures a file holds, and how large they are together.
type frames struct {
	count  int
	pixels int64
}

// The accepted formats. The magic numbers are those of the PNG, JPEG, RIFF and
// GIF specifications.
var formats = []*format{
	{name: "PNG", contentType: "image/png", extension: "png", magic: begins("\x89PNG\r\n\x1a\n"),
		config: png.DecodeConfig, decode: unsized(png.Decode), cost: pngCost},
	{name: "JPEG", contentType: "image/jpeg", extension: "jpg", magic: begins("\xff\xd8\xff"),
		config: jpeg.DecodeConfig, decode: unsized(jpeg.Decode), cost: jpegCost},
	{name: "WebP", contentType: "image/webp", extension: "webp", magic: isWebP,
		config: webp.DecodeConfig, decode: decodeWebP, cost: func(image.Config) int64 { return 4 }},
	{name: "GIF", contentType: "image/gif", extension: "gif", magic: begins("GIF87a", "GIF89a"),
		config: gif.DecodeConfig, decode: decodeGIF, frames: countFrames, cost: func(image.Config) int64 { return 2 }},
}

// sniff returns the format that the first bytes of a file announce, or says
// what the file is instead.
func sniff(head []byte) (*format, error) {
	for _, f := range formats {
		if f.magic(head) {
			return f, nil
		}
	}
	return nil, refuse("the file is %s; accepted are PNG, JPEG, WebP and GIF pictures", looksLike(head))
}

// strangers are what is often found where a picture was expected.
var strangers = []struct {
	name  string
	magic func([]byte) bool
}{
	{"an AVIF picture", boxes("avif", "avis")},
	{"a HEIF picture", boxes("heic", "heix", "heim", "heis", "hevc", "mif1", "msf1")},
	{"an MP4 or QuickTime film", boxes("")},
	{"a TIFF picture", begins("II*\x00", "MM\x00*")},
	{"a BMP picture", begins("BM")},
	{"an icon", begins("\x00\x00\x01\x00")},
	{"a JPEG XL picture", begins("\xff\x0a", "\x00\x00\x00\x0cJXL ")},
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

// boxes recognises ISO base media files (ISO 14496-12) by their major brand.
func boxes(brands ...string) func([]byte) bool {
	return func(head []byte) bool {
		return len(head) >= 12 && string(head[4:8]) == "ftyp" && begins(brands...)(head[8:])
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

func isWebP(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
}

// unsized adapts the decoders that notice by themselves when bytes are missing.
func unsized(decode func(io.Reader) (image.Image, error)) func(io.Reader, int64) (image.Image, error) {
	return func(r io.Reader, _ int64) (image.Image, error) { return decode(r) }
}

// decodeWebP also compares the file with the length in its header, since the
// decoder stops after the picture's own chunk, and names animations, which it
// does not know.
func decodeWebP(r io.Reader, size int64) (image.Image, error) {
	head := make([]byte, 21)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if n := int64(binary.LittleEndian.Uint32(head[4:])) + 8; n > size {
		return nil, fmt.Errorf("its header announces %d bytes", n)
	}
	const animated = 1 << 1
	if string(head[12:16]) == "VP8X" && head[20]&animated != 0 {
		return nil, fmt.Errorf("animated WebP is not accepted")
	}
	return webp.Decode(io.MultiReader(bytes.NewReader(head), r))
}

func pngCost(cfg image.Config) int64 {
	switch cfg.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		return 8
	}
	return 4
}

// jpegCost allows for progressive files, whose coefficients (four bytes for
// each component of a pixel) are held until the end.
func jpegCost(cfg image.Config) int64 {
	switch cfg.ColorModel {
	case color.GrayModel:
		return 5
	case color.CMYKModel:
		return 20
	}
	return 15
}
