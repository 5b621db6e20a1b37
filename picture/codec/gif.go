package codec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"
	"io"
)

const gifEnd = "\x3b"

// countFrames walks the blocks of a GIF without decoding them and stops beyond
// limit: gif.DecodeAll would hold every frame before it could be counted. The
// layout is that of the GIF89a specification, appendix A.
func countFrames(r io.Reader, limit int) (frames, error) {
	w := &gifWalker{r: bufio.NewReader(orElse(r, gifEnd))}
	header := w.next(13) // signature and logical screen descriptor
	if w.err == nil {
		w.skipColors(header[10])
	}
	var f frames
	for w.err == nil {
		switch kind := w.next(1)[0]; kind {
		case 0x21: // an extension: its label, then its data
			w.next(1)
			w.skipData()
		case 0x2c: // an image descriptor
			d := w.next(9)
			f.count++
			f.pixels += int64(binary.LittleEndian.Uint16(d[4:])) * int64(binary.LittleEndian.Uint16(d[6:]))
			if f.count > limit {
				return f, nil
			}
			w.skipColors(d[8])
			w.next(1) // the code size
			w.skipData()
		case 0x3b: // the trailer
			return f, w.err
		default:
			if w.err == nil {
				w.err = fmt.Errorf("unknown block type 0x%02x", kind)
			}
		}
	}
	return f, w.err
}

// gifWalker reads blocks; after an error it reads zeros.
type gifWalker struct {
	r   *bufio.Reader
	buf [13]byte
	err error
}

func (w *gifWalker) next(n int) []byte {
	b := w.buf[:n]
	clear(b)
	if w.err == nil {
		_, w.err = io.ReadFull(w.r, b)
		if w.err == io.EOF {
			w.err = io.ErrUnexpectedEOF
		}
	}
	return b
}

func (w *gifWalker) skip(n int) {
	if w.err == nil {
		_, w.err = w.r.Discard(n)
	}
}

// skipColors skips the color table that the flags of a descriptor announce.
func (w *gifWalker) skipColors(flags byte) {
	if flags&0x80 != 0 {
		w.skip(3 << (flags&7 + 1))
	}
}

// skipData skips sub-blocks up to the empty one that ends them.
func (w *gifWalker) skipData() {
	for w.err == nil {
		n := int(w.next(1)[0])
		if n == 0 {
			return
		}
		w.skip(n)
	}
}

// decodeGIF decodes every frame and shows the first one on the whole canvas.
func decodeGIF(r io.Reader, _ int64) (image.Image, error) {
	g, err := gif.DecodeAll(orElse(r, gifEnd))
	if err != nil {
		return nil, err
	}
	first := g.Image[0]
	canvas := image.Rect(0, 0, g.Config.Width, g.Config.Height)
	if first.Bounds() == canvas {
		return first, nil
	}
	m := image.NewRGBA(canvas)
	paste(m, first, first.Bounds().Min)
	return m, nil
}
