package sketch

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func dataURL(t *testing.T, c color.Color) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 40))
	for y := range 40 {
		for x := range 40 {
			m.Set(x, y, c)
		}
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, m, nil); err != nil {
		t.Fatal(err)
	}
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(buf.Bytes())
}

func TestInputs(t *testing.T) {
	t.Run("An input picture is seen in the drawing", func(t *testing.T) {
		red := decode(t, submit(t, provider.Request{Prompt: "a fox", Size: "40x40", Inputs: []string{dataURL(t, color.RGBA{255, 0, 0, 255})}}).Outputs[0])
		for _, p := range []image.Point{{3, 3}, {20, 20}, {36, 36}} {
			if r, g, b, _ := red.At(p.X, p.Y).RGBA(); r < g || r < b {
				t.Errorf("at %v it is %d %d %d, not red", p, r>>8, g>>8, b>>8)
			}
		}
	})
	t.Run("An input address is not fetched, and the answer says so", func(t *testing.T) {
		a := submit(t, provider.Request{Prompt: "a fox", Size: "8x8", Inputs: []string{"http://127.0.0.1:1/a.png"}})
		if !strings.Contains(string(a.Raw), "only the address changes the drawing") {
			t.Errorf("raw is %s", a.Raw)
		}
	})
	t.Run("What is kept of inputs is small", func(t *testing.T) {
		inputs := make([]string, 16)
		for i := range inputs {
			inputs[i] = dataURL(t, color.Gray{uint8(i)})
		}
		c := prepare(t, provider.Request{Prompt: strings.Repeat("long ", 6000), Inputs: inputs})
		if len(c.Body) > 64<<10 {
			t.Errorf("the body has %d bytes", len(c.Body))
		}
	})
	t.Run("A bad input is refused by its number", func(t *testing.T) {
		good := dataURL(t, color.White)
		svg := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("<svg onload='x()'/>"))
		for bad, phrase := range map[string]string{
			svg:                           "an SVG drawing",
			good[:len(good)-40]:           "is incomplete",
			"data:image/svg+xml,<svg/>":   "data URL",
			"data:image/png;base64,!!":    "not base64",
			"file:///etc/passwd":          "no http",
			"https://me:secret@localhost": "user name",
		} {
			_, err := new(Provider).Prepare(provider.Request{Prompt: "a fox", Images: 1, Inputs: []string{good, bad}})
			if f := failure(t, err); f.Kind != task.Invalid || !strings.Contains(f.Message, "input picture 2") || !strings.Contains(f.Message, phrase) {
				t.Errorf("%.40s: got %v, want %q", bad, f, phrase)
			}
		}
	})
}

func TestPrepare(t *testing.T) {
	t.Run("The same request makes the same call, without I/O", func(t *testing.T) {
		r := provider.Request{Prompt: "a fox", Images: 2, Parameters: map[string]string{"fail": "auth:1", "delay": "3s"}}
		if d := cmp.Diff(prepare(t, r), prepare(t, r)); d != "" {
			t.Error(d)
		}
	})
	t.Run("Every size is understood", func(t *testing.T) {
		for size, want := range map[string]image.Point{
			"": {512, 512}, "auto": {512, 512}, "1K": {1024, 1024}, "2k": {2048, 2048}, "4K": {4096, 4096}, "1x1": {1, 1}, "4096x4096": {4096, 4096},
			"640X480": {640, 480}, "640*480": {640, 480}, "640×480": {640, 480}, "16:9": {1024, 576}, "1:1": {1024, 1024}, "9:16": {576, 1024}, "100:1": {1024, 10},
		} {
			if got, err := parseSize(size); err != nil || got.W != want.X || got.H != want.Y {
				t.Errorf("%q: got %v, %v, want %v", size, got, err, want)
			}
		}
	})
	refused := map[string]struct {
		change func(*provider.Request)
		phrase string
	}{
		"An empty prompt":             {func(r *provider.Request) { r.Prompt = " " }, "prompt is empty"},
		"A prompt that is too long":   {func(r *provider.Request) { r.Prompt = strings.Repeat("很", 32_001) }, "32001 characters; accepted are 1 to 32000"},
		"A negative prompt too long":  {func(r *provider.Request) { r.NegativePrompt = strings.Repeat("x", 32_001) }, "negative_prompt has 32001"},
		"A style too long":            {func(r *provider.Request) { r.Style = strings.Repeat("x", 256) }, "style has 256"},
		"A model too long":            {func(r *provider.Request) { r.Model = strings.Repeat("x", 256) }, "model has 256"},
		"No picture":                  {func(r *provider.Request) { r.Images = 0 }, "image_count is 0; accepted are 1 to 15"},
		"Too many pictures":           {func(r *provider.Request) { r.Images = 16 }, "image_count is 16"},
		"Too many inputs":             {func(r *provider.Request) { r.Inputs = make([]string, 17) }, "17 input pictures"},
		"An unknown quality":          {func(r *provider.Request) { r.Quality = "8k" }, `quality is "8k"`},
		"No steps":                    {func(r *provider.Request) { r.Steps = new(0) }, "steps is 0; accepted are 1 to 1000"},
		"Too many steps":              {func(r *provider.Request) { r.Steps = new(1001) }, "steps is 1001"},
		"A negative cfg_scale":        {func(r *provider.Request) { r.CFGScale = new(-0.5) }, "cfg_scale is -0.5"},
		"A size that is too large":    {func(r *provider.Request) { r.Size = "4097x10" }, `size is "4097x10"; accepted are 1x1 to 4096x4096`},
		"A size of nothing":           {func(r *provider.Request) { r.Size = "0x10" }, "size is"},
		"A ratio beyond the bounds":   {func(r *provider.Request) { r.Size = "101:1" }, "size is"},
		"A size that is none":         {func(r *provider.Request) { r.Size = "large" }, "size is"},
		"An unknown parameter":        {with("dealy", "3s"), "delay"},
		"A delay that is none":        {with("delay", "soon"), `parameter delay is "soon"`},
		"A delay that is too long":    {with("delay", "61m"), "1h0m0s"},
		"A negative delay":            {with("late", "-1s"), "parameter late"},
		"A mode that is none":         {with("mode", "fast"), "sync, async"},
		"A failure that is none":      {with("fail", "crash"), `names "crash"; accepted are auth, bad_answer`},
		"A failure no times":          {with("fail", "auth:0"), "1 to 1000 times"},
		"A failure after always":      {with("fail", "auth,billing"), "fails always"},
		"Too many failures":           {with("fail", strings.TrimSuffix(strings.Repeat("auth:1,", 21), ",")), "21 failures"},
		"A position beyond the count": {with("fail_images", "0,1"), "positions from 0 to 0"},
		"A switch that is none":       {with("moderate", "perhaps"), "true, false"},
	}
	for name, c := range refused {
		t.Run(name+" is refused with what is accepted", func(t *testing.T) {
			r := provider.Request{Prompt: "a fox", Images: 1}
			c.change(&r)
			_, err := new(Provider).Prepare(r)
			if f := failure(t, err); f.Kind != task.Invalid || !strings.Contains(f.Error(), c.phrase) {
				t.Errorf("got %s %q, want invalid with %q", f.Kind, f, c.phrase)
			}
		})
	}
}

func with(name, value string) func(*provider.Request) {
	return func(r *provider.Request) { r.Parameters = map[string]string{name: value} }
}
