package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Strip returns the picture without what was written beside it: where and with what
// it was taken, by whom, and what programs have noted. Its pixels stay as they are,
// byte for byte, and so do colour profiles and, of a JPEG, how it is to be turned. A
// file whose parts cannot be told apart is an error; a picture that Check has
// accepted is none of these.
func Strip(data []byte) ([]byte, error) {
	f, stranger := sniff(data[:min(len(data), prefixLen)])
	if stranger != nil {
		return nil, stranger
	}
	var out []byte
	var err error
	switch f.extension {
	case "png":
		out, err = stripPNG(data)
	case "jpg":
		out, err = stripJPEG(data)
	case "webp":
		out, err = stripWebP(data)
	case "gif":
		return data, nil // it has comments at most
	default:
		err = errForeign
	}
	if err != nil {
		return nil, &Error{Message: "what is written in the " + f.name + " file beside its picture cannot be told apart", Cause: err}
	}
	return out, nil
}

func stripPNG(data []byte) ([]byte, error) {
	chunks, err := pngChunks(data)
	if err != nil {
		return nil, err
	}
	return joinPNG(slices.DeleteFunc(chunks, func(c pngChunk) bool {
		return slices.Contains([]string{"tEXt", "zTXt", "iTXt", "eXIf", "tIME"}, c.kind)
	})), nil
}

// stripJPEG keeps JFIF, the colour profile and Adobe's note on colours, without which
// decoders see others.
func stripJPEG(data []byte) ([]byte, error) {
	head, scans, err := jpegSegments(data)
	if err != nil {
		return nil, err
	}
	turn := 1
	kept := slices.DeleteFunc(slices.Clone(head), func(s jpegSegment) bool {
		switch {
		case s.marker == 0xe1 && bytes.HasPrefix(s.data(), []byte(exifHead)):
			turn = orientation(s.data()[len(exifHead):])
			return true
		case s.marker == 0xe0 || s.marker == 0xee || s.marker == 0xe2 && bytes.HasPrefix(s.data(), []byte("ICC_PROFILE\x00")):
			return false
		}
		return s.marker >= 0xe0 && s.marker <= 0xef || s.marker == 0xfe
	})
	if turn > 1 {
		at := 0
		if len(kept) > 0 && kept[0].marker == 0xe0 {
			at = 1 // JFIF comes first
		}
		kept = slices.Insert(kept, at, exifOf(turn))
	}
	return joinJPEG(kept, endOfJPEG(scans)), nil
}

// endOfJPEG leaves out what comes after the picture's end, such as a second picture.
func endOfJPEG(scans []byte) []byte {
	if end := bytes.LastIndex(scans, []byte{0xff, 0xd9}); end >= 0 {
		return scans[:end+2]
	}
	return scans
}

// stripWebP takes the chunks EXIF and XMP out of an extended file, and what says that
// they are there (WebP container specification).
func stripWebP(data []byte) ([]byte, error) {
	if len(data) < 12 {
		return nil, errLayout
	}
	out := slices.Clone(data[:12])
	for at := 12; at < len(data); {
		if len(data)-at < 8 {
			return nil, errLayout
		}
		n := int64(binary.LittleEndian.Uint32(data[at+4:]))
		whole := 8 + n + n%2
		if n > int64(len(data)-at-8) {
			return nil, errLayout
		}
		chunk := data[at:min(at+int(whole), len(data))]
		at += int(whole)
		switch string(chunk[:4]) {
		case "EXIF", "XMP ":
			continue
		case "VP8X":
			chunk = slices.Clone(chunk)
			if len(chunk) > 8 {
				chunk[8] &^= 0x0c // the flags of EXIF and XMP
			}
		}
		out = append(out, chunk...)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out, nil
}
