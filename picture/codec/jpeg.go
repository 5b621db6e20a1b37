package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
)

const jpegEnd = "\xff\xd9"

// decodeJPEG reads a file without its end marker as one with it: a scan that breaks
// off is noticed by its missing blocks, a scan that is not there by wholeJPEG.
func decodeJPEG(r io.Reader, _ int64) (image.Image, error) { return jpeg.Decode(orElse(r, jpegEnd)) }

// jpegFrame is a frame header (ITU T.81, B.2.2).
type jpegFrame struct {
	marker        byte
	precision     int
	width, height int
	components    []jpegComponent
}

type jpegComponent struct{ id, h, v byte }

func (f jpegFrame) progressive() bool { return f.marker == 0xc2 }

// foreign says why the decoder does not take the frame: it knows Huffman-coded frames
// of 8 bits, and of each number of components the common samplings.
func (f jpegFrame) foreign() error {
	c := f.components
	switch {
	case f.marker > 0xc2:
		return fmt.Errorf("%w: it is coded as SOF%d", errForeign, f.marker-0xc0)
	case f.precision != 8:
		return fmt.Errorf("%w: it has %d bits a sample", errForeign, f.precision)
	case f.height == 0:
		return fmt.Errorf("%w: its header does not say its height", errForeign)
	case len(c) == 1:
		return nil
	case len(c) == 3 && c[0].v != 4 && c[0].h%c[1].h == 0 && c[0].v%c[1].v == 0 && c[1].h == c[2].h && c[1].v == c[2].v && c[0].h != 3 && c[0].v != 3:
		return nil
	case len(c) == 4 && c[0].h == c[0].v && c[0].h <= 2 && c[1].h == 1 && c[1].v == 1 && c[2].h == 1 && c[2].v == 1 && c[3].h == c[0].h && c[3].v == c[0].v:
		return nil
	}
	return fmt.Errorf("%w: its colours are sampled in a rare way", errForeign)
}

// memory is what the decoder takes: its samples, four bytes more for each while a
// progressive file is refined, and the colours that it makes of CMYK and RGB.
func (f jpegFrame) memory() int64 {
	pixels := int64(f.width) * int64(f.height)
	var most, all int64
	for _, c := range f.components {
		most = max(most, int64(c.h)*int64(c.v))
		all += int64(c.h) * int64(c.v)
	}
	samples := (pixels*all + most - 1) / most
	total := samples
	if f.progressive() {
		total += 4 * samples
	}
	if len(f.components) == 4 || all == 3*most {
		total += 4 * pixels
	}
	return total
}

func outlineJPEG(r *bufio.Reader, _ int64) (outline, error) {
	w := jpegWalker{r: r}
	for {
		marker, err := w.marker()
		switch {
		case err != nil:
			return outline{}, err
		case isFrame(marker):
			f, err := w.frame(marker)
			if err != nil {
				return outline{}, err
			}
			if f.height == 0 {
				if f.height, err = w.laterHeight(); err != nil {
					return outline{}, err
				}
				return outline{width: f.width, height: f.height, foreign: jpegFrame{marker: f.marker, precision: 8}.foreign()}, nil
			}
			return outline{width: f.width, height: f.height, memory: f.memory(), foreign: f.foreign()}, nil
		case marker == 0xda || marker == 0xd9:
			return outline{}, errors.New("it has no frame header")
		}
		if err := w.pass(); err != nil {
			return outline{}, err
		}
	}
}

// errScans says that a file without an end marker lacks parts that none of its other
// parts miss.
var errScans = errors.New("scans are missing at its end")

// wholeJPEG walks the parts of a file to its end marker. Of a file that has none it
// tells whether all scans have begun, which leaves it to a decoder whether the last one
// is whole.
func wholeJPEG(r *bufio.Reader) error {
	w := jpegWalker{r: r}
	var f jpegFrame
	var seen refined
	for {
		marker, err := w.marker()
		switch {
		case errors.Is(err, errIncomplete) && !seen.all(f):
			return errScans
		case err != nil:
			return err
		case marker == 0xd9:
			return nil
		case isFrame(marker) && len(f.components) == 0:
			f, err = w.frame(marker)
		case marker == 0xda:
			err = w.scan(f, &seen)
		default:
			err = w.pass()
		}
		if err != nil {
			return err
		}
	}
}

// refined is, of each coefficient of each component, how many bits are still missing,
// plus one; 0 is all of them.
type refined [4][64]byte

func (s *refined) all(f jpegFrame) bool {
	for i := range f.components {
		for _, missing := range s[i] {
			if missing != 1 {
				return false
			}
		}
	}
	return len(f.components) > 0
}

func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

// jpegWalker reads the markers of a JPEG (ITU T.81, annex B).
type jpegWalker struct{ r *bufio.Reader }

// marker returns the next marker and passes over what is no segment: fill bytes, the
// data of scans, and what wrongly stands between.
func (w jpegWalker) marker() (byte, error) {
	for {
		if _, err := w.r.ReadSlice(0xff); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, ended(err)
		} else if err != nil {
			continue
		}
		b, err := w.r.ReadByte()
		for ; err == nil && b == 0xff; b, err = w.r.ReadByte() {
		}
		if err != nil {
			return 0, ended(err)
		}
		if b != 0 && b != 1 && (b < 0xd0 || b > 0xd8) {
			return b, nil
		}
	}
}

// ended is errIncomplete in the place of io.EOF.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errIncomplete
	}
	return err
}

// segment returns how many bytes follow the length of a segment.
func (w jpegWalker) segment() (int, error) {
	var b [2]byte
	if _, err := io.ReadFull(w.r, b[:]); err != nil {
		return 0, ended(err)
	}
	if n := int(binary.BigEndian.Uint16(b[:])); n >= 2 {
		return n - 2, nil
	}
	return 0, errLayout
}

// pass passes over a segment.
func (w jpegWalker) pass() error {
	n, err := w.segment()
	if err != nil {
		return err
	}
	return skip(w.r, int64(n))
}

func (w jpegWalker) frame(marker byte) (jpegFrame, error) {
	n, err := w.segment()
	if err != nil {
		return jpegFrame{}, err
	}
	var b [6 + 3*4]byte
	if n < 6+3 || n > len(b) {
		return jpegFrame{}, errLayout
	}
	if _, err := io.ReadFull(w.r, b[:n]); err != nil {
		return jpegFrame{}, ended(err)
	}
	f := jpegFrame{marker: marker, precision: int(b[0]), height: int(b[1])<<8 | int(b[2]), width: int(b[3])<<8 | int(b[4])}
	if int(b[5])*3+6 != n {
		return jpegFrame{}, errLayout
	}
	for at := 6; at < n; at += 3 {
		c := jpegComponent{b[at], b[at+1] >> 4, b[at+1] & 15}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return jpegFrame{}, errors.New("its header has a sampling that there is not")
		}
		f.components = append(f.components, c)
	}
	return f, nil
}

// scan notes what a scan brings (ITU T.81, B.2.3 and G.1.1.1).
func (w jpegWalker) scan(f jpegFrame, seen *refined) error {
	n, err := w.segment()
	if err != nil {
		return err
	}
	var b [1 + 2*4 + 3]byte
	if n < 6 || n > len(b) {
		return errLayout
	}
	if _, err := io.ReadFull(w.r, b[:n]); err != nil {
		return ended(err)
	}
	count := int(b[0])
	if 2*count+4 != n {
		return errLayout
	}
	first, last, missing := b[n-3], b[n-2], b[n-1]&15
	if !f.progressive() {
		first, last, missing = 0, 63, 0
	}
	for i, c := range f.components {
		for k := range count {
			if b[1+2*k] != c.id {
				continue
			}
			for at := first; at <= last && at < 64; at++ {
				seen[i][at] = missing + 1
			}
		}
	}
	return nil
}

// laterHeight looks for the marker DNL, which says the height after the first scan.
func (w jpegWalker) laterHeight() (int, error) {
	for {
		marker, err := w.marker()
		if err != nil {
			return 0, err
		}
		if marker == 0xd9 {
			return 0, errors.New("it does not say its height")
		}
		n, err := w.segment()
		if err != nil {
			return 0, err
		}
		if marker != 0xdc || n != 2 {
			if err := skip(w.r, int64(n)); err != nil {
				return 0, err
			}
			continue
		}
		n, err = w.segment()
		return n + 2, err // a height has the form of a length
	}
}
