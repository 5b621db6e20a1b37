package paint

import "math"

// rgb is an sRGB colour with its gamma applied; 0 to 1, clamped when it is written.
type rgb struct{ r, g, b channel }

type channel float64

// quantize turns a channel into a byte; d, within a half, moves the borders
// between the steps so that wide gradients show none.
func (c channel) quantize(d float64) uint8 {
	return uint8(clamp(float64(c))*254 + 0.5 + d)
}

// bayer spreads thresholds over 4 x 4 pixels (B. E. Bayer, 1973).
var bayer = [4][4]float64{{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}}

func dither(x, y int) float64 { return (bayer[y&3][x&3] - 7.5) / 16 }

func mix(a, b rgb, t float64) rgb {
	u := channel(t)
	return rgb{a.r + (b.r-a.r)*u, a.g + (b.g-a.g)*u, a.b + (b.b-a.b)*u}
}

// add is a light on c.
func (c rgb) add(l rgb, t float64) rgb {
	u := channel(t)
	return rgb{c.r + l.r*u, c.g + l.g*u, c.b + l.b*u}
}

func (c rgb) times(t float64) rgb {
	u := channel(t)
	return rgb{c.r * u, c.g * u, c.b * u}
}

// lch is a colour in OKLCH, in which equal steps look equal: lightness 0 to 1,
// chroma 0 to about 0.3, hue in degrees. (B. Ottosson, "A perceptual color
// space for image processing", 2020.)
type lch struct{ l, c, h float64 }

func (k lch) rgb() rgb {
	sin, cos := math.Sincos(k.h * math.Pi / 180)
	return fromLab(k.l, k.c*cos, k.c*sin)
}

func fromLab(lightness, a, b float64) rgb {
	l := lightness + 0.3963377774*a + 0.2158037573*b
	m := lightness - 0.1055613458*a - 0.0638541728*b
	s := lightness - 0.0894841775*a - 1.2914855480*b
	l, m, s = l*l*l, m*m*m, s*s*s
	return rgb{
		gamma(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		gamma(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		gamma(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
	}
}

func gamma(v float64) channel {
	v = clamp(v)
	if v <= 0.0031308 {
		return channel(12.92 * v)
	}
	return channel(1.055*math.Pow(v, 1/2.4) - 0.055)
}

// ramp is a gradient, worked out beforehand.
type ramp [512]rgb

// newRamp blends the stops, which stand at equal distances, as the eye sees them.
func newRamp(stops ...lch) *ramp {
	var r ramp
	for i := range r {
		t := float64(i) / float64(len(r)-1) * float64(len(stops)-1)
		k := min(int(t), len(stops)-2)
		from, to, t := stops[k], stops[k+1], t-float64(k)
		fs, fc := math.Sincos(from.h * math.Pi / 180)
		ts, tc := math.Sincos(to.h * math.Pi / 180)
		r[i] = fromLab(lerp(from.l, to.l, t), lerp(from.c*fc, to.c*tc, t), lerp(from.c*fs, to.c*ts, t))
	}
	return &r
}

func (r *ramp) at(t float64) rgb {
	f := clamp(t) * float64(len(r)-1)
	i := min(int(f), len(r)-2)
	return mix(r[i], r[i+1], f-float64(i))
}

func clamp(v float64) float64 { return max(0, min(1, v)) }

func lerp(a, b, t float64) float64 { return a + (b-a)*t }

// smooth rises from 0 at low to 1 at high, without corners.
func smooth(low, high, v float64) float64 {
	t := clamp((v - low) / (high - low))
	return t * t * (3 - 2*t)
}
