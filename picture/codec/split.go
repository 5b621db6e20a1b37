package codec

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
	e, err := c.examine(ctx, r)
	if err != nil {
		return nil, e.blamed(err)
	}
	if e.info.Width%side != 0 || e.info.Height%side != 0 {
		return nil, e.blamed(refuse("the picture is %d x %d pixels, which is no grid of %d x %d", e.info.Width, e.info.Height, side, side))
	}
	m, free, err := c.decode(ctx, e, 4*int64(e.info.Width)*int64(e.info.Height))
	if err != nil {
		return nil, e.blamed(err)
	}
	defer free()
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
