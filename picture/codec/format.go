package codec

import (
	"bufio"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"strings"
)

// format is a kind of picture that is accepted.
type format struct {
	name        string
	contentType string
	extension   string
	magic       func(head []byte) bool

	// outline reads the header of a file of size bytes.
	outline func(r *bufio.Reader, size int64) (outline, error)
	// decode decodes all of it, which proves that nothing is missing. It is nil where
	// outline reads the whole file, and no decoder of ours does.
	decode func(r io.Reader, size int64) (image.Image, error)
	// whole proves by the file's parts alone that nothing is missing, for the files of
	// a format that decode does not take; nil if it takes all.
	whole  func(r *bufio.Reader) error
	frames func(r io.Reader, limit int) (frames, error) // nil where there is only one
}

// outline is what the header of a picture says.
type outline struct {
	width, height int
	memory        int64 // bytes that decoding takes
	foreign       error // why no decoder of ours takes it; nil if one does
}

// frames is how many pictures a file holds, and how large they are together.
type frames struct {
	count  int
	pixels int64
}

// errIncomplete says that a file breaks off.
var errIncomplete = errors.New("it breaks off before its end")

// errForeign says that no decoder of ours knows the format.
var errForeign = errors.New("easel cannot decode it")

// The accepted formats. The magic numbers are those of the PNG, JPEG, RIFF, GIF,
// HEIF (ISO 23008-12), AVIF and JPEG XL (ISO 18181-2) specifications.
var formats = []*format{
	{name: "PNG", contentType: "image/png", extension: "png", magic: begins(pngMagic),
		outline: header(pixelsOfPNG, png.DecodeConfig, pngCost), decode: decodePNG},
	{name: "JPEG", contentType: "image/jpeg", extension: "jpg", magic: begins("\xff\xd8\xff"),
		outline: outlineJPEG, decode: decodeJPEG, whole: wholeJPEG},
	{name: "WebP", contentType: "image/webp", extension: "webp", magic: isWebP,
		outline: outlineWebP, decode: decodeWebP},
	{name: "GIF", contentType: "image/gif", extension: "gif", magic: begins("GIF87a", "GIF89a"),
		outline: header(plain, gif.DecodeConfig, func(image.Config) int64 { return 2 }), decode: decodeGIF, frames: countFrames},
	{name: "AVIF", contentType: "image/avif", extension: "avif", magic: boxes("avif", "avis"), outline: outlineHEIF},
	{name: "HEIF", contentType: "image/heic", extension: "heic", magic: boxes("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"), outline: outlineHEIF},
	{name: "JPEG XL", contentType: "image/jxl", extension: "jxl", magic: begins(jxlCodestream, jxlContainer), outline: outlineJXL},
}

// unknown is what bytes are of which nobody knows more.
var unknown = format{name: "unknown", contentType: "application/octet-stream", extension: "bin"}

// sniff returns the format that the first bytes of a file announce, or says
// what the file is instead.
func sniff(head []byte) (*format, *Error) {
	for _, f := range formats {
		if f.magic(head) {
			return f, nil
		}
	}
	return nil, strange(head)
}

// header makes an outline of what a decoder says of a header. Cost is the bytes of
// memory for each pixel while it decodes.
func header(through func(io.Reader) io.Reader, config func(io.Reader) (image.Config, error), cost func(image.Config) int64) func(*bufio.Reader, int64) (outline, error) {
	return func(r *bufio.Reader, _ int64) (outline, error) {
		cfg, err := config(through(r))
		return outline{width: cfg.Width, height: cfg.Height, memory: int64(cfg.Width) * int64(cfg.Height) * cost(cfg)}, err
	}
}

func plain(r io.Reader) io.Reader { return r }

func pngCost(cfg image.Config) int64 {
	switch cfg.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		return 8
	}
	return 4
}

// orElse reads r, and after its end what the format wants there and no pixel is in.
// What breaks off earlier stays incomplete.
func orElse(r io.Reader, end string) io.Reader { return io.MultiReader(r, strings.NewReader(end)) }
