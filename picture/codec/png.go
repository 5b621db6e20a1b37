package codec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"strings"
)

const pngEnd = "\x00\x00\x00\x00IEND\xae\x42\x60\x82"

// maxPNGTransparency is what a tRNS chunk holds at most: a byte for each colour.
const maxPNGTransparency = 256

func decodePNG(r io.Reader, _ int64) (image.Image, error) { return png.Decode(pixelsOfPNG(r)) }

// pixelsOfPNG reads of a PNG what its pixels are made of, and leaves out all chunks
// beside, whose sums may be wrong and are no loss (PNG specification, sections 5.4
// and 13.2). Its end it makes itself: pixels that are missing are missed by the decoder.
func pixelsOfPNG(r io.Reader) io.Reader {
	b, ok := r.(*bufio.Reader)
	if !ok {
		b = bufio.NewReader(r)
	}
	return &pngPixels{r: b, next: strings.NewReader("")}
}

type pngPixels struct {
	r       *bufio.Reader
	next    io.Reader // of what is handed out now
	begun   bool      // the signature is through
	ended   bool
	hasData bool
}

func (p *pngPixels) Read(b []byte) (int, error) {
	for {
		n, err := p.next.Read(b)
		if n > 0 || len(b) == 0 || err != io.EOF {
			return n, err
		}
		if limited, ok := p.next.(*io.LimitedReader); ok && limited.N > 0 {
			return 0, io.ErrUnexpectedEOF
		}
		if p.ended {
			return 0, io.EOF
		}
		if p.next, err = p.chunk(); err != nil {
			return 0, err
		}
	}
}

// chunk returns the next thing to be handed out.
func (p *pngPixels) chunk() (io.Reader, error) {
	if !p.begun {
		p.begun = true
		return &io.LimitedReader{R: p.r, N: int64(len(pngMagic))}, nil
	}
	head, err := p.r.Peek(8)
	switch {
	case err == io.EOF || len(head) == 8 && string(head[4:]) == "IEND":
		return p.end()
	case err != nil:
		return nil, err
	}
	n, kind := int64(binary.BigEndian.Uint32(head)), string(head[4:])
	switch {
	case kind == "tRNS" && n <= maxPNGTransparency:
		return p.summed(int(n))
	case kind[0]&0x20 == 0: // a critical chunk
		p.hasData = p.hasData || kind == "IDAT"
		return &io.LimitedReader{R: p.r, N: 12 + n}, nil
	}
	if err := skip(p.r, 12+n); errors.Is(err, errIncomplete) {
		return p.end()
	} else if err != nil {
		return nil, err
	}
	return strings.NewReader(""), nil
}

// end is the chunk that ends a PNG with pixels.
func (p *pngPixels) end() (io.Reader, error) {
	if !p.hasData {
		return nil, io.ErrUnexpectedEOF
	}
	p.ended = true
	return strings.NewReader(pngEnd), nil
}

// summed is a chunk with n bytes of data and the sum that it should have.
func (p *pngPixels) summed(n int) (io.Reader, error) {
	raw := make([]byte, 12+n)
	if _, err := io.ReadFull(p.r, raw); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	binary.BigEndian.PutUint32(raw[8+n:], crc32.ChecksumIEEE(raw[4:8+n]))
	return bytes.NewReader(raw), nil
}
