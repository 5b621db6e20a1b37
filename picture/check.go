package picture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Error is why bytes are not accepted as a picture. Only the bytes are at
// fault: reading them again gives the same. Every other error of a Checker
// comes from its reader or its context.
type Error struct {
	Message string // one sentence without a full stop: what it is, and the limit it breaks
	Cause   error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Cause }

func refuse(format string, args ...any) *Error { return &Error{Message: fmt.Sprintf(format, args...)} }

// Defaults of Limits and Checker.
const (
	defaultBytes     = 64 << 20
	defaultSide      = 16_384
	defaultPixels    = 50_000_000
	defaultFrames    = 500
	defaultMemory    = 512 << 20
	defaultThumbnail = 512
	defaultPreview   = 1280
)

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

// Checker accepts pictures. All checks through one Checker together hold no
// more decoded pictures than Memory allows, so a process shares one. Its zero
// value is ready to use; its fields are set before its first use.
type Checker struct {
	Limits    Limits
	Memory    int64 // bytes of pictures decoded at one time, default 512 MiB
	Thumbnail int   // longest side of thumbnails, default 512 pixels
	Preview   int   // longest side of previews, default 1280 pixels

	once   sync.Once
	memory *semaphore.Weighted
}

// Checked is a picture that passed.
type Checked struct {
	Info
	Thumbnail    Thumbnail // for a page of many pictures
	Preview      Thumbnail // for a page of one
	ThumbnailErr error     // why there are neither; the picture itself is whole
}

// Check reads all of r from its beginning and returns what it is, or an *Error
// if it is not a whole PNG, JPEG, WebP or GIF within the limits. It bounds size,
// sides and pixels before it decodes anything, because a header of 68 bytes can
// ask a decoder for gigabytes; then it decodes once, which proves that nothing
// is missing and gives the thumbnail. It waits for ctx while other checks hold
// the memory.
func (c *Checker) Check(ctx context.Context, r io.ReadSeeker) (Checked, error) {
	l := c.Limits.WithDefaults()
	info, head, err := measure(ctx, r, l.Bytes)
	if err != nil {
		return Checked{}, err
	}
	f, err := sniff(head)
	if err != nil {
		return Checked{}, err
	}
	info.ContentType, info.Extension = f.contentType, f.extension

	cost, err := f.survey(r, &info, l)
	if err != nil {
		return Checked{}, err
	}
	side, larger := positive(c.Thumbnail, defaultThumbnail), positive(c.Preview, defaultPreview)
	free, err := c.reserve(ctx, cost+shrinkCost(info.Width, info.Height, max(side, larger)))
	if err != nil {
		return Checked{}, err
	}
	defer free()
	m, err := f.whole(r, info)
	if err != nil {
		return Checked{}, err
	}
	if f.extension == "jpg" {
		m = turned(m, orientationOf(r))
		info.Width, info.Height = m.Bounds().Dx(), m.Bounds().Dy()
	}
	checked := Checked{Info: info}
	checked.Preview, checked.Thumbnail, checked.ThumbnailErr = thumbnails(m, larger, side)
	return checked, nil
}

// measure reads all of r, counting and hashing, and returns its first bytes too.
func measure(ctx context.Context, r io.ReadSeeker, limit int64) (Info, []byte, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return Info{}, nil, fmt.Errorf("rewind the picture: %w", err)
	}
	sum := sha256.New()
	head := &prefix{}
	n, err := io.Copy(io.MultiWriter(sum, head), io.LimitReader(Until(ctx, r), limit+1))
	switch {
	case err != nil:
		return Info{}, nil, fmt.Errorf("read the picture: %w", err)
	case n == 0:
		return Info{}, nil, refuse("the file is empty, not a picture")
	case n > limit:
		return Info{}, nil, refuse("the file has more than %d bytes, the limit for a picture", limit)
	}
	return Info{Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, head.bytes, nil
}

// reserve waits until cost bytes of memory are free. What asks for more than
// there is gets all of it, and so runs alone.
func (c *Checker) reserve(ctx context.Context, cost int64) (free func(), err error) {
	memory := positive(c.Memory, defaultMemory)
	c.once.Do(func() { c.memory = semaphore.NewWeighted(memory) })
	cost = min(cost, memory)
	if err := c.memory.Acquire(ctx, cost); err != nil {
		return nil, fmt.Errorf("wait for memory to decode the picture: %w", err)
	}
	return func() { c.memory.Release(cost) }, nil
}

// survey reads the header, fills in info's sides, refuses what is out of
// bounds, and returns how much memory decoding will take.
func (f *format) survey(r io.ReadSeeker, info *Info, l Limits) (cost int64, err error) {
	src := &source{r: r}
	cfg, err := guard(src, func(r io.Reader) (image.Config, error) { return f.config(r) })
	if err != nil {
		return 0, src.blame(err, "the %s file of %d bytes has no readable header", f.name, info.Size)
	}
	info.Width, info.Height = cfg.Width, cfg.Height
	if err := l.fits(f.name, info.Width, info.Height); err != nil {
		return 0, err
	}
	pixels := int64(info.Width) * int64(info.Height)
	if f.frames != nil {
		src := &source{r: r}
		frames, err := guard(src, func(r io.Reader) (frames, error) { return f.frames(r, l.Frames) })
		if err != nil {
			return 0, src.blame(err, "the %s file of %d bytes is damaged or incomplete", f.name, info.Size)
		}
		if err := l.fitsFrames(f.name, frames); err != nil {
			return 0, err
		}
		pixels += frames.pixels
	}
	return pixels * f.cost(cfg), nil
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

// whole decodes all of the picture.
func (f *format) whole(r io.ReadSeeker, info Info) (image.Image, error) {
	src := &source{r: r}
	m, err := guard(src, func(r io.Reader) (image.Image, error) { return f.decode(r, info.Size) })
	if err != nil {
		return nil, src.blame(err, "the %s file of %d bytes is damaged or incomplete", f.name, info.Size)
	}
	if b := m.Bounds(); b.Dx() != info.Width || b.Dy() != info.Height {
		return nil, refuse("the %s header says %d x %d pixels, but it decodes to %d x %d", f.name, info.Width, info.Height, b.Dx(), b.Dy())
	}
	return m, nil
}
