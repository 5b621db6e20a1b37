package codec

import (
	"bufio"
	"errors"
	"io"
)

const (
	jxlCodestream = "\xff\x0a"
	jxlContainer  = "\x00\x00\x00\x0cJXL "
)

// jxlHead is how much of a codestream the size of its picture lies in.
const jxlHead = 32

// outlineJXL reads how large a JPEG XL picture is when it is shown (ISO 18181-1,
// annex D), and of one in a container whether its boxes are there (ISO 18181-2). A
// bare codestream does not say where it ends.
func outlineJXL(r *bufio.Reader, size int64) (outline, error) {
	if head, _ := r.Peek(2); string(head) == jxlCodestream {
		head, _ := r.Peek(jxlHead)
		return jxlSize(head)
	}
	var head []byte
	for at, count := int64(0), 0; at < size; count++ {
		kind, n, used, err := box(r, size-at)
		switch {
		case err != nil:
			return outline{}, err
		case count == maxBoxes:
			return outline{}, errors.New("it has too many boxes")
		case at+n > size:
			return outline{}, errIncomplete
		}
		at += n
		n -= used
		if (kind == "jxlc" || kind == "jxlp") && len(head) < jxlHead {
			if kind == "jxlp" {
				if err := skip(r, min(4, n)); err != nil { // the part's number
					return outline{}, err
				}
				n -= min(4, n)
			}
			part, err := io.ReadAll(io.LimitReader(r, min(n, jxlHead)))
			if err != nil {
				return outline{}, err
			}
			head = append(head, part...)
			n -= int64(len(part))
		}
		if err := skip(r, n); err != nil {
			return outline{}, err
		}
	}
	return jxlSize(head)
}

// jxlSize reads the size header of a codestream and the orientation behind it.
func jxlSize(head []byte) (outline, error) {
	if len(head) < 4 || string(head[:2]) != jxlCodestream {
		return outline{}, errors.New("it has no codestream")
	}
	b := jxlBits{data: head[2:]}
	var w, h int
	if b.read(1) == 1 { // small: eighths
		h = 8 * (b.read(5) + 1)
		w = b.width(h, func() int { return 8 * (b.read(5) + 1) })
	} else {
		h = b.side()
		w = b.width(h, b.side)
	}
	if b.read(1) == 0 && b.read(1) == 1 && b.read(3) >= 4 { // not all default, extra fields, turned
		w, h = h, w
	}
	if b.short {
		return outline{}, errIncomplete
	}
	return outline{width: w, height: h, foreign: errForeign}, nil
}

// jxlBits reads bits, the lowest of a byte first.
type jxlBits struct {
	data  []byte
	at    int
	short bool
}

func (b *jxlBits) read(n int) (v int) {
	for i := range n {
		if b.at>>3 >= len(b.data) {
			b.short = true
			return 0
		}
		v |= int(b.data[b.at>>3]>>(b.at&7)&1) << i
		b.at++
	}
	return v
}

func (b *jxlBits) side() int { return b.read([]int{9, 13, 18, 30}[b.read(2)]) + 1 }

// width is a ratio to the height, or else read on its own.
func (b *jxlBits) width(h int, read func() int) int {
	ratios := [8][2]int{{}, {1, 1}, {12, 10}, {4, 3}, {3, 2}, {16, 9}, {5, 4}, {2, 1}}
	if r := ratios[b.read(3)]; r[1] != 0 {
		return h * r[0] / r[1]
	}
	return read()
}
