package codec

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

const exifHead = "Exif\x00\x00"

// exifRead is how far into a JPEG an orientation is looked for: its segment is one of
// the first, and holds 64 kB at most.
const exifRead = 256 << 10

// orientationOf reads the orientation of a JPEG, 1 to 8; 1 is upright, and what a file
// has that does not say (Exif 2.3, section 4.6.4, tag 274).
func orientationOf(r io.ReadSeeker) int {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 1
	}
	head, err := io.ReadAll(io.LimitReader(r, exifRead))
	if err != nil {
		return 1
	}
	segments, _, err := jpegSegments(head)
	if err != nil && len(segments) == 0 {
		segments = firstSegments(head)
	}
	for _, s := range segments {
		if s.marker == 0xe1 && bytes.HasPrefix(s.data(), []byte(exifHead)) {
			return orientation(s.data()[len(exifHead):])
		}
	}
	return 1
}

// firstSegments are those of a JPEG whose scans begin beyond what was read.
func firstSegments(data []byte) (head []jpegSegment) {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			return head
		}
		head = append(head, jpegSegment{data[at+1], data[at : at+2+n]})
		at += 2 + n
	}
	return head
}

// orientation reads the tag from the first directory of a TIFF structure.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at < 8 || at+2 > int64(len(tiff)) {
		return 1
	}
	entries := int64(order.Uint16(tiff[at:]))
	for i := range entries {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(tiff)) {
			return 1
		}
		const tag, short = 274, 3
		if order.Uint16(tiff[entry:]) == tag && order.Uint16(tiff[entry+2:]) == short {
			if v := order.Uint16(tiff[entry+8:]); v >= 1 && v <= 8 {
				return int(v)
			}
			return 1
		}
	}
	return 1
}

// exifOf is an EXIF segment that says an orientation and nothing else.
func exifOf(orientation int) jpegSegment {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01")                       // big-endian, a directory of one entry
	tiff = append(tiff, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(orientation)) // tag 274, one short
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)                                   // no more values, no more directories
	return newJPEGSegment(0xe1, append([]byte(exifHead), tiff...))
}

// upright turns and mirrors a picture as its orientation says that it is to be shown.
type upright struct {
	image.Image
	orientation int
}

func turned(m image.Image, orientation int) image.Image {
	if orientation <= 1 || orientation > 8 {
		return m
	}
	return upright{m, orientation}
}

func (u upright) Bounds() image.Rectangle {
	size := u.Image.Bounds().Size()
	if u.orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	return image.Rectangle{Max: size}
}

func (u upright) At(x, y int) color.Color {
	b := u.Image.Bounds()
	w, h := b.Dx(), b.Dy()
	switch u.orientation {
	case 2:
		x = w - 1 - x
	case 3:
		x, y = w-1-x, h-1-y
	case 4:
		y = h - 1 - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, h-1-x
	case 7:
		x, y = w-1-y, h-1-x
	case 8:
		x, y = w-1-y, x
	}
	return u.Image.At(b.Min.X+x, b.Min.Y+y)
}
