// Package codec looks into pictures: it checks them within limits before they are kept,
// turns, fits, cuts and shrinks them, and takes out and writes what stands beside their
// pixels. It knows no store, no tasks and no providers.
package codec

// Defaults of Limits and Checker.
const (
	defaultBytes     = 64 << 20
	defaultSide      = 16_384
	defaultPixels    = 50_000_000
	defaultFrames    = 500
	defaultMemory    = 512 << 20
	defaultThumbnail = 512
)

// Limits bound what is accepted as a picture. A zero field takes its default.
type Limits struct {
	Bytes  int64 // default 64 MiB
	Side   int   // default 16,384 pixels
	Pixels int64 // default 50 million, all frames together
	Frames int   // default 500
}

// WithDefaults returns l with every field that is not positive set to its default.
func (l Limits) WithDefaults() Limits {
	l.Bytes = positive(l.Bytes, defaultBytes)
	l.Side = positive(l.Side, defaultSide)
	l.Pixels = positive(l.Pixels, defaultPixels)
	l.Frames = positive(l.Frames, defaultFrames)
	return l
}

func positive[N int | int64](n, fallback N) N {
	if n <= 0 {
		return fallback
	}
	return n
}

func (l Limits) fits(name string, w, h int) error {
	switch {
	case w < 1 || h < 1:
		return refuse("the %s picture is %d x %d pixels, which shows nothing", name, w, h)
	case w > l.Side || h > l.Side:
		return refuse("the %s picture is %d x %d pixels; no side may be longer than %d", name, w, h, l.Side)
	case int64(w)*int64(h) > l.Pixels:
		return refuse("the %s picture is %d x %d pixels; the limit is %d pixels in all", name, w, h, l.Pixels)
	}
	return nil
}

func (l Limits) fitsFrames(name string, f frames) error {
	switch {
	case f.count == 0:
		return refuse("the %s picture has no frame", name)
	case f.count > l.Frames:
		return refuse("the %s picture has more than %d frames, the limit", name, l.Frames)
	case f.pixels > l.Pixels:
		return refuse("the frames of the %s picture have %d pixels together; the limit is %d", name, f.pixels, l.Pixels)
	}
	return nil
}
