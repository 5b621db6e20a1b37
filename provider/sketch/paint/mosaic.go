package paint

import "math"

// mosaic is a grid of tiles with circles, arcs, leaves and stripes in few colours.
type mosaic struct {
	frame
	cells  float64 // tiles along the height
	colors []rgb
	tiles  noise
	grain  noise
}

func newMosaic(f frame) *mosaic {
	hue := f.between(0, 360)
	away := []float64{150, 180, 210}[f.rnd.IntN(3)]
	c := 0.13 * f.vivid
	palette := []lch{
		{0.94, 0.03, hue + 40}, {0.3, 0.06 * f.vivid, hue + 10}, {0.66, c, hue},
		{0.72, c, hue + away}, {0.83, 0.1 * f.vivid, hue + 50}, {0.5, c, hue - 25},
	}
	if f.chance(0.4) { // by night
		palette[0], palette[1] = palette[1], palette[0]
	}
	m := &mosaic{frame: f, tiles: noise(f.rnd.Uint64()), grain: noise(f.rnd.Uint64())}
	m.cells = float64(3 + f.rnd.IntN(3) + f.detail)
	for _, k := range palette {
		m.colors = append(m.colors, k.rgb())
	}
	return m
}

func (m *mosaic) at(x, y float64) rgb {
	x, y = x*m.cells, y*m.cells
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	u, v := x-float64(ix), y-float64(iy)
	if m.tiles.hash(ix>>1, iy>>1+1000) < 0.16 { // four tiles make a large one
		ix, iy = ix>>1, iy>>1
		u, v = x/2-float64(ix), y/2-float64(iy)
		return m.light(m.tile(ix+5000, iy, u, v, 2), x, y)
	}
	return m.light(m.tile(ix, iy, u, v, 1), x, y)
}

// light lays a soft light from above over the tiles.
func (m *mosaic) light(c rgb, x, y float64) rgb {
	return c.times(0.93 + 0.1*m.grain.sum(x*0.35, y*0.35, 2) - 0.04*y/m.cells)
}

func (m *mosaic) pick(ix, iy, salt, from int) rgb {
	n := len(m.colors) - from
	return m.colors[from+int(m.tiles.hash(ix+salt*131, iy-salt*57)*float64(n))]
}

// tile colours one tile; u and v go from 0 to 1 in it, size is its side.
func (m *mosaic) tile(ix, iy int, u, v, size float64) rgb {
	ground := m.colors[0]
	if m.tiles.hash(ix, iy+300) < 0.3 {
		ground = m.pick(ix, iy, 1, 1)
	}
	first, second := m.pick(ix, iy, 2, 1), m.pick(ix, iy, 3, 0)
	turns := int(m.tiles.hash(ix, iy+400) * 4)
	for range turns {
		u, v = v, 1-u
	}
	edge := func(d float64) float64 { return m.edge(d * size / m.cells) }
	near, far := math.Hypot(u, v), math.Hypot(1-u, 1-v)
	middle := math.Hypot(u-0.5, v-0.5)
	switch int(m.tiles.hash(ix, iy+500) * 8) {
	case 0: // a quarter of a disc
		return mix(mix(ground, first, edge(1-near)), second, edge(0.5-near))
	case 1: // a leaf
		return mix(ground, first, edge(min(1-near, 1-far)))
	case 2: // a disc with an eye
		return mix(mix(ground, first, edge(0.42-middle)), second, edge(0.18-middle))
	case 3: // arcs
		c := ground
		for r := 1.0; r > 0.1; r -= 0.2 {
			c, first, second = mix(c, first, edge(r-near)), ground, first
		}
		return c
	case 4: // two half discs
		c := mix(ground, first, edge(0.5-math.Hypot(u-0.5, v)))
		return mix(c, second, edge(0.5-math.Hypot(u-0.5, v-1)))
	case 5: // a triangle
		return mix(ground, first, edge((u-v)*math.Sqrt2/2))
	case 6: // stripes
		d := 0.1 - math.Abs(math.Mod(u, 0.4)-0.2)
		return mix(ground, first, edge(d))
	}
	return mix(ground, second, edge(0.12-middle))
}
