package codec

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
)

// Thumbnail is a small picture that stands for a large one: a JPEG, or a PNG
// where something shines through.
type Thumbnail struct {
	Bytes       []byte
	ContentType string
	Extension   string
	Width       int
	Height      int
}

// thumbnails are those of the larger and of the smaller side, in one format: the key of
// one follows from the other's.
func thumbnails(m image.Image, larger, smaller int) (preview, thumbnail Thumbnail, err error) {
	big := shrink(m, larger)
	opaque := big.Opaque()
	if preview, err = encoded(big, opaque); err != nil {
		return Thumbnail{}, Thumbnail{}, err
	}
	thumbnail, err = encoded(shrink(big, smaller), opaque)
	return preview, thumbnail, err
}

func encoded(m *image.RGBA, opaque bool) (Thumbnail, error) {
	t := Thumbnail{ContentType: "image/jpeg", Extension: "jpg", Width: m.Rect.Dx(), Height: m.Rect.Dy()}
	var buf bytes.Buffer
	var err error
	if opaque {
		err = jpeg.Encode(&buf, m, &jpeg.Options{Quality: 85})
	} else {
		t.ContentType, t.Extension = "image/png", "png"
		err = png.Encode(&buf, m)
	}
	if err != nil {
		return Thumbnail{}, fmt.Errorf("encode the thumbnail: %w", err)
	}
	t.Bytes = buf.Bytes()
	return t, nil
}

// shrink scales in two steps. The first looks at a bounded number of pixels,
// so that a picture of any size and any color model takes bounded time and
// memory; the second weighs all that are left.
func shrink(m image.Image, side int) *image.RGBA {
	size := m.Bounds().Size()
	m = scale(m, within(size, rough*side), draw.ApproxBiLinear)
	return scale(m, within(size, side), draw.CatmullRom)
}

const rough = 2 // how much longer the sides are between the two steps

// shrinkCost is the memory that shrink takes: the picture between the steps,
// and four float64 for each of its rows and each column of the thumbnail.
func shrinkCost(w, h, side int) int64 {
	between, last := within(image.Pt(w, h), rough*side), within(image.Pt(w, h), side)
	return int64(between.X)*int64(between.Y)*4 + int64(between.Y)*int64(last.X)*32
}

// within returns size scaled down until no side is longer than side.
func within(size image.Point, side int) image.Point {
	longest := max(size.X, size.Y)
	if longest <= side {
		return size
	}
	return image.Pt(max(1, size.X*side/longest), max(1, size.Y*side/longest))
}

func scale(m image.Image, size image.Point, by draw.Scaler) *image.RGBA {
	dst := image.NewRGBA(image.Rectangle{Max: size})
	if m.Bounds().Size() == size {
		draw.Draw(dst, dst.Rect, m, m.Bounds().Min, draw.Src)
		return dst
	}
	by.Scale(dst, dst.Rect, m, m.Bounds(), draw.Src, nil)
	return dst
}

func paste(dst *image.RGBA, m image.Image, at image.Point) {
	draw.Draw(dst, image.Rectangle{at, at.Add(m.Bounds().Size())}, m, m.Bounds().Min, draw.Over)
}
