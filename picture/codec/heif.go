package codec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
)

const (
	// maxMeta bounds the box that describes a HEIF picture: a few thousand bytes, more
	// where it is cut into many tiles.
	maxMeta = 4 << 20
	// maxBoxes bounds the boxes of a file beside each other.
	maxBoxes = 10_000
	// maxExtents bounds the parts that its items lie in: two or three for each tile.
	maxExtents = 100_000
)

// boxes recognises ISO base media files (ISO 14496-12) by their major brand.
func boxes(brands ...string) func([]byte) bool {
	return func(head []byte) bool {
		return len(head) >= 12 && string(head[4:8]) == "ftyp" && begins(brands...)(head[8:])
	}
}

// outlineHEIF reads an AVIF or HEIF file (ISO 23008-12): how large its primary picture
// is when it is shown, and whether its boxes, and all places in the file that these
// point at, are there.
func outlineHEIF(r *bufio.Reader, size int64) (outline, error) {
	var meta []byte
	for at, count := int64(0), 0; at < size; count++ {
		kind, n, head, err := box(r, size-at)
		switch {
		case err != nil:
			return outline{}, err
		case count == maxBoxes:
			return outline{}, errors.New("it has too many boxes")
		case at+n > size:
			return outline{}, errIncomplete
		case kind == "meta" && n-head <= maxMeta && meta == nil:
			meta, err = io.ReadAll(io.LimitReader(r, n-head))
		default:
			err = skip(r, n-head)
		}
		if err != nil {
			return outline{}, err
		}
		at += n
	}
	m, err := readMeta(meta)
	if err != nil {
		return outline{}, err
	}
	if m.end > size {
		return outline{}, errIncomplete
	}
	shown := m.shown()
	return outline{width: shown.X, height: shown.Y, foreign: errForeign}, nil
}

// box reads the head of a box. N is how long the whole is; a box that says no length
// takes all that is left.
func box(r io.Reader, left int64) (kind string, n, head int64, err error) {
	var b [16]byte
	if _, err := io.ReadFull(r, b[:8]); err != nil {
		return "", 0, 0, ended(err)
	}
	n, head = int64(binary.BigEndian.Uint32(b[:])), 8
	switch n {
	case 0:
		n = left
	case 1:
		if _, err := io.ReadFull(r, b[8:]); err != nil {
			return "", 0, 0, ended(err)
		}
		large := binary.BigEndian.Uint64(b[8:])
		if large > 1<<62 {
			return "", 0, 0, errIncomplete
		}
		n, head = int64(large), 16
	}
	if n < head {
		return "", 0, 0, errLayout
	}
	return string(b[4:8]), n, head, nil
}

// heif is what the box meta says.
type heif struct {
	primary    uint32
	properties []property
	of         []int // properties of the primary picture, by index from 1
	end        int64 // the furthest byte of the file that an item lies at
}

// property is a box of ipco.
type property struct {
	kind string
	data []byte
}

// readMeta reads the boxes in meta (ISO 14496-12, 8.11).
func readMeta(meta []byte) (heif, error) {
	var m heif
	if len(meta) < 4 {
		return m, errors.New("it does not describe a picture")
	}
	parts := children(meta[4:])
	if p, ok := parts["pitm"]; ok {
		f := fields{data: p}
		version := f.uint(1)
		f.skip(3)
		m.primary = uint32(f.uint(2 + 2*int(min(version, 1))))
		if f.short {
			return m, errLayout
		}
	}
	inner := children(parts["iprp"])
	m.properties = list(inner["ipco"])
	if err := m.associate(inner["ipma"]); err != nil {
		return m, err
	}
	if err := m.locate(parts["iloc"]); err != nil {
		return m, err
	}
	if m.shown() == (image.Point{}) {
		return m, errors.New("it does not say how large it is")
	}
	return m, nil
}

// children are the boxes in b by kind, the first of each.
func children(b []byte) map[string][]byte {
	found := make(map[string][]byte)
	for _, p := range list(b) {
		if _, known := found[p.kind]; !known {
			found[p.kind] = p.data
		}
	}
	return found
}

// list is the boxes in b in order, up to the first that is none.
func list(b []byte) (all []property) {
	for len(b) > 0 && len(all) < maxBoxes {
		kind, n, head, err := box(bytes.NewReader(b), int64(len(b)))
		if err != nil || n > int64(len(b)) {
			return all
		}
		all = append(all, property{kind, b[head:n]})
		b = b[n:]
	}
	return all
}

// associate reads which properties the primary picture has (ISO 23008-12, 9.3.1).
func (m *heif) associate(ipma []byte) error {
	f := fields{data: ipma}
	version := f.uint(1)
	f.skip(2)
	wide := f.uint(1)&1 != 0
	for range f.uint(4) {
		item := uint32(f.uint(2 + 2*int(min(version, 1))))
		for range f.uint(1) {
			index := int(f.uint(1)) & 0x7f
			if wide {
				index = index<<8 | int(f.uint(1))
			}
			if item == m.primary {
				m.of = append(m.of, index)
			}
		}
		if f.short {
			return errLayout
		}
	}
	return nil
}

// locate reads where in the file items lie (ISO 14496-12, 8.11.3).
func (m *heif) locate(iloc []byte) error {
	f := fields{data: iloc}
	version := f.uint(1)
	f.skip(3)
	sizes, more := f.uint(1), f.uint(1)
	offset, length, base, index := int(sizes>>4), int(sizes&15), int(more>>4), int(more&15)
	if version == 0 {
		index = 0
	}
	wide := 0
	if version >= 2 {
		wide = 2
	}
	extents := 0
	for range f.uint(2 + wide) {
		f.skip(2 + wide)
		method := uint64(0)
		if version >= 1 {
			method = f.uint(2) & 15
		}
		f.skip(2)
		from := f.uint(base)
		count := int(f.uint(2))
		if extents += count; extents > maxExtents {
			return errors.New("it is in too many parts")
		}
		for range count {
			f.skip(index)
			end := from + f.uint(offset) + f.uint(length)
			if end > 1<<62 {
				return errLayout
			}
			if method == 0 {
				m.end = max(m.end, int64(end))
			}
			if f.short {
				return errLayout
			}
		}
		if f.short {
			return errLayout
		}
	}
	return nil
}

// shown is how large the primary picture is after it is cropped and turned, in the
// order in which it has these properties (ISO 23008-12, 6.5).
func (m *heif) shown() (size image.Point) {
	for _, index := range m.of {
		if index < 1 || index > len(m.properties) {
			continue
		}
		p := m.properties[index-1]
		f := fields{data: p.data}
		switch p.kind {
		case "ispe":
			f.skip(4)
			size = image.Pt(f.side(), f.side())
		case "clap":
			w, h := fraction(&f), fraction(&f)
			if !f.short && w > 0 && h > 0 && w <= size.X && h <= size.Y {
				size = image.Pt(w, h)
			}
		case "irot":
			if f.uint(1)&1 != 0 {
				size.X, size.Y = size.Y, size.X
			}
		}
	}
	return size
}

func fraction(f *fields) int {
	n, d := f.side(), f.side()
	if d == 0 {
		return 0
	}
	return n / d
}

// fields reads big-endian numbers; beyond the end it reads zeros and remembers it.
type fields struct {
	data  []byte
	short bool
}

func (f *fields) skip(n int) { f.take(n) }

func (f *fields) take(n int) []byte {
	if n > len(f.data) {
		f.data, f.short = nil, true
		return nil
	}
	b := f.data[:n]
	f.data = f.data[n:]
	return b
}

func (f *fields) uint(n int) (v uint64) {
	for _, b := range f.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

// side is a number of 32 bits, and 0 if it is none of pixels.
func (f *fields) side() int {
	if v := f.uint(4); v < 1<<31 {
		return int(v)
	}
	return 0
}
