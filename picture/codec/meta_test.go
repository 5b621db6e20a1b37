package codec

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"
)

// gps is what must not be left in a stripped file.
const gps = "GPS 52.5163N 13.3777E"

// exifSegment is an EXIF segment of that byte order with an orientation and a place.
func exifSegment(order binary.AppendByteOrder, orientation uint16) jpegSegment {
	head := "II*\x00"
	if order == binary.AppendByteOrder(binary.BigEndian) {
		head = "MM\x00*"
	}
	b := order.AppendUint32([]byte(head), 8)
	b = order.AppendUint16(b, 2)
	for _, entry := range [][2]uint16{{271, 1}, {274, orientation}} {
		b = order.AppendUint16(order.AppendUint16(b, entry[0]), 3)
		b = order.AppendUint16(order.AppendUint32(b, 1), entry[1])
		b = append(b, 0, 0)
	}
	return newJPEGSegment(0xe1, append([]byte(exifHead), append(b, gps...)...))
}

// jpegWith is a JPEG with those segments before its own.
func jpegWith(t testing.TB, m image.Image, segments ...jpegSegment) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	head, scans, err := jpegSegments(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return joinJPEG(append(segments, head...), scans)
}

// corners is a picture whose corners are red, green, blue and white, clockwise.
func corners() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			c := [4]color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {255, 255, 255, 255}, {0, 0, 255, 255}}[x/32+y/16*2]
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func names(m image.Image) string {
	b := m.Bounds()
	var out strings.Builder
	for _, at := range []image.Point{{4, 4}, {b.Dx() - 5, 4}, {b.Dx() - 5, b.Dy() - 5}, {4, b.Dy() - 5}} {
		r, g, bl, _ := m.At(b.Min.X+at.X, b.Min.Y+at.Y).RGBA()
		switch {
		case r > 40_000 && g > 40_000:
			out.WriteByte('w')
		case r > 40_000:
			out.WriteByte('r')
		case g > 40_000:
			out.WriteByte('g')
		case bl > 40_000:
			out.WriteByte('b')
		}
	}
	return out.String()
}

func TestOrientation(t *testing.T) {
	// What the corners are when the picture is shown, clockwise from the upper left.
	want := []string{1: "rgbw", 2: "grwb", 3: "bwrg", 4: "wbgr", 5: "rwbg", 6: "wrgb", 7: "bgrw", 8: "gbwr"}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for o := uint16(1); o <= 8; o++ {
			data := jpegWith(t, corners(), exifSegment(order, o))
			if got := orientationOf(bytes.NewReader(data)); got != int(o) {
				t.Errorf("%T: orientation %d is read as %d", order, o, got)
			}
			checked, err := check(t, &Checker{Thumbnail: 60}, data)
			if err != nil || checked.ThumbnailErr != nil {
				t.Fatal(err, checked.ThumbnailErr)
			}
			thumb, _, err := image.Decode(bytes.NewReader(checked.Thumbnail.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			if got := names(thumb); got != want[o] {
				t.Errorf("orientation %d is shown as %s, want %s", o, got, want[o])
			}
			if tall := o >= 5; tall != (checked.Height > checked.Width) || tall != (checked.Thumbnail.Height > checked.Thumbnail.Width) {
				t.Errorf("orientation %d is %d x %d with a thumbnail of %d x %d", o, checked.Width, checked.Height, checked.Thumbnail.Width, checked.Thumbnail.Height)
			}
		}
	}
	t.Run("One that says nonsense is upright", func(t *testing.T) {
		for _, o := range []uint16{0, 9, 65535} {
			if got := orientationOf(bytes.NewReader(jpegWith(t, corners(), exifSegment(binary.BigEndian, o)))); got != 1 {
				t.Errorf("%d is read as %d", o, got)
			}
		}
		for _, tiff := range []string{"", "II*\x00", "II*\x00\xff\xff\xff\xff", "MM\x00*\x00\x00\x00\x08\xff\xff", "PK\x03\x04\x00\x00\x00\x08\x00\x01"} {
			if got := orientation([]byte(tiff)); got != 1 {
				t.Errorf("%q is read as %d", tiff, got)
			}
		}
	})
}

// withTexts is a PNG with a chunk of every kind that is to go.
func withTexts(t *testing.T) []byte {
	t.Helper()
	chunks, err := pngChunks(pngOf(t, gradient(20, 10)))
	if err != nil {
		t.Fatal(err)
	}
	last := len(chunks) - 1
	for _, kind := range []string{"tEXt", "zTXt", "iTXt", "eXIf", "tIME"} {
		chunks = append(chunks[:last:last], append([]pngChunk{newPNGChunk(kind, []byte("Comment\x00"+gps))}, chunks[last:]...)...)
	}
	return joinPNG(chunks)
}

// extended is a WebP with a header that says that EXIF and XMP follow, and both.
func extended(t *testing.T) []byte {
	t.Helper()
	simple := unbase64(t, webpLossless)
	chunk := func(kind, data string) string {
		if len(data)%2 == 1 {
			data += "\x00"
		}
		return kind + string(binary.LittleEndian.AppendUint32(nil, uint32(len(data)))) + data
	}
	body := "WEBP" + chunk("VP8X", "\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00") + string(simple[12:]) + chunk("EXIF", gps) + chunk("XMP ", gps+gps)
	return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
}

func TestStrip(t *testing.T) {
	icc := newJPEGSegment(0xe2, []byte("ICC_PROFILE\x00\x01\x01profile"))
	for name, data := range map[string][]byte{
		"A JPEG": append(jpegWith(t, corners(), exifSegment(binary.LittleEndian, 6), icc, newJPEGSegment(0xe1, []byte(xmpHead+gps)), newJPEGSegment(0xed, []byte("Photoshop 3.0\x00"+gps)),
			newJPEGSegment(0xfe, []byte(gps)), newJPEGSegment(0xe2, []byte("MPF\x00"+gps))), []byte(gps)...),
		"A PNG":  withTexts(t),
		"A WebP": extended(t),
	} {
		t.Run(name+" keeps its pixels and nothing of where it was taken", func(t *testing.T) {
			if _, err := check(t, &Checker{}, data); err != nil {
				t.Fatalf("the sample itself: %v", err)
			}
			out, err := Strip(data)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(out, []byte("GPS")) || len(out) >= len(data) {
				t.Errorf("%d of %d bytes are left, the place among them: %t", len(out), len(data), bytes.Contains(out, []byte("GPS")))
			}
			before, after := decoded(t, data), decoded(t, out)
			if !samePixels(before, after) {
				t.Error("the pixels are others")
			}
			again, err := Strip(out)
			if err != nil || !bytes.Equal(again, out) {
				t.Errorf("stripping again changes it: %v", err)
			}
			if name == "A JPEG" && (orientationOf(bytes.NewReader(out)) != 6 || !bytes.Contains(out, []byte("ICC_PROFILE"))) {
				t.Error("how it is turned, or its colours, are lost")
			}
		})
	}
	t.Run("What is no picture is an error", func(t *testing.T) {
		for _, data := range []string{"", "<svg/>", pngMagic + "\x00\x00", "\xff\xd8\xff\xe1\xff\xff", "RIFF\x00\x00\x00\x00WEBPVP8 \xff\xff\xff\xff"} {
			if _, err := Strip([]byte(data)); err == nil {
				t.Errorf("%q was stripped", data)
			}
		}
	})
}

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	f, stranger := sniff(data)
	if stranger != nil {
		t.Fatal(stranger)
	}
	m, err := f.decode(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func samePixels(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

func TestAnnotate(t *testing.T) {
	n := Notes{Prompt: "一只<红色>的\"风筝\" & more", Provider: "sketch", Model: "m", Seed: "42", Task: "81234"}
	for name, data := range map[string][]byte{"A PNG": pngOf(t, gradient(20, 10)), "A JPEG": jpegWith(t, corners(), exifSegment(binary.BigEndian, 3))} {
		t.Run(name+" carries the notes, and its pixels are the same", func(t *testing.T) {
			out := Annotate(data, n)
			if !samePixels(decoded(t, data), decoded(t, out)) || bytes.Equal(out, data) {
				t.Error("the pixels are others, or nothing was written")
			}
			if _, err := check(t, &Checker{}, out); err != nil {
				t.Error(err)
			}
			for _, want := range []string{"红色", "81234", "42", "easel"} {
				if !bytes.Contains(out, []byte(want)) {
					t.Errorf("%q is not in it", want)
				}
			}
			if stripped, err := Strip(out); err != nil || bytes.Contains(stripped, []byte("81234")) {
				t.Errorf("Strip leaves the notes: %v", err)
			}
		})
	}
	t.Run("Of a prompt that is too long for a JPEG the beginning is kept", func(t *testing.T) {
		long := n
		long.Prompt = strings.Repeat("风", 32_000)
		out := Annotate(jpegWith(t, corners()), long)
		if _, err := check(t, &Checker{}, out); err != nil || !bytes.Contains(out, []byte("风风风")) {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
	t.Run("A file that has notes of its own keeps them, and what is no PNG or JPEG is left alone", func(t *testing.T) {
		for _, data := range [][]byte{jpegWith(t, corners(), newJPEGSegment(0xe1, []byte(xmpHead+"theirs"))), gifOf(t, 4, 4, 1), unbase64(t, webpLossy), []byte("<svg/>"), nil} {
			if out := Annotate(data, n); !bytes.Equal(out, data) {
				t.Errorf("%.20q was changed", data)
			}
		}
	})
}

func TestFit(t *testing.T) {
	data := pngOf(t, noise(700, 500))
	t.Run("A picture that is small enough comes back as it is", func(t *testing.T) {
		out, kind, err := (&Checker{}).Fit(t.Context(), data, int64(len(data)))
		if err != nil || kind != "image/png" || !bytes.Equal(out, data) {
			t.Errorf("%d of %d bytes, %s, %v", len(out), len(data), kind, err)
		}
	})
	t.Run("A larger one is scaled down until it fits", func(t *testing.T) {
		out, kind, err := (&Checker{}).Fit(t.Context(), data, 200_000)
		if err != nil || kind != "image/jpeg" || len(out) > 200_000 {
			t.Fatalf("%d bytes, %s, %v", len(out), kind, err)
		}
		if _, err := check(t, &Checker{}, out); err != nil {
			t.Error(err)
		}
	})
	t.Run("A turned one is upright afterwards", func(t *testing.T) {
		turned := jpegWith(t, noise(900, 300), exifSegment(binary.BigEndian, 6))
		out, _, err := (&Checker{}).Fit(t.Context(), turned, int64(len(turned))/2)
		if err != nil {
			t.Fatal(err)
		}
		if m := decoded(t, out); m.Bounds().Dy() <= m.Bounds().Dx() {
			t.Errorf("it is %v", m.Bounds())
		}
	})
	t.Run("A limit that nothing meets is an error", func(t *testing.T) {
		if _, _, err := (&Checker{}).Fit(t.Context(), data, 100); err == nil {
			t.Error("it fits into 100 bytes")
		}
	})
}

// noise is a picture that does not compress.
func noise(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	state := uint32(1)
	for i := range m.Pix {
		state = state*1664525 + 1013904223
		m.Pix[i] = byte(state >> 24)
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte(pngMagic))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x08Exif\x00\x00\xff\xda\x00\x02\xff\xd9"))
	f.Add([]byte("RIFF\x10\x00\x00\x00WEBPVP8X\x04\x00\x00\x00abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		orientationOf(bytes.NewReader(data))
		Annotate(data, Notes{Prompt: string(data), Task: "1"})
		out, err := Strip(data)
		if err != nil {
			return
		}
		if again, err := Strip(out); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("stripping twice: %v", err)
		}
	})
}
