package paint

import "math"

// hills is a landscape: ranges behind each other, each darker and clearer than
// the one behind, with mist in the valleys.
type hills struct {
	*sky
	ranges []hillRange // the nearest first
	water  float64     // where the lake begins; 1 is no lake
	ripple noise
}

type hillRange struct {
	top   []float64 // of every column
	color *ramp     // from the crest down into the mist
	depth float64
}

func newHills(f frame) *hills {
	h := &hills{sky: newSky(f), water: 1, ripple: noise(f.rnd.Uint64())}
	if f.chance(0.45) {
		h.water = f.between(0.66, 0.78)
	}
	count := 3 + f.detail + f.rnd.IntN(2)
	land := h.hue + f.between(-50, 50)
	bottom := min(h.water, 0.97)
	rugged := f.between(0, 1)
	for i := range count {
		near := float64(i+1) / float64(count) // 1 is the nearest
		h.ranges = append([]hillRange{h.newRange(near, bottom, land, rugged)}, h.ranges...)
	}
	if h.water == 1 && f.chance(0.7) {
		h.plant(h.ranges[0].top)
	}
	return h
}

func (h *hills) newRange(near, bottom, land, rugged float64) hillRange {
	n := noise(h.rnd.Uint64())
	columns := int(h.width/h.pixel) + 2
	top := make([]float64, columns)
	base := lerp(0.42, bottom-0.06, near)
	height := lerp(0.22, 0.1, near)
	stretch := h.between(1.4, 2.4)
	for i := range top {
		x := float64(i) * h.pixel
		sharp, soft := n.ridge(x*stretch, 0.5, 4+h.detail), n.sum(x*stretch*1.3, 0.5, 2+h.detail)
		top[i] = base - height*(lerp(soft, sharp, rugged*(1-0.5*near))-0.35)
	}
	air := h.far
	crest := lch{lerp(air.l*0.86, 0.2, near), lerp(air.c*0.8, 0.05*h.vivid, near), blendHue(air.h, land, near)}
	if h.night {
		crest.l = lerp(air.l*0.85, 0.1, near)
	}
	mist := lch{lerp(crest.l, air.l, 0.55), lerp(crest.c, air.c, 0.5), blendHue(crest.h, air.h, 0.5)}
	return hillRange{top: top, color: newRamp(crest, mist), depth: lerp(0.2, 0.5, near)}
}

// plant sets firs along a crest.
func (h *hills) plant(top []float64) {
	n := noise(h.rnd.Uint64())
	spacing, tall := h.between(0.012, 0.022), h.between(0.05, 0.11)
	for i := range top {
		x := float64(i) * h.pixel / spacing
		best := 0.0
		for k := int(x) - 2; k <= int(x)+2; k++ {
			if n.at(float64(k)*0.11, 3) < 0.36 {
				continue // a clearing
			}
			size := 0.35 + 0.65*n.hash(k, 0)
			d := math.Abs(x-float64(k)-0.5-0.6*(n.hash(k, 1)-0.5)) / (1.25 * size)
			best = max(best, size*fir(d))
		}
		top[i] -= tall * best
	}
}

// fir is the outline of a tree: how high it is at distance d from its stem.
func fir(d float64) float64 {
	if d >= 1 {
		return 0
	}
	tier := math.Mod(d*5, 1)
	return (1 - d) * (1 - 0.14*tier)
}

func (h *hills) at(x, y float64) rgb {
	if y < h.water {
		return h.above(x, y)
	}
	depth := (y - h.water) / (1 - h.water)
	wave := h.ripple.at(x*9, (y-h.water)*lerp(220, 70, depth)) - 0.5
	mirrored := 2*h.water - y - 0.012*depth*wave
	c := h.above(x+0.03*wave*depth, clamp(mirrored))
	c = mix(c, h.colors.at(0.15), 0.18+0.22*depth)
	return c.add(h.light, 0.22*smooth(0.24, 0.5, wave)*math.Exp(-3*math.Abs(x-h.sx)))
}

func (h *hills) above(x, y float64) rgb {
	c, left := rgb{}, 1.0 // what the nearer ranges leave uncovered
	for _, r := range h.ranges {
		d := y - column(r.top, x/h.pixel)
		cover := h.edge(d) * left
		if cover > 0 {
			c = c.add(r.color.at(d/r.depth), cover)
			left -= cover
		}
		if left <= 0 {
			return c
		}
	}
	return c.add(h.sky.at(x, y), left)
}

// column returns the height at x, in pixels, from the heights of whole columns.
func column(top []float64, x float64) float64 {
	x = max(0, x)
	i := min(int(x), len(top)-2)
	return lerp(top[i], top[i+1], min(1, x-float64(i)))
}

// blendHue goes the short way round.
func blendHue(a, b, t float64) float64 {
	return a + t*(math.Mod(math.Mod(b-a, 360)+540, 360)-180)
}
