package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

// maxTiles is how many tiles a side may be cut into.
const maxTiles = 4

// Split cuts the picture in r into side times side equal tiles, by rows, and returns
// each as a PNG. What Check refuses it refuses; so it does a picture that cannot be
// cut evenly to the pixel, which is no grid.
func (c *Checker) Split(ctx context.Context, r io.ReadSeeker, side int) ([][]byte, error) {
	if side < 2 || side > maxTiles {
		return nil, refuse("a picture is cut into 2 to %d tiles a side, not %d", maxTiles, side)
	}
	l := c.Limits.WithDefaults()
	info, head, err := measure(ctx, r, l.Bytes)
	if err != nil {
		return nil, err
	}
	f, err := sniff(head)
	if err != nil {
		return nil, err
	}
	cost, err := f.survey(r, &info, l)
	if err != nil {
		return nil, err
	}
	if info.Width%side != 0 || info.Height%side != 0 {
		return nil, refuse("the picture is %d x %d pixels, which is no grid of %d x %d", info.Width, info.Height, side, side)
	}
	free, err := c.reserve(ctx, cost+4*int64(info.Width)*int64(info.Height))
	if err != nil {
		return nil, err
	}
	defer free()
	m, err := f.whole(r, info)
	if err != nil {
		return nil, err
	}
	return cutUp(m, side)
}

func cutUp(m image.Image, side int) ([][]byte, error) {
	w, h := m.Bounds().Dx()/side, m.Bounds().Dy()/side
	tiles := make([][]byte, 0, side*side)
	for row := range side {
		for column := range side {
			tile := image.NewNRGBA(image.Rect(0, 0, w, h))
			draw.Draw(tile, tile.Rect, m, m.Bounds().Min.Add(image.Pt(column*w, row*h)), draw.Src)
			var b bytes.Buffer
			if err := png.Encode(&b, tile); err != nil {
				return nil, fmt.Errorf("encode a tile: %w", err)
			}
			tiles = append(tiles, b.Bytes())
		}
	}
	return tiles, nil
}
