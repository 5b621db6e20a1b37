package paint

import "math"

// noise is a field of smooth random numbers.
type noise uint64

// hash returns a random number in [0, 1) for a point of the grid.
func (n noise) hash(x, y int) float64 {
	h := uint64(n) + uint64(int64(x))*0x9e3779b97f4a7c15 + uint64(int64(y))*0xc2b2ae3d27d4eb4f
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) / (1 << 53)
}

// at returns the field's value, in [0, 1), between four points of the grid.
func (n noise) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx), int(fy)
	u, v := x-fx, y-fy
	u, v = u*u*u*(u*(u*6-15)+10), v*v*v*(v*(v*6-15)+10)
	return lerp(lerp(n.hash(ix, iy), n.hash(ix+1, iy), u), lerp(n.hash(ix, iy+1), n.hash(ix+1, iy+1), u), v)
}

// sum adds octaves, each twice as fine and half as strong, and returns a value
// in [0, 1) that is mostly near the middle.
func (n noise) sum(x, y float64, octaves int) float64 {
	total, weight, all := 0.0, 1.0, 0.0
	for i := range octaves {
		total += weight * (n+noise(i)*7919).at(x, y)
		all += weight
		weight /= 2
		x, y = x*2+17.3, y*2+5.1
	}
	return total / all
}

// ridge is sum with creases where the field passes its middle.
func (n noise) ridge(x, y float64, octaves int) float64 {
	total, weight, all := 0.0, 1.0, 0.0
	for i := range octaves {
		v := 1 - math.Abs(2*(n+noise(i)*104729).at(x, y)-1)
		total += weight * v * v
		all += weight
		weight *= 0.45
		x, y = x*2.1+3.7, y*2.1+9.2
	}
	return total / all
}
