package paint

import "math"

// flow is a field of colour that is folded into itself and cut into layers, as
// from paper: each throws a shadow on the one below.
type flow struct {
	frame
	height *grid
	colors []rgb
	shade  rgb
	light  [2]float64
}

func newFlow(f frame) *flow {
	hue, step := f.between(0, 360), f.between(12, 32)
	if f.chance(0.5) {
		step = -step
	}
	layers := 7 + 2*f.detail
	low, high := f.between(0.24, 0.34), f.between(0.88, 0.95)
	if f.chance(0.35) {
		low, high = high, low
	}
	w := &flow{frame: f, shade: lch{0.12, 0.03, hue}.rgb()}
	for i := range layers {
		t := float64(i) / float64(layers-1)
		k := lch{lerp(low, high, t), f.vivid * (0.05 + 0.11*math.Sin(math.Pi*(0.15+0.7*t))), hue + step*t*6}
		w.colors = append(w.colors, k.rgb())
	}
	turn, zoom := f.between(0, math.Pi), f.between(1, 1.7)
	sin, cos := math.Sincos(turn)
	n := noise(f.rnd.Uint64())
	w.light[1], w.light[0] = math.Sincos(f.between(0.6, 1.2))
	w.height = newGrid(f, func(x, y float64) float64 {
		x, y = x-f.width/2, y-0.5
		u, v := (x*cos-y*sin)*zoom, (x*sin+y*cos)*zoom*1.4
		a, b := n.at(u, v), n.at(u+5.2, v+1.3)
		return smooth(0.1, 0.9, n.sum(u+1.6*a+8, v+1.6*b+2, 3))
	})
	return w
}

func (w *flow) at(x, y float64) rgb {
	t, gx, gy := w.height.slope(x, y)
	steep := max(math.Hypot(gx, gy), 0.05)
	level := clamp(t) * float64(len(w.colors))
	k := min(int(level), len(w.colors)-1)
	steep *= float64(len(w.colors))

	toNext := (float64(k+1) - level) / steep // distances to the layers' edges
	fromEdge := (level - float64(k)) / steep
	away := 0.55 + 0.45*(gx*w.light[0]+gy*w.light[1])*float64(len(w.colors))/steep
	c := w.colors[k]
	if k+1 < len(w.colors) {
		c = mix(c, w.shade, 0.5*away*math.Exp(-toNext/0.011))
	}
	if k > 0 { // the edge of the paper catches light
		c = mix(c, rgb{1, 1, 1}, 0.22*(1-away)*math.Exp(-fromEdge/0.003))
		c = mix(mix(w.colors[k-1], w.shade, 0.5*away), c, clamp(fromEdge/w.pixel))
	}
	return c
}
