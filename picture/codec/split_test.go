package codec

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

func TestSplit(t *testing.T) {
	grid := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for y := range 20 {
		for x := range 40 {
			grid.SetNRGBA(x, y, color.NRGBA{uint8(x / 20 * 100), uint8(y / 10 * 100), 7, 200})
		}
	}
	t.Run("A grid is cut by rows, to the pixel", func(t *testing.T) {
		tiles, err := (&Checker{}).Split(t.Context(), bytes.NewReader(pngOf(t, grid)), 2)
		if err != nil || len(tiles) != 4 {
			t.Fatalf("%d tiles, %v", len(tiles), err)
		}
		for i, tile := range tiles {
			m, err := png.Decode(bytes.NewReader(tile))
			if err != nil || m.Bounds() != image.Rect(0, 0, 20, 10) {
				t.Fatalf("tile %d: %v, %v", i, m.Bounds(), err)
			}
			want := color.NRGBA{uint8(i % 2 * 100), uint8(i / 2 * 100), 7, 200}
			for _, at := range []image.Point{{}, {X: 19, Y: 9}} {
				if got := m.At(at.X, at.Y); got != want {
					t.Errorf("tile %d at %v: %v, want %v", i, at, got, want)
				}
			}
		}
	})
	t.Run("Cutting it again gives the same bytes", func(t *testing.T) {
		first, _ := (&Checker{}).Split(t.Context(), bytes.NewReader(pngOf(t, grid)), 2)
		second, _ := (&Checker{}).Split(t.Context(), bytes.NewReader(pngOf(t, grid)), 2)
		for i := range first {
			if !bytes.Equal(first[i], second[i]) {
				t.Errorf("tile %d differs", i)
			}
		}
	})
	for name, data := range map[string][]byte{"A picture that cannot be cut evenly": pngOf(t, gradient(41, 20)), "What is no picture": []byte("<html>"),
		"A header that announces gigabytes": pngHeader(50_000, 50_000), "Half a picture": pngOf(t, grid)[:80]} {
		t.Run(name+" is refused", func(t *testing.T) {
			if _, err := (&Checker{}).Split(t.Context(), bytes.NewReader(data), 2); err == nil {
				t.Error("it was cut")
			}
		})
	}
	t.Run("A number of tiles that is none is refused", func(t *testing.T) {
		for _, side := range []int{-1, 0, 1, 5} {
			if _, err := (&Checker{}).Split(t.Context(), bytes.NewReader(pngOf(t, grid)), side); err == nil {
				t.Errorf("%d was accepted", side)
			}
		}
	})
}
