package paint

import "math"

// sky is the background of landscapes: a gradient, a sun or moon with its glow,
// clouds, and stars at night.
type sky struct {
	frame
	colors *ramp
	night  bool
	hue    float64 // of the top
	light  rgb     // of the sun
	sx, sy float64
	radius float64
	clouds *grid   // nil is a clear sky
	cover  float64 // how much of the sky is cloud
	stars  noise
	far    lch // the air between us and the horizon
}

// moods are times of day: top, middle and horizon of the sky, and the sun. Hues
// are moved by the seed.
var moods = []struct {
	stops [3]lch
	sun   lch
	night bool
}{
	{stops: [3]lch{{0.52, 0.09, 275}, {0.76, 0.09, 350}, {0.92, 0.08, 75}}, sun: lch{0.97, 0.06, 85}},
	{stops: [3]lch{{0.66, 0.11, 240}, {0.82, 0.07, 222}, {0.95, 0.04, 95}}, sun: lch{0.99, 0.03, 95}},
	{stops: [3]lch{{0.33, 0.11, 292}, {0.58, 0.16, 15}, {0.84, 0.14, 62}}, sun: lch{0.93, 0.12, 75}},
	{stops: [3]lch{{0.17, 0.05, 275}, {0.29, 0.08, 262}, {0.50, 0.09, 215}}, sun: lch{0.96, 0.02, 95}, night: true},
	{stops: [3]lch{{0.40, 0.09, 195}, {0.67, 0.10, 165}, {0.93, 0.09, 108}}, sun: lch{0.98, 0.06, 105}},
	{stops: [3]lch{{0.30, 0.09, 330}, {0.55, 0.14, 350}, {0.88, 0.09, 45}}, sun: lch{0.97, 0.05, 60}},
}

func newSky(f frame) *sky {
	m := moods[f.rnd.IntN(len(moods))]
	turn := f.between(-28, 28)
	if f.chance(0.2) {
		turn = f.between(0, 360) // another world
	}
	for i := range m.stops {
		m.stops[i].h += turn
		m.stops[i].c *= f.vivid
	}
	m.sun.h += turn / 2
	s := &sky{
		frame: f, colors: newRamp(m.stops[:]...), night: m.night, hue: m.stops[0].h, far: m.stops[2],
		light: m.sun.rgb(), sx: f.width * f.between(0.2, 0.8), sy: f.between(0.18, 0.42), radius: f.between(0.05, 0.1),
		cover: f.between(0.1, 0.6), stars: noise(f.rnd.Uint64()),
	}
	if n := noise(f.rnd.Uint64()); f.detail > 0 {
		s.clouds = newGrid(f, func(x, y float64) float64 { return n.sum(x*1.8, y*9, 2+f.detail) })
	}
	return s
}

func (s *sky) at(x, y float64) rgb {
	c := s.colors.at(y / 0.72)
	if s.night {
		c = c.add(rgb{1, 1, 1}, s.star(x, y)*(1-smooth(0.2, 0.65, y)))
	}
	d := math.Hypot(x-s.sx, y-s.sy)
	around := max(0, d-s.radius)
	c = mix(c, s.light, 0.5*math.Exp(-around*around/0.035))
	c = mix(c, s.light, s.edge(s.radius-d))
	if s.clouds != nil {
		c = s.cloud(c, x, y)
	}
	return c
}

// cloud lays long thin clouds over c.
func (s *sky) cloud(c rgb, x, y float64) rgb {
	low := 0.72 - 0.3*s.cover
	return mix(c, s.light, 0.5*smooth(low, low+0.25, s.clouds.at(x, y))*smooth(0.02, 0.25, y))
}

// star returns the brightness of the star at a point, mostly 0: each cell of a
// grid has at most one, and far enough from its sides.
func (s *sky) star(x, y float64) float64 { return starlight(s.frame, s.stars, x, y, 38) }

func starlight(f frame, n noise, x, y, cells float64) float64 {
	x, y = x*cells, y*cells
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	bright := n.hash(ix, iy)
	if bright < 0.55 {
		return 0
	}
	bright = (bright - 0.55) / 0.45
	cx, cy := 0.25+0.5*n.hash(ix+7919, iy), 0.25+0.5*n.hash(ix, iy+7919)
	radius := max(0.03+0.07*bright*bright, 0.6*f.pixel*cells)
	d := math.Hypot(x-float64(ix)-cx, y-float64(iy)-cy)
	return (0.25 + 0.75*bright) * clamp(1.5-d/radius)
}
