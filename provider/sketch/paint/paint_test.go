package paint

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"testing"
)

func render(t *testing.T, p Picture) *image.RGBA {
	t.Helper()
	if p.Width == 0 {
		p.Width, p.Height = 48, 32
	}
	if p.Vivid == 0 {
		p.Vivid = 1
	}
	m, err := p.Draw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// contrast is the standard deviation of the green channel.
func contrast(m *image.RGBA) float64 {
	sum, squares, n := 0.0, 0.0, float64(len(m.Pix)/4)
	for i := 1; i < len(m.Pix); i += 4 {
		sum += float64(m.Pix[i])
		squares += float64(m.Pix[i]) * float64(m.Pix[i])
	}
	return math.Sqrt(max(0, squares/n-sum/n*sum/n))
}

func TestDraw(t *testing.T) {
	for _, s := range Scenes {
		t.Run("The same "+string(s)+" are drawn again, and others for another seed", func(t *testing.T) {
			seen := map[string]bool{}
			for seed := range uint64(12) {
				m := render(t, Picture{Scene: s, Seed: [2]uint64{seed, 7}, Detail: 1})
				if !bytes.Equal(m.Pix, render(t, Picture{Scene: s, Seed: [2]uint64{seed, 7}, Detail: 1}).Pix) {
					t.Fatal("two drawings differ")
				}
				if seen[string(m.Pix)] {
					t.Error("another seed drew the same")
				}
				seen[string(m.Pix)] = true
				if c := contrast(m); c < 8 {
					t.Errorf("seed %d shows hardly anything: contrast %.1f", seed, c)
				}
				if !m.Opaque() {
					t.Error("it is not opaque")
				}
			}
		})
		t.Run("The "+string(s)+" fill pictures of every shape", func(t *testing.T) {
			for _, size := range [][2]int{{1, 1}, {1, 200}, {200, 1}, {2, 3}, {400, 20}, {20, 400}} {
				for detail := range 4 {
					m := render(t, Picture{Width: size[0], Height: size[1], Scene: s, Detail: detail, Seed: [2]uint64{3, uint64(detail)}, Caption: "a", Mark: true})
					if m.Rect.Dx() != size[0] || m.Rect.Dy() != size[1] {
						t.Errorf("%v became %v", size, m.Rect)
					}
				}
			}
		})
	}
	t.Run("Without a scene the seed chooses among all", func(t *testing.T) {
		drawn := map[string]Scene{}
		for _, s := range Scenes {
			for seed := range uint64(40) {
				drawn[string(render(t, Picture{Width: 8, Height: 8, Scene: s, Seed: [2]uint64{seed, 1}}).Pix)] = s
			}
		}
		chosen := map[Scene]bool{}
		for seed := range uint64(40) {
			chosen[drawn[string(render(t, Picture{Width: 8, Height: 8, Seed: [2]uint64{seed, 1}}).Pix)]] = true
		}
		if len(chosen) != len(Scenes) {
			t.Errorf("chosen were %v", chosen)
		}
	})
	t.Run("A cancelled drawing ends with the context's error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := (Picture{Width: 4096, Height: 4096}).Draw(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("A vivid picture has stronger colours", func(t *testing.T) {
		strength := func(vivid float64) (sum int) {
			m := render(t, Picture{Scene: Mosaic, Vivid: vivid})
			for i := 0; i < len(m.Pix); i += 4 {
				p := m.Pix[i : i+3]
				sum += int(max(p[0], p[1], p[2])) - int(min(p[0], p[1], p[2]))
			}
			return sum
		}
		if pale, strong := strength(0.3), strength(1.5); pale*2 > strong {
			t.Errorf("pale has %d, strong %d", pale, strong)
		}
	})
}

func TestWriting(t *testing.T) {
	plain := render(t, Picture{Width: 300, Height: 300, Scene: Flow})
	t.Run("A caption is written at the foot and nowhere else", func(t *testing.T) {
		m := render(t, Picture{Width: 300, Height: 300, Scene: Flow, Caption: "a red fox"})
		if bytes.Equal(m.Pix, plain.Pix) {
			t.Error("nothing was written")
		}
		if upper := 240 * plain.Stride; !bytes.Equal(m.Pix[:upper], plain.Pix[:upper]) {
			t.Error("something was written above")
		}
	})
	t.Run("A mark is set in the corner", func(t *testing.T) {
		m := render(t, Picture{Width: 300, Height: 300, Scene: Flow, Mark: true})
		if bytes.Equal(m.Pix, plain.Pix) || !bytes.Equal(m.Pix[60*m.Stride:], plain.Pix[60*m.Stride:]) {
			t.Error("there is no mark, or it is elsewhere")
		}
	})
	t.Run("Only what the font has is written, and nothing if that is the lesser part", func(t *testing.T) {
		for text, want := range map[string]string{
			"a red fox":                    "a red fox",
			"  spaces \n and\tlines ":      "spaces and lines",
			"café ñandú":                   "café ñandú",
			"一只红色的狐狸":                      "",
			"一只 red fox in the snow 🦊":     "red fox in the snow",
			"🦊🦊🦊 ab":                       "",
			"a fox that runs through wood": "a fox that runs t...",
			"":                             "",
			"\xff\xfe":                     "",
		} {
			if got := legible(text, 20); got != want {
				t.Errorf("%q: got %q, want %q", text, got, want)
			}
		}
	})
	t.Run("A small picture stays free of writing", func(t *testing.T) {
		small := Picture{Width: 255, Height: 400, Scene: Flow}
		plain := render(t, small)
		small.Caption = "a red fox"
		if !bytes.Equal(render(t, small).Pix, plain.Pix) {
			t.Error("something was written")
		}
	})
	t.Run("Characters that the font lacks leave no mark", func(t *testing.T) {
		m := render(t, Picture{Width: 300, Height: 300, Scene: Flow, Caption: "一只红色的狐狸"})
		if !bytes.Equal(m.Pix, plain.Pix) {
			t.Error("something was written")
		}
	})
}

func TestEcho(t *testing.T) {
	fill := func(c color.Color) image.Image {
		m := image.NewRGBA(image.Rect(0, 0, 30, 60))
		for y := range 60 {
			for x := range 30 {
				m.Set(x, y, c)
			}
		}
		return m
	}
	red, blue := fill(color.RGBA{255, 0, 0, 255}), fill(color.RGBA{0, 0, 255, 255})
	t.Run("Inputs stand side by side", func(t *testing.T) {
		for _, s := range Scenes {
			m := render(t, Picture{Width: 90, Height: 30, Scene: s, Inputs: []image.Image{red, blue}})
			if l := m.RGBAAt(5, 15); l.R < l.B {
				t.Errorf("%s: left is %v, want it red", s, l)
			}
			if r := m.RGBAAt(85, 15); r.B < r.R {
				t.Errorf("%s: right is %v, want it blue", s, r)
			}
		}
	})
	t.Run("What shines through an input shows the scene", func(t *testing.T) {
		clear := render(t, Picture{Scene: Hills, Inputs: []image.Image{fill(color.Transparent)}})
		if plain := render(t, Picture{Scene: Hills}); !bytes.Equal(clear.Pix, plain.Pix) {
			t.Error("the scene has changed")
		}
	})
	t.Run("An input of another shape is cut at its middle and not squeezed", func(t *testing.T) {
		for _, c := range []struct {
			input image.Rectangle
			seen  image.Rectangle // the part of a 20 x 20 picture's middle that must show it white
		}{{image.Rect(0, 0, 60, 20), image.Rect(20, 0, 40, 20)}, {image.Rect(0, 0, 20, 60), image.Rect(0, 20, 20, 40)}} {
			m := image.NewGray(c.input)
			for y := c.seen.Min.Y; y < c.seen.Max.Y; y++ {
				for x := c.seen.Min.X; x < c.seen.Max.X; x++ {
					m.SetGray(x, y, color.Gray{255})
				}
			}
			white := render(t, Picture{Width: 20, Height: 20, Scene: Flow, Inputs: []image.Image{m}})
			black := render(t, Picture{Width: 20, Height: 20, Scene: Flow, Inputs: []image.Image{image.NewGray(c.input)}})
			for _, p := range []image.Point{{1, 1}, {18, 1}, {10, 10}, {1, 18}, {18, 18}} {
				if white.RGBAAt(p.X, p.Y).G < black.RGBAAt(p.X, p.Y).G+40 {
					t.Errorf("%v: at %v the input's middle is not seen", c.input, p)
				}
			}
		}
	})
	t.Run("Sixteen inputs and one pixel do no harm", func(t *testing.T) {
		many := []image.Image{}
		for range 8 {
			many = append(many, red, blue)
		}
		render(t, Picture{Width: 1, Height: 1, Inputs: many})
		render(t, Picture{Width: 40, Height: 3, Inputs: append(many, image.NewRGBA(image.Rect(0, 0, 1, 1)))})
	})
}
