package paint

import "math"

// orbits is a space picture: stars, a cloud of gas, a planet that is lit from
// one side, perhaps with a ring, and moons on thin tracks.
type orbits struct {
	frame
	space  *ramp
	gas    *grid
	glow   rgb
	stars  noise
	sphere []sphere // the nearest first
	tracks []track
}

type sphere struct {
	x, y, r    float64
	bands      float64
	color      *ramp
	surface    noise
	lx, ly, lz float64 // towards the light
	tilt       [2]float64
	ring       *ramp // nil is none
	air        rgb
}

type track struct{ x, y, r, flat float64 }

func newOrbits(f frame) *orbits {
	hue := f.between(0, 360)
	o := &orbits{frame: f, stars: noise(f.rnd.Uint64())}
	o.space = newRamp(lch{0.11, 0.03 * f.vivid, hue}, lch{0.2, 0.07 * f.vivid, hue + 30}, lch{0.4, 0.13 * f.vivid, hue + 75})
	n := noise(f.rnd.Uint64())
	o.gas = newGrid(f, func(x, y float64) float64 {
		warp := n.at(x*1.7, y*1.7)
		return n.sum(x*2.2+warp, y*2.2-warp, 3+f.detail)
	})
	o.glow = lch{0.72, 0.14 * f.vivid, hue + 110}.rgb()
	angle := f.between(0, 2*math.Pi)
	light := [2]float64{math.Cos(angle), math.Sin(angle)}
	big := o.newSphere(f.width*f.between(0.32, 0.68), f.between(0.4, 0.62), f.between(0.2, 0.3)*min(1, f.width), light, hue+f.between(120, 240))
	if f.chance(0.6) {
		big.ring = newRamp(lch{0.85, 0.06, hue + 150}, lch{0.6, 0.09, hue + 190}, lch{0.8, 0.05, hue + 130})
	}
	for i := range 1 + f.rnd.IntN(2+f.detail) {
		t := track{big.x, big.y, big.r * (1.75 + 0.5*float64(i)), f.between(0.3, 0.42)}
		sin, cos := math.Sincos(f.between(0, 2*math.Pi))
		o.tracks = append(o.tracks, t)
		o.sphere = append(o.sphere, o.newSphere(t.x+cos*t.r, t.y+sin*t.r*t.flat, big.r*f.between(0.06, 0.2), light, f.between(0, 360)))
	}
	o.sphere = append(o.sphere, big)
	return o
}

func (o *orbits) newSphere(x, y, r float64, light [2]float64, hue float64) sphere {
	tilt := o.between(-0.6, 0.6)
	c := 0.12 * o.vivid
	return sphere{x: x, y: y, r: r, bands: o.between(1.5, 4.5), surface: noise(o.rnd.Uint64()),
		color: newRamp(lch{0.42, c, hue}, lch{0.86, c * 0.6, hue + 35}, lch{0.62, c * 1.2, hue - 25}, lch{0.93, c * 0.4, hue + 60}),
		lx:    light[0] * 0.8, ly: light[1] * 0.8, lz: 0.6, tilt: [2]float64{math.Cos(tilt), math.Sin(tilt)}, air: lch{0.85, 0.08, hue + 20}.rgb()}
}

func (o *orbits) at(x, y float64) rgb {
	c := o.void(x, y)
	for _, t := range o.tracks {
		c = c.add(o.glow, 0.3*o.line(math.Abs(math.Hypot(x-t.x, (y-t.y)/t.flat)-t.r)))
	}
	for i := len(o.sphere) - 1; i >= 0; i-- {
		c = o.body(c, &o.sphere[i], x, y)
	}
	return c
}

func (o *orbits) line(d float64) float64 { return o.edge(max(0.0012, 0.5*o.pixel) - d) }

func (o *orbits) void(x, y float64) rgb {
	v := o.gas.at(x, y)
	c := o.space.at(smooth(0.3, 0.8, v))
	c = c.add(o.glow, 0.25*smooth(0.58, 0.85, v))
	c = c.add(rgb{1, 1, 1}, starlight(o.frame, o.stars, x, y, 24))
	return c.add(rgb{0.9, 0.95, 1}, 0.6*starlight(o.frame, o.stars+1, x, y, 61))
}

func (o *orbits) body(c rgb, s *sphere, x, y float64) rgb {
	dx, dy := (x-s.x)/s.r, (y-s.y)/s.r
	d := math.Hypot(dx, dy)
	lit := dx*s.lx + dy*s.ly
	c = c.add(s.air, 0.3*math.Exp(-8*max(0, d-1))*smooth(-0.5, 1, lit)*smooth(0.98, 1, d))
	front := dx*s.tilt[1]+dy*s.tilt[0] > 0
	if s.ring != nil && !front {
		c = o.ring(c, s, dx, dy)
	}
	if cover := o.edge((1 - d) * s.r); cover > 0 {
		c = mix(c, o.ground(s, dx, dy, lit), cover)
	}
	if s.ring != nil && front {
		c = o.ring(c, s, dx, dy)
	}
	return c
}

// ground is the colour of a sphere's surface, bands in the direction of its tilt.
func (o *orbits) ground(s *sphere, dx, dy, lit float64) rgb {
	z := math.Sqrt(max(0, 1-dx*dx-dy*dy))
	u, v := dx*s.tilt[0]-dy*s.tilt[1], dx*s.tilt[1]+dy*s.tilt[0]
	swirl := s.surface.sum(u*1.6/(0.5+z), v*5, 3+o.detail) - 0.5
	c := s.color.at(s.surface.at(v*s.bands+1.6*swirl, 0.5))
	day := smooth(-0.12, 0.85, lit+z*s.lz)
	rim := math.Pow(1-z, 3) * smooth(0, 0.8, lit)
	return c.times(0.05+0.98*day).add(s.air, 0.5*rim)
}

func (o *orbits) ring(c rgb, s *sphere, dx, dy float64) rgb {
	u, v := dx*s.tilt[0]-dy*s.tilt[1], (dx*s.tilt[1]+dy*s.tilt[0])/0.26
	d := math.Hypot(u, v)
	t := (d - 1.35) / 0.8
	if t <= 0 || t >= 1 {
		return c
	}
	grooves := 0.35 + 0.65*s.surface.at(d*26, 9)
	return mix(c, s.ring.at(t), 0.8*grooves*smooth(0, 0.06, t)*(1-smooth(0.9, 1, t)))
}
