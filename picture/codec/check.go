package codec

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"sync"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/picture"
)

// Error is why bytes are not accepted as a picture. Only the bytes are at
// fault: reading them again gives the same. Every other error of a Checker
// comes from its reader or its context.
type Error struct {
	Message string // one sentence without a full stop: what it is, and the limit it breaks
	Cause   error

	// Incomplete says that it is a picture that breaks off: asked for again it may be whole.
	Incomplete bool
	// Foreign says that they are of a kind of picture that easel cannot look into, as far as
	// their beginning tells; Text that they are none at all: a page, a document, or nothing.
	Foreign, Text bool
	// Info is what the bytes are as far as could be seen. Of what is none of our formats the
	// extension is "bin", fit to be kept and not to be shown.
	Info Info
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Cause }

func refuse(format string, args ...any) *Error { return &Error{Message: fmt.Sprintf(format, args...)} }

// Checker accepts pictures. All checks through one Checker together hold no
// more decoded pictures than Memory allows, so a process shares one. Its zero
// value is ready to use; its fields are set before its first use.
type Checker struct {
	Limits    Limits
	Memory    *budget.Budget // bytes of pictures decoded at one time, default 512 MiB of its own
	Owner     string         // for whom it borrows from Memory
	Thumbnail int            // longest side of thumbnails, default 512 pixels
	Preview   int            // longest side of previews, default 1280 pixels

	once sync.Once
	own  *budget.Budget
}

// For returns a Checker that is like c and borrows for owner.
func (c *Checker) For(owner string) *Checker {
	return &Checker{Limits: c.Limits, Memory: c.memory(), Owner: owner, Thumbnail: c.Thumbnail, Preview: c.Preview}
}

func (c *Checker) memory() *budget.Budget {
	c.once.Do(func() { c.own = cmp.Or(c.Memory, &budget.Budget{Size: defaultMemory}) })
	return c.own
}

// Checked is a picture that passed.
type Checked struct {
	Info
	Thumbnail    Thumbnail // for a page of many pictures
	Preview      Thumbnail // for a page of one
	ThumbnailErr error     // why there are neither; the picture itself is whole
	Decoded      bool      // a decoder of ours has seen all of it; else its size is what its header says
}

// Check reads all of r from its beginning and returns what it is, or an *Error
// if it is not a whole picture of a known format within the limits. It bounds size,
// sides and pixels before it decodes anything, because a header of 68 bytes can
// ask a decoder for gigabytes; then it decodes once, which proves that nothing
// is missing and gives the thumbnail. What no decoder of ours takes, or only with more
// than Memory, is accepted by its header and its parts, and has no thumbnail. It waits
// for ctx while other checks hold the memory.
func (c *Checker) Check(ctx context.Context, r io.ReadSeeker) (Checked, error) {
	e, err := c.examine(ctx, r)
	if err != nil {
		return Checked{}, e.blamed(err)
	}
	side, larger := positive(c.Thumbnail, defaultThumbnail), positive(c.Preview, picture.PreviewSide)
	m, free, err := c.decode(ctx, e, shrinkCost(e.info.Width, e.info.Height, max(side, larger)))
	switch {
	case err != nil && e.foreign != nil && errors.Is(err, e.foreign):
		return Checked{Info: e.info, ThumbnailErr: e.foreign}, nil
	case err != nil:
		return Checked{}, e.blamed(err)
	}
	defer free()
	checked := Checked{Info: e.info, Decoded: true}
	checked.Preview, checked.Thumbnail, checked.ThumbnailErr = thumbnails(m, larger, side)
	return checked, nil
}

// exam is what is known of a file that is being checked.
type exam struct {
	r       io.ReadSeeker
	f       *format
	info    Info
	memory  int64 // that decoding takes
	foreign error // why it is not decoded
}

// blamed adds to an *Error what the bytes are.
func (e *exam) blamed(err error) error {
	var bad *Error
	if errors.As(err, &bad) {
		bad.Info = e.info
	}
	return err
}

// examine finds out all that can be known without decoding. Beside an error it returns
// what it has found so far.
func (c *Checker) examine(ctx context.Context, r io.ReadSeeker) (*exam, error) {
	e := &exam{r: r, f: &unknown}
	l := c.Limits.WithDefaults()
	info, head, err := measure(ctx, r, l.Bytes)
	if err != nil {
		return e, err
	}
	e.info = info
	f, stranger := sniff(head)
	if stranger != nil {
		e.info.ContentType, e.info.Extension = stranger.Info.ContentType, stranger.Info.Extension
	} else {
		e.f, e.info.ContentType, e.info.Extension = f, f.contentType, f.extension
	}
	switch {
	case info.Size == 0:
		return e, &Error{Message: "the file is empty, not a picture", Text: true}
	case info.Size > l.Bytes:
		return e, refuse("the file has more than %d bytes, the limit for a picture", l.Bytes)
	case stranger != nil:
		return e, stranger
	}
	if err := e.survey(l); err != nil {
		return e, err
	}
	if e.foreign != nil {
		return e, e.believe()
	}
	return e, nil
}

// believe accepts a file that is not decoded, by its parts.
func (e *exam) believe() error {
	if e.f.whole != nil {
		if err := e.wholly(); err != nil {
			return err
		}
	}
	e.turn()
	return nil
}

// wholly walks through the parts of the file.
func (e *exam) wholly() error {
	src := &source{r: e.r}
	_, err := guard(src, func(r *bufio.Reader) (struct{}, error) { return struct{}{}, e.f.whole(r) })
	if err != nil {
		return src.blame(err, "the %s file of %d bytes", e.f.name, e.info.Size)
	}
	return nil
}

// turn lets a JPEG have the sides that it is shown with, and returns its orientation.
func (e *exam) turn() int {
	if e.f.extension != "jpg" {
		return 1
	}
	o := orientationOf(e.r)
	if o >= 5 {
		e.info.Width, e.info.Height = e.info.Height, e.info.Width
	}
	return o
}

// decode waits for memory, with what comes on top, and decodes the picture, upright.
// free gives the memory back. What no decoder takes is an *Error that wraps e.foreign.
func (c *Checker) decode(ctx context.Context, e *exam, more int64) (m image.Image, free func(), err error) {
	if most := c.memory().Size; e.foreign == nil && e.memory+more > most {
		if err := e.believe(); err != nil {
			return nil, nil, err
		}
		e.foreign = fmt.Errorf("it takes %d bytes of memory to decode, more than the %d that there are", e.memory+more, most)
	}
	if e.foreign != nil {
		return nil, nil, &Error{Message: fmt.Sprintf("the %s picture cannot be worked on: %v", e.f.name, e.foreign), Cause: e.foreign}
	}
	free, err = c.reserve(ctx, e.memory+more)
	if err != nil {
		return nil, nil, err
	}
	m, err = e.decoded()
	if err != nil {
		free()
		if e.f.whole != nil && unsupported(err) {
			if err := e.believe(); err != nil {
				return nil, nil, err
			}
			e.foreign = fmt.Errorf("%w: %w", errForeign, err)
			return c.decode(ctx, e, more)
		}
		return nil, nil, err
	}
	return turned(m, e.turn()), free, nil
}

// unsupported reports whether a decoder has said that it does not know this kind of file.
func unsupported(err error) bool {
	var u jpeg.UnsupportedError
	return errors.As(err, &u)
}

// measure reads all of r, or one byte more than limit, counting and hashing, and returns
// its first bytes too.
func measure(ctx context.Context, r io.ReadSeeker, limit int64) (Info, []byte, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return Info{}, nil, fmt.Errorf("rewind the picture: %w", err)
	}
	sum := sha256.New()
	head := &prefix{}
	n, err := io.Copy(io.MultiWriter(sum, head), io.LimitReader(picture.Until(ctx, r), limit+1))
	if err != nil {
		return Info{}, nil, fmt.Errorf("read the picture: %w", err)
	}
	return Info{Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, head.bytes, nil
}

// reserve waits until cost bytes of memory are free.
func (c *Checker) reserve(ctx context.Context, cost int64) (free func(), err error) {
	free, err = c.memory().Acquire(ctx, c.Owner, cost)
	if err != nil {
		return nil, fmt.Errorf("wait for memory to decode the picture: %w", err)
	}
	return free, nil
}

// survey reads the header and refuses what is out of bounds.
func (e *exam) survey(l Limits) error {
	src := &source{r: e.r}
	o, err := guard(src, func(r *bufio.Reader) (outline, error) { return e.f.outline(r, e.info.Size) })
	if err != nil {
		return src.blame(err, "the %s file of %d bytes", e.f.name, e.info.Size)
	}
	e.info.Width, e.info.Height, e.memory, e.foreign = o.width, o.height, o.memory, o.foreign
	if err := l.fits(e.f.name, e.info.Width, e.info.Height); err != nil {
		return err
	}
	if e.f.frames == nil {
		return nil
	}
	src = &source{r: e.r}
	frames, err := guard(src, func(r *bufio.Reader) (frames, error) { return e.f.frames(r, l.Frames) })
	if err != nil {
		return src.blame(err, "the %s file of %d bytes", e.f.name, e.info.Size)
	}
	if err := l.fitsFrames(e.f.name, frames); err != nil {
		return err
	}
	e.memory += 2 * frames.pixels
	return nil
}

// decoded decodes all of the picture.
func (e *exam) decoded() (image.Image, error) {
	src := &source{r: e.r}
	m, err := guard(src, func(r *bufio.Reader) (image.Image, error) { return e.f.decode(r, e.info.Size) })
	if err != nil {
		return nil, src.blame(err, "the %s file of %d bytes", e.f.name, e.info.Size)
	}
	if b := m.Bounds(); b.Dx() != e.info.Width || b.Dy() != e.info.Height {
		return nil, refuse("the %s header says %d x %d pixels, but it decodes to %d x %d", e.f.name, e.info.Width, e.info.Height, b.Dx(), b.Dy())
	}
	if src.ended && e.f.whole != nil { // its end was made up
		if err := e.wholly(); errors.Is(err, errScans) {
			return nil, err
		}
	}
	return m, nil
}
