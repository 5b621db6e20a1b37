package paint

import "math"

// waves is a sea of layered swells with lines along their crests, below a
// large sun that sinks in stripes.
type waves struct {
	*sky
	swells  []swell // the nearest first
	stripes float64
}

type swell struct {
	top   []float64 // of every column
	color *ramp
	foam  rgb
	lines float64 // distance between the lines
}

func newWaves(f frame) *waves {
	w := &waves{sky: newSky(f), stripes: f.between(0.028, 0.045)}
	w.radius, w.sy = f.between(0.17, 0.26), f.between(0.34, 0.46)
	w.cover *= 0.5
	count := 4 + 2*f.detail
	hue, drift := w.hue+f.between(-40, 40), f.between(-50, 50)
	for i := range count {
		near := float64(i+1) / float64(count)
		w.swells = append([]swell{w.newSwell(near, hue+drift*near)}, w.swells...)
	}
	return w
}

func (w *waves) newSwell(near, hue float64) swell {
	light := lerp(0.68, 0.24, near)
	if w.night {
		light *= 0.72
	}
	crest := lch{light, 0.1 * w.vivid, hue}
	trough := lch{light * 0.66, 0.085 * w.vivid, hue + 12}
	return swell{
		top:   w.surface(lerp(0.5, 0.9, math.Pow(near, 1.25)), lerp(0.014, 0.06, near), w.between(0.85, 1.15)*lerp(20, 5.5, near)),
		color: newRamp(crest, trough), foam: lch{0.95, 0.03, hue}.rgb(), lines: lerp(0.012, 0.03, near),
	}
}

// surface has narrow crests and wide troughs, as deep water does, and small
// waves on the large ones.
func (w *waves) surface(base, height, length float64) []float64 {
	phase, second := w.between(0, 2*math.Pi), w.between(0, 2*math.Pi)
	top := make([]float64, int(w.width/w.pixel)+2)
	for i := range top {
		x := float64(i) * w.pixel
		large := 0.5 + 0.5*math.Sin(x*length+phase)
		small := math.Sin(x*length*0.37 + second)
		top[i] = base - height*(large*large-0.4) - 0.35*height*small
	}
	return top
}

func (w *waves) at(x, y float64) rgb {
	c, left := rgb{}, 1.0
	for _, s := range w.swells {
		d := y - column(s.top, x/w.pixel)
		cover := w.edge(d) * left
		if cover > 0 {
			c = c.add(w.water(s, d), cover)
			left -= cover
		}
		if left <= 0 {
			return c
		}
	}
	return c.add(w.evening(x, y), left)
}

// water is the colour at depth d below the surface: a rim of foam, then lines
// that fade.
func (w *waves) water(s swell, d float64) rgb {
	c := s.color.at(d / 0.22)
	k := math.Floor(d / s.lines)
	centre := (k + 0.5) * s.lines
	thin := max(0.1*s.lines, 0.5*w.pixel)
	c = mix(c, s.foam, 0.34*w.edge(thin-math.Abs(d-centre))*math.Exp(-k*0.55))
	return mix(c, s.foam, 0.85*w.edge(0.16*s.lines-d))
}

// evening is the sky with the lower half of its sun cut into stripes.
func (w *waves) evening(x, y float64) rgb {
	c := w.sky.at(x, y)
	below := y - w.sy
	if below < 0 || below > w.radius {
		return c
	}
	gap := w.stripes * (0.12 + 0.5*below/w.radius)
	in := math.Mod(below, w.stripes)
	cut := w.edge(gap/2 - math.Abs(in-w.stripes/2))
	d := math.Hypot(x-w.sx, below)
	return mix(c, w.colors.at(y/0.72), cut*w.edge(w.radius-d))
}
