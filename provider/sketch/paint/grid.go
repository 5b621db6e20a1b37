package paint

import "math"

// grid is a slow, smooth function worked out beforehand at points that are at
// least a pixel apart, and interpolated between them.
type grid struct {
	step    float64
	columns int
	rows    int
	values  []float32
}

const gridSide = 1024 // most points along the longer side

func newGrid(f frame, value func(x, y float64) float64) *grid {
	g := &grid{step: max(f.pixel, max(f.width, 1)/gridSide)}
	g.columns, g.rows = int(math.Ceil(f.width/g.step))+2, int(math.Ceil(1/g.step))+2
	g.values = make([]float32, g.columns*g.rows)
	for r := range g.rows {
		for c := range g.columns {
			g.values[r*g.columns+c] = float32(value(float64(c)*g.step, float64(r)*g.step))
		}
	}
	return g
}

func (g *grid) at(x, y float64) float64 {
	v, _, _ := g.slope(x, y)
	return v
}

// slope returns the value at a point and how it grows to the right and down.
func (g *grid) slope(x, y float64) (v, gx, gy float64) {
	x, y = max(0, x/g.step), max(0, y/g.step)
	c, r := min(int(x), g.columns-2), min(int(y), g.rows-2)
	u, w := min(1, x-float64(c)), min(1, y-float64(r))
	row, next := g.values[r*g.columns+c:], g.values[(r+1)*g.columns+c:]
	top, low := lerp(float64(row[0]), float64(row[1]), u), lerp(float64(next[0]), float64(next[1]), u)
	left, right := lerp(float64(row[0]), float64(next[0]), w), lerp(float64(row[1]), float64(next[1]), w)
	return lerp(top, low, w), (right - left) / g.step, (low - top) / g.step
}
