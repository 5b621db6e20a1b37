package sketch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func prepare(t *testing.T, r provider.Request) provider.Call {
	t.Helper()
	r.Images = max(r.Images, 1)
	c, err := new(Provider).Prepare(r)
	if err != nil {
		t.Fatal(err)
	}
	c.Key, c.Number = "0198c0de-0000-7000-8000-000000000001", 1
	return c
}

func submit(t *testing.T, r provider.Request) provider.Answer {
	t.Helper()
	a, err := new(Provider).Submit(t.Context(), prepare(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func decode(t *testing.T, o provider.Output) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(o.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func failure(t *testing.T, err error) *task.Failure {
	t.Helper()
	f, ok := err.(*task.Failure)
	if !ok {
		t.Fatalf("got %T %v, want a *task.Failure", err, err)
	}
	return f
}

func TestDrawing(t *testing.T) {
	fox := provider.Request{Prompt: "a red fox in the snow", Size: "32x24", Seed: new(int64(7))}
	t.Run("A request is drawn the same by every process", func(t *testing.T) {
		a, b := submit(t, fox), submit(t, fox)
		if !bytes.Equal(a.Outputs[0].Bytes, b.Outputs[0].Bytes) {
			t.Error("two drawings differ")
		}
		// Pixels, because compression may change with the release of Go.
		m := decode(t, a.Outputs[0])
		h := sha256.New()
		for y := range 24 {
			for x := range 32 {
				r, g, b, _ := m.At(x, y).RGBA()
				h.Write([]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)})
			}
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != golden {
			t.Errorf("the pixels hash to %s, want %s", got, golden)
		}
	})
	t.Run("Whatever shapes a picture changes it", func(t *testing.T) {
		changes := map[string]func(*provider.Request){
			"prompt":          func(r *provider.Request) { r.Prompt += "." },
			"negative prompt": func(r *provider.Request) { r.NegativePrompt = "snow" },
			"model":           func(r *provider.Request) { r.Model = "sketch-2" },
			"style":           func(r *provider.Request) { r.Style = "oil on canvas" },
			"seed":            func(r *provider.Request) { r.Seed = new(int64(8)) },
			"no seed":         func(r *provider.Request) { r.Seed = nil },
			"quality":         func(r *provider.Request) { r.Quality = "draft" },
			"steps":           func(r *provider.Request) { r.Steps = new(50) },
			"cfg scale":       func(r *provider.Request) { r.CFGScale = new(1.5) },
			"watermark":       func(r *provider.Request) { r.Watermark = new(true) },
			"input address":   func(r *provider.Request) { r.Inputs = []string{"https://example.com/a.png"} },
			"input picture":   func(r *provider.Request) { r.Inputs = []string{dataURL(t, color.White)} },
		}
		for _, style := range []string{"hills", "flow"} {
			base := fox
			base.Style, base.Size = style, "96x96"
			plain := submit(t, base).Outputs[0].Bytes
			for name, change := range changes {
				r := base
				change(&r)
				if bytes.Equal(submit(t, r).Outputs[0].Bytes, plain) {
					t.Errorf("another %s drew the same %s", name, style)
				}
			}
		}
	})
	t.Run("Without a seed one is derived, and giving it draws the same", func(t *testing.T) {
		free := fox
		free.Seed, free.Images = nil, 3
		all := submit(t, free).Outputs
		for i, o := range all {
			if o.Position != i || o.Seed == nil || o.ContentType != "image/png" {
				t.Fatalf("output %d is %+v", i, o)
			}
			again := fox
			again.Seed = o.Seed
			if !bytes.Equal(submit(t, again).Outputs[0].Bytes, o.Bytes) {
				t.Errorf("seed %d of position %d draws another picture alone", *o.Seed, i)
			}
		}
		if bytes.Equal(all[0].Bytes, all[1].Bytes) || bytes.Equal(all[1].Bytes, all[2].Bytes) {
			t.Error("two positions drew the same")
		}
	})
	t.Run("A prompt in any script and of any length is drawn", func(t *testing.T) {
		for _, prompt := range []string{"一只红色的狐狸在雪地里", "🦊❄️", "ثعلب أحمر", strings.Repeat("很", 32_000), "\xff\xfe broken", "\x00"} {
			a := submit(t, provider.Request{Prompt: prompt, Size: "300x300"})
			if m := decode(t, a.Outputs[0]); m.Bounds().Dx() != 300 {
				t.Errorf("%.20q is %v", prompt, m.Bounds())
			}
		}
	})
	t.Run("A picture that is larger than the memory is drawn alone", func(t *testing.T) {
		p := &Provider{Memory: 1}
		a, err := p.Submit(t.Context(), prepare(t, provider.Request{Prompt: "a wide sea", Size: "4096x64", Style: "mosaic"}))
		if err != nil {
			t.Fatal(err)
		}
		if cfg, err := png.DecodeConfig(bytes.NewReader(a.Outputs[0].Bytes)); err != nil || cfg.Width != 4096 || cfg.Height != 64 {
			t.Errorf("got %+v, %v", cfg, err)
		}
	})
	t.Run("A cancel ends a job by its word: nobody draws what nobody polls", func(t *testing.T) {
		if f := task.AsFailure(new(Provider).Cancel(t.Context(), nil)); f == nil || f.Kind != task.Stopped || f.Executed != task.Executed {
			t.Errorf("got %v", f)
		}
	})
	t.Run("Nothing is charged and the answer is told apart from others", func(t *testing.T) {
		a := submit(t, fox)
		if a.Cost == nil || a.Cost.Micros != 0 || a.Cost.Currency == "" || !a.Done || a.RequestID == "" || !json.Valid(a.Raw) {
			t.Errorf("got %+v", a)
		}
	})
}

// golden is the hash of the pixels that the request above is drawn with.
const golden = "9514b19f2a145ab20d37bc9581c7b11f534243b2d9571793a5e06d8f4f152dfc"
