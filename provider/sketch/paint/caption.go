package paint

import (
	"image"
	"image/color"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/inconsolata"
	"golang.org/x/image/math/fixed"
)

const (
	smallest   = 256 // pixels of the shorter side below which nothing is written
	letter     = 8   // width of a letter
	lineHeight = 16
)

// write puts a line of text at the foot, shortened to fit. Characters that the
// font does not have are left out; if they are the greater part, nothing is
// written, since the rest would be no sentence.
func (c canvas) write(text string) {
	short := min(c.Rect.Dx(), c.Rect.Dy())
	if short < smallest {
		return
	}
	k := letterScale(short)
	room := (c.Rect.Dx() - 24*k) / (letter * k)
	if line := legible(text, room); line != "" {
		c.dim(3 * lineHeight * k)
		c.print(line, image.Pt(12*k, c.Rect.Dy()-(lineHeight+8)*k), k, 0.82)
	}
}

// dim darkens the lowest rows, softly, so that letters can be read on them.
func (c canvas) dim(rows int) {
	for i := range min(rows, c.Rect.Dy()) {
		t := 1 - 0.45*smooth(0, 1, float64(i+1)/float64(rows))
		y := c.Rect.Dy() - min(rows, c.Rect.Dy()) + i
		row := c.Pix[y*c.Stride : (y+1)*c.Stride]
		for k, v := range row {
			if k&3 != 3 {
				row[k] = uint8(float64(v)*t + 0.5)
			}
		}
	}
}

// sign puts a mark into the upper right corner, in pictures of any size that
// has room for it.
func (c canvas) sign() {
	const mark = "easel"
	k := letterScale(min(c.Rect.Dx(), c.Rect.Dy()))
	width := (len(mark)*letter + 8) * k
	c.print(mark, image.Pt(c.Rect.Dx()-width, 6*k), k, 0.9)
}

// letterScale is how many times larger than the font letters are drawn.
func letterScale(short int) int { return max(1, (short+180)/360) }

// legible returns what can be written of a text in room letters.
func legible(text string, room int) string {
	var b strings.Builder
	all, kept := 0, 0
	for _, word := range strings.Fields(text) {
		if kept > 0 {
			b.WriteByte(' ')
		}
		for _, r := range word {
			all++
			if _, _, ok := inconsolata.Bold8x16.GlyphBounds(r); ok && r > ' ' && r != '\ufffd' {
				kept++
				b.WriteRune(r)
			}
		}
	}
	line := []rune(strings.Join(strings.Fields(b.String()), " "))
	switch {
	case room < 4 || kept*2 <= all:
		return ""
	case len(line) > room:
		return strings.TrimRight(string(line[:room-3]), " ,.;:") + "..."
	}
	return string(line)
}

// print draws letters k times as large as the font, white with a soft shadow.
func (c canvas) print(line string, at image.Point, k int, strength float64) {
	runes := len([]rune(line))
	mask := image.NewAlpha(image.Rect(0, 0, runes*letter+4, lineHeight+4))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: inconsolata.Bold8x16, Dot: fixed.P(2, 2+12)}
	d.DrawString(line)
	size := mask.Rect.Size().Mul(k)
	large := image.NewRGBA(image.Rectangle{Max: size})
	draw.CatmullRom.Scale(large, large.Rect, mask, mask.Rect, draw.Src, nil)
	for _, layer := range []struct {
		shift    int
		ink      color.Gray
		strength float64
	}{{1, color.Gray{20}, 0.45}, {0, color.Gray{255}, strength}} {
		c.ink(large, at.Add(image.Pt(layer.shift*k, layer.shift*k)), layer.ink, layer.strength)
	}
}

// ink colours the canvas where the mask is.
func (c canvas) ink(mask *image.RGBA, at image.Point, ink color.Gray, strength float64) {
	for y := range mask.Rect.Dy() {
		for x := range mask.Rect.Dx() {
			p := image.Pt(x, y).Add(at)
			a := float64(mask.RGBAAt(x, y).A) / 255 * strength
			if a == 0 || !p.In(c.Rect) {
				continue
			}
			pix := c.Pix[c.PixOffset(p.X, p.Y):]
			for k := range 3 {
				pix[k] = uint8(lerp(float64(pix[k]), float64(ink.Y), a) + 0.5)
			}
		}
	}
}
