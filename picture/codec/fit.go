package codec

import (
	"bytes"
	"context"
	"image/jpeg"
	"image/png"
)

// fitSides are the longest sides that Fit tries, one after the other.
var fitSides = []int{4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256}

// Fit returns the picture with at most limit bytes, scaled down until it is so small;
// one that is small enough comes back as it is. It is a JPEG then, or a PNG where
// something shines through. What Check refuses it refuses.
func (c *Checker) Fit(ctx context.Context, data []byte, limit int64) (fitted []byte, contentType string, err error) {
	r := bytes.NewReader(data)
	e, err := c.examine(ctx, r)
	if err != nil {
		return nil, "", e.blamed(err)
	}
	if e.info.Size <= limit {
		return data, e.info.ContentType, nil
	}
	m, free, err := c.decode(ctx, e, shrinkCost(e.info.Width, e.info.Height, fitSides[0]))
	if err != nil {
		return nil, "", e.blamed(err)
	}
	defer free()
	for _, side := range fitSides {
		small := shrink(m, side)
		var b bytes.Buffer
		contentType := "image/jpeg"
		if small.Opaque() {
			err = jpeg.Encode(&b, small, &jpeg.Options{Quality: 90})
		} else {
			contentType, err = "image/png", png.Encode(&b, small)
		}
		if err != nil {
			return nil, "", err
		}
		if int64(b.Len()) <= limit {
			return b.Bytes(), contentType, nil
		}
		m = small
	}
	return nil, "", refuse("the picture cannot be made so small that it has %d bytes", limit)
}
