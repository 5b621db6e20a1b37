package codec

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

func TestThumbnail(t *testing.T) {
	t.Run("The longest side is shortened and the shape kept", func(t *testing.T) {
		for _, c := range []struct{ w, h, wantW, wantH int }{
			{1024, 512, 512, 256}, {600, 3000, 102, 512}, {3000, 2, 512, 1}, {512, 512, 512, 512}, {3, 5, 3, 5},
		} {
			_, got, err := thumbnails(gradient(c.w, c.h), 4096, 512)
			if err != nil {
				t.Fatal(err)
			}
			m, err := jpeg.Decode(bytes.NewReader(got.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			if size := m.Bounds().Size(); size != image.Pt(c.wantW, c.wantH) || size != image.Pt(got.Width, got.Height) {
				t.Errorf("%d x %d becomes %v and says %d x %d, want %d x %d", c.w, c.h, size, got.Width, got.Height, c.wantW, c.wantH)
			}
		}
	})
	t.Run("A picture that something shines through keeps that", func(t *testing.T) {
		m := gradient(30, 30)
		m.SetNRGBA(3, 3, color.NRGBA{})
		_, got, err := thumbnails(m, 1024, 512)
		if err != nil || got.ContentType != "image/png" || got.Extension != "png" {
			t.Fatalf("got %s, %s, %v, want a PNG", got.ContentType, got.Extension, err)
		}
		small, err := png.Decode(bytes.NewReader(got.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, a := small.At(3, 3).RGBA(); a != 0 {
			t.Errorf("the hole has alpha %d", a)
		}
	})
	t.Run("A thumbnail resembles its picture", func(t *testing.T) {
		m := image.NewNRGBA(image.Rect(0, 0, 5000, 100))
		for y := range 100 {
			for x := range 5000 {
				m.SetNRGBA(x, y, color.NRGBA{R: uint8(x / 20), A: 255})
			}
		}
		small := shrink(m, 500)
		for _, x := range []int{50, 250, 450} {
			if got, want := int(small.RGBAAt(x, 5).R), x/2; got < want-3 || got > want+3 {
				t.Errorf("red at %d is %d, want about %d", x, got, want)
			}
		}
	})
}
