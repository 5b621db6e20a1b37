package codec

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// errLayout says that a file's parts are not where its format has them.
var errLayout = errors.New("the file's parts are not in order")

const pngMagic = "\x89PNG\r\n\x1a\n"

// pngChunk is one chunk of a PNG, whole: length, type, data and sum.
type pngChunk struct {
	kind string
	raw  []byte
}

// pngChunks returns the chunks of a PNG in order (PNG specification, section 5). What
// comes after the last one is left out.
func pngChunks(data []byte) ([]pngChunk, error) {
	if len(data) < 8 || string(data[:8]) != pngMagic {
		return nil, errLayout
	}
	var all []pngChunk
	for at := 8; ; {
		if len(data)-at < 12 {
			return nil, errLayout
		}
		n := int64(binary.BigEndian.Uint32(data[at:]))
		if n > int64(len(data)-at-12) {
			return nil, errLayout
		}
		c := pngChunk{string(data[at+4 : at+8]), data[at : at+12+int(n)]}
		all = append(all, c)
		at += len(c.raw)
		if c.kind == "IEND" {
			return all, nil
		}
	}
}

// newPNGChunk makes a chunk.
func newPNGChunk(kind string, data []byte) pngChunk {
	raw := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	raw = append(append(raw, kind...), data...)
	return pngChunk{kind, binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw[4:]))}
}

func joinPNG(chunks []pngChunk) []byte {
	out := []byte(pngMagic)
	for _, c := range chunks {
		out = append(out, c.raw...)
	}
	return out
}

// jpegSegment is one segment of a JPEG before its scans: marker, length and data.
type jpegSegment struct {
	marker byte
	raw    []byte
}

func (s jpegSegment) data() []byte {
	if len(s.raw) < 4 {
		return nil
	}
	return s.raw[4:]
}

// jpegSegments returns the segments before the first scan, and all from there on
// (ITU T.81, annex B).
func jpegSegments(data []byte) (head []jpegSegment, scans []byte, err error) {
	if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
		return nil, nil, errLayout
	}
	for at := 2; ; {
		for at+1 < len(data) && data[at] == 0xff && data[at+1] == 0xff {
			at++ // fill bytes
		}
		if at+4 > len(data) || data[at] != 0xff {
			return nil, nil, errLayout
		}
		marker := data[at+1]
		switch {
		case marker == 0xda: // start of scan
			return head, data[at:], nil
		case marker == 0xd8 || marker == 0xd9 || marker == 0 || marker >= 0xd0 && marker <= 0xd7 || marker == 1:
			return nil, nil, errLayout
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			return nil, nil, errLayout
		}
		head = append(head, jpegSegment{marker, data[at : at+2+n]})
		at += 2 + n
	}
}

// maxSegment is what a JPEG segment can hold beside its length.
const maxSegment = 65_533

func newJPEGSegment(marker byte, data []byte) jpegSegment {
	raw := []byte{0xff, marker}
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(data)+2))
	return jpegSegment{marker, append(raw, data...)}
}

func joinJPEG(head []jpegSegment, scans []byte) []byte {
	out := []byte{0xff, 0xd8}
	for _, s := range head {
		out = append(out, s.raw...)
	}
	return append(out, scans...)
}
