package paint

import (
	"image"

	"golang.org/x/image/draw"
)

// echo blends pictures over a scene, side by side with soft borders.
type echo struct {
	inputs []*image.RGBA
	width  float64 // of the picture, where its height is 1
}

const (
	echoSide     = 512 // pixels; longer inputs are not remembered more sharply
	echoStrength = 0.72
)

func newEcho(inputs []image.Image, width float64) *echo {
	if len(inputs) == 0 {
		return nil
	}
	e := &echo{width: width}
	for _, m := range inputs {
		size := m.Bounds().Size()
		if longest := max(size.X, size.Y); longest > echoSide {
			size = image.Pt(max(1, size.X*echoSide/longest), max(1, size.Y*echoSide/longest))
		}
		copied := image.NewRGBA(image.Rectangle{Max: size})
		draw.ApproxBiLinear.Scale(copied, copied.Rect, m, m.Bounds(), draw.Src, nil)
		e.inputs = append(e.inputs, copied)
	}
	return e
}

// over lays the inputs over c. What shines through an input shows the scene.
func (e *echo) over(c rgb, x, y float64) rgb {
	u := x / e.width
	place := u*float64(len(e.inputs)) - 0.5
	i := max(0, min(int(place), len(e.inputs)-1))
	seen, alpha := e.sample(i, u, y)
	if i+1 < len(e.inputs) {
		next, alphaNext := e.sample(i+1, u, y)
		t := smooth(0.35, 0.65, place-float64(i))
		seen, alpha = mix(seen, next, t), lerp(alpha, alphaNext, t)
	}
	// The scene's own light stays visible as a tint.
	tinted := rgb{seen.r * (0.7 + 0.5*c.r), seen.g * (0.7 + 0.5*c.g), seen.b * (0.7 + 0.5*c.b)}
	return mix(c, tinted, echoStrength*alpha)
}

// sample returns the colour and the opacity of input i, which covers the whole
// picture and is cut where it is too long.
func (e *echo) sample(i int, u, v float64) (rgb, float64) {
	m := e.inputs[i]
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	if ratio := e.width / (w / h); ratio > 1 {
		v = 0.5 + (v-0.5)/ratio
	} else {
		u = 0.5 + (u-0.5)*ratio
	}
	x, y := max(0, u*w-0.5), max(0, v*h-0.5)
	x0, y0 := min(int(x), m.Rect.Dx()-1), min(int(y), m.Rect.Dy()-1)
	x1, y1 := min(x0+1, m.Rect.Dx()-1), min(y0+1, m.Rect.Dy()-1)
	top, topA := blend(m, x0, x1, y0, x-float64(x0))
	low, lowA := blend(m, x0, x1, y1, x-float64(x0))
	c, a := mix(top, low, clamp(y-float64(y0))), lerp(topA, lowA, clamp(y-float64(y0)))
	if a > 0 {
		c = c.times(1 / a) // RGBA holds colours multiplied by their opacity
	}
	return c, a
}

func blend(m *image.RGBA, x0, x1, y int, t float64) (rgb, float64) {
	a, b := m.Pix[m.PixOffset(x0, y):], m.Pix[m.PixOffset(x1, y):]
	v := func(k int) float64 { return lerp(float64(a[k]), float64(b[k]), clamp(t)) / 255 }
	return rgb{channel(v(0)), channel(v(1)), channel(v(2))}, v(3)
}
