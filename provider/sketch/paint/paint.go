// Package paint draws pictures from a seed: landscapes, seas, planets, tiles
// and colour fields. The same Picture gives the same pixels. It knows no tasks
// and no files.
package paint

import (
	"context"
	"image"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Scene is what a picture shows.
type Scene string

const (
	Hills  Scene = "hills"  // mountains behind each other, sometimes above a lake
	Waves  Scene = "waves"  // a striped sea below a large sun
	Orbits Scene = "orbits" // planets among stars
	Mosaic Scene = "mosaic" // tiles of simple shapes
	Flow   Scene = "flow"   // folded bands of colour
)

// Scenes lists every scene.
var Scenes = []Scene{Hills, Waves, Orbits, Mosaic, Flow}

// Picture says what to draw.
type Picture struct {
	Width, Height int
	Seed          [2]uint64
	Scene         Scene         // empty lets the seed choose
	Detail        int           // from 0, coarse, to 3
	Vivid         float64       // how strong colours are; 1 is plain
	Inputs        []image.Image // pictures to blend in, side by side
	Caption       string        // a line at the foot; what the font does not have is left out
	Mark          bool          // a small sign in the corner
}

// scene gives the colour of every point. Y goes down from 0 to 1, x goes right
// from 0 in the same scale. It is safe for concurrent use.
type scene interface {
	at(x, y float64) rgb
}

// Draw returns the picture. It takes four bytes for each pixel, and ends early
// with ctx's reason.
func (p Picture) Draw(ctx context.Context) (*image.RGBA, error) {
	rnd := rand.New(rand.NewPCG(p.Seed[0], p.Seed[1]))
	kind := Scenes[rnd.IntN(len(Scenes))] // drawn in any case, so that the rest does not change
	if p.Scene != "" {
		kind = p.Scene
	}
	f := frame{width: float64(p.Width) / float64(p.Height), pixel: 1 / float64(p.Height), detail: p.Detail, vivid: p.Vivid, rnd: rnd}
	c := canvas{RGBA: image.NewRGBA(image.Rect(0, 0, p.Width, p.Height)), scene: f.compose(kind), echo: newEcho(p.Inputs, f.width)}
	if err := c.fill(ctx); err != nil {
		return nil, err
	}
	c.write(p.Caption)
	if p.Mark {
		c.sign()
	}
	return c.RGBA, nil
}

// frame is what a scene is composed in.
type frame struct {
	width  float64 // of the picture, where its height is 1
	pixel  float64 // side of a pixel
	detail int
	vivid  float64
	rnd    *rand.Rand
}

func (f frame) compose(s Scene) scene {
	switch s {
	case Waves:
		return newWaves(f)
	case Orbits:
		return newOrbits(f)
	case Mosaic:
		return newMosaic(f)
	case Flow:
		return newFlow(f)
	}
	return newHills(f)
}

// between returns a random number in [low, high).
func (f frame) between(low, high float64) float64 { return low + f.rnd.Float64()*(high-low) }

// chance is true with probability p.
func (f frame) chance(p float64) bool { return f.rnd.Float64() < p }

// edge returns how much of a pixel is covered whose centre lies d inside a shape.
func (f frame) edge(d float64) float64 { return clamp(d/f.pixel + 0.5) }

type canvas struct {
	*image.RGBA
	scene scene
	echo  *echo
}

// fill colours every pixel, with as many goroutines as there are processors.
// They have ended when it returns.
func (c canvas) fill(ctx context.Context) error {
	workers := min(runtime.GOMAXPROCS(0), c.Rect.Dy())
	var wg sync.WaitGroup
	for first := range workers {
		wg.Go(func() {
			for y := first; y < c.Rect.Dy() && ctx.Err() == nil; y += workers {
				c.row(y)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (c canvas) row(y int) {
	scale := 1 / float64(c.Rect.Dy())
	py := (float64(y) + 0.5) * scale
	pix := c.Pix[y*c.Stride:]
	for x := range c.Rect.Dx() {
		px := (float64(x) + 0.5) * scale
		v := c.scene.at(px, py)
		if c.echo != nil {
			v = c.echo.over(v, px, py)
		}
		d := dither(x, y)
		pix[x*4] = v.r.quantize(d)
		pix[x*4+1] = v.g.quantize(d)
		pix[x*4+2] = v.b.quantize(d)
		pix[x*4+3] = 255
	}
}
