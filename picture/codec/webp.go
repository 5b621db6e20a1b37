package codec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"

	"golang.org/x/image/webp"
)

func isWebP(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
}

const (
	webpHead     = 12 // RIFF, a length, WEBP
	webpExtended = 30 // and the chunk VP8X
	webpAnimated = 1 << 1
	webpAlpha    = 1 << 4
	webpFrame    = 16 // of an ANMF chunk before the picture's own chunks
)

// animatedWebP returns the canvas of a file whose first bytes say that it moves
// (WebP container specification, extended file format).
func animatedWebP(head []byte) (canvas image.Point, ok bool) {
	if len(head) < webpExtended || string(head[12:16]) != "VP8X" || head[20]&webpAnimated == 0 {
		return image.Point{}, false
	}
	return image.Pt(uint24(head[24:])+1, uint24(head[27:])+1), true
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// outlineWebP also compares the file with the length in its header, since the decoder
// stops after the picture's own chunk.
func outlineWebP(r *bufio.Reader, size int64) (outline, error) {
	head, err := r.Peek(webpExtended)
	if len(head) < webpHead {
		return outline{}, err
	}
	if int64(binary.LittleEndian.Uint32(head[4:]))+8 > size {
		return outline{}, errIncomplete
	}
	if canvas, ok := animatedWebP(head); ok {
		return outline{width: canvas.X, height: canvas.Y, memory: 8*int64(canvas.X)*int64(canvas.Y) + size}, nil
	}
	cfg, err := webp.DecodeConfig(r)
	return outline{width: cfg.Width, height: cfg.Height, memory: 4 * int64(cfg.Width) * int64(cfg.Height)}, err
}

// decodeWebP shows of an animation the first frame, on the whole canvas. Of the others
// it only looks whether they are there.
func decodeWebP(r io.Reader, _ int64) (image.Image, error) {
	b := bufio.NewReaderSize(r, 4096)
	head, _ := b.Peek(webpExtended)
	canvas, ok := animatedWebP(head)
	if !ok {
		return webp.Decode(b)
	}
	if _, err := b.Discard(webpHead); err != nil {
		return nil, err
	}
	var first image.Image
	for {
		kind, n, err := webpChunk(b)
		switch {
		case errors.Is(err, io.EOF) && first != nil:
			return first, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("it has no frame")
		case err != nil:
			return nil, err
		case kind == "ANMF" && first == nil:
			chunk := &io.LimitedReader{R: b, N: n}
			if first, err = webpFirst(chunk, canvas); err != nil {
				return nil, err
			}
			n = chunk.N
		}
		if err := skip(b, n); err != nil {
			return nil, err
		}
	}
}

// webpChunk reads the head of a chunk. N counts the byte that pads it to an even length.
func webpChunk(r io.Reader) (kind string, n int64, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", 0, err
	}
	n = int64(binary.LittleEndian.Uint32(head[4:]))
	return string(head[:4]), n + n%2, nil
}

// webpFirst decodes the frame in an ANMF chunk, of which it makes a file of its own.
func webpFirst(r *io.LimitedReader, canvas image.Point) (image.Image, error) {
	var head [webpFrame]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	at := image.Pt(2*uint24(head[0:]), 2*uint24(head[3:]))
	size := image.Pt(uint24(head[6:])+1, uint24(head[9:])+1)
	if at.X+size.X > canvas.X || at.Y+size.Y > canvas.Y {
		return nil, errors.New("its first frame is larger than its canvas")
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if r.N > 0 {
		return nil, errIncomplete
	}
	var file []byte
	if bytes.HasPrefix(content, []byte("ALPH")) {
		file = append(file, "VP8X\x0a\x00\x00\x00"...)
		file = append(file, webpAlpha, 0, 0, 0)
		file = append(append(file, head[6:9]...), head[9:12]...)
	}
	file = append(file, content...)
	riff := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(file)+4)), "WEBP"...)
	// The picture within has a head of its own, by which the decoder takes memory.
	said, err := webp.DecodeConfig(io.MultiReader(bytes.NewReader(riff), bytes.NewReader(file)))
	if err != nil {
		return nil, err
	}
	if image.Pt(said.Width, said.Height) != size {
		return nil, errors.New("its first frame has another size than it says")
	}
	m, err := webp.Decode(io.MultiReader(bytes.NewReader(riff), bytes.NewReader(file)))
	if err != nil {
		return nil, err
	}
	if size == canvas {
		return m, nil
	}
	whole := image.NewRGBA(image.Rectangle{Max: canvas})
	paste(whole, m, at)
	return whole, nil
}

// skip passes over n bytes, which must be there.
func skip(r *bufio.Reader, n int64) error {
	passed, err := io.CopyN(io.Discard, r, n)
	if passed < n && (err == nil || errors.Is(err, io.EOF)) {
		return errIncomplete
	}
	return err
}
