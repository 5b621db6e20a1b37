package bfl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds of the service.
const (
	maxPrompt = 32_000
	maxInput  = 20 << 20
	maxSeed   = 1<<32 - 1
)

// model is what is known of one family of models.
type model struct {
	family    string // how the model's name begins
	inputs    int    // input pictures
	step      int    // sides are multiples of it; 0 is a shape by aspect ratio alone
	low, high int    // bounds of a side
	pixels    int    // bound of all, 0 is none
	tolerance int    // highest safety_tolerance
	tuned     bool   // takes steps and guidance
	first     string // name of the first input picture
}

// models are in the order in which a name is looked up.
var models = []model{
	{family: "flux-2-klein", inputs: 4, step: 16, low: 64, high: 4096, pixels: 4 << 20, tolerance: 5},
	{family: "flux-2-flex", inputs: 8, step: 16, low: 64, high: 4096, pixels: 4 << 20, tolerance: 5, tuned: true},
	{family: "flux-2", inputs: 8, step: 16, low: 64, high: 4096, pixels: 4 << 20, tolerance: 5},
	{family: "flux-kontext", inputs: 1, tolerance: 6},
	{family: "flux-pro-1.1-ultra", inputs: 1, tolerance: 6, first: "image_prompt"},
	{family: "flux-pro-1.0-fill", inputs: 1, tolerance: 6, tuned: true, first: "image"},
	{family: "flux-pro-1.1", inputs: 1, step: 32, low: 256, high: 1440, tolerance: 6, first: "image_prompt"},
	{family: "flux-pro", inputs: 1, step: 32, low: 256, high: 1440, tolerance: 6, tuned: true, first: "image_prompt"},
	{family: "flux-dev", inputs: 1, step: 32, low: 256, high: 1440, tolerance: 6, tuned: true, first: "image_prompt"},
}

// widest stands for models that came later: the service itself refuses what they
// cannot do.
var widest = model{inputs: 8, step: 16, low: 64, high: 4096, pixels: 4 << 20, tolerance: 6, tuned: true}

func modelOf(name string) model {
	i := slices.IndexFunc(models, func(m model) bool { return strings.HasPrefix(name, m.family) })
	if i < 0 {
		return widest
	}
	return models[i]
}

func (m model) fills() bool { return m.first == "image" }

func (m model) sizes() string {
	if m.step == 0 {
		return "an aspect ratio from 21:9 to 9:21"
	}
	return fmt.Sprintf("width x height, sides of %d to %d pixels that are multiples of %d", m.low, m.high, m.step)
}

func (m model) capabilities() provider.Capabilities {
	return provider.Capabilities{Async: true, AddressLife: 10 * time.Minute, MaxImages: 1, MaxInputs: m.inputs, Inline: maxInput, Sizes: m.sizes(),
		Seed: true, Steps: m.tuned, CFGScale: m.tuned, Mask: m.fills(), Callback: true}
}

var (
	named  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)
	aspect = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{1,2})$`)
)

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	if !named.MatchString(r.Model) {
		return provider.Call{}, provider.Invalid("model is %q; accepted are names such as flux-2-pro", r.Model)
	}
	if r.Images != 1 {
		return provider.Call{}, provider.Invalid("image_count is %d; the provider draws one picture in a call", r.Images)
	}
	m := modelOf(r.Model)
	b := map[string]any{"prompt": r.Prompt}
	for _, step := range []func() error{
		func() error { return m.shape(b, r.Size) },
		func() error { return m.tuning(b, r) },
		func() error { return m.start(b, r) },
		func() error { return m.settings(b, r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	return provider.NewCall("/v1/"+r.Model, r.Model, b)
}

func (m model) shape(b map[string]any, size string) error {
	if size == "" {
		return nil
	}
	s, pixels := provider.ParseSize(size)
	ratio := aspect.FindStringSubmatch(size)
	switch {
	case m.fills():
		return provider.Invalid("size is %q; the model keeps the size of the input picture", size)
	case m.step == 0 && ratio != nil:
		b["aspect_ratio"] = size
		return nil
	case m.step == 0 || !pixels:
		return provider.Invalid("size is %q; accepted is %s", size, m.sizes())
	case s.W%m.step != 0 || s.H%m.step != 0 || min(s.W, s.H) < m.low || max(s.W, s.H) > m.high:
		return provider.Invalid("size is %s; accepted is %s", s, m.sizes())
	case m.pixels > 0 && s.Pixels() > m.pixels:
		return provider.Invalid("size is %s, which is %d pixels; accepted are up to %d", s, s.Pixels(), m.pixels)
	}
	b["width"], b["height"] = s.W, s.H
	return nil
}

func (m model) tuning(b map[string]any, r provider.Request) error {
	if r.Seed != nil {
		if *r.Seed < 0 || *r.Seed > maxSeed {
			return provider.Invalid("seed is %d; accepted are 0 to %d", *r.Seed, int64(maxSeed))
		}
		b["seed"] = *r.Seed
	}
	if r.Steps != nil {
		if *r.Steps < 1 || *r.Steps > 50 {
			return provider.Invalid("steps is %d; accepted are 1 to 50", *r.Steps)
		}
		b["steps"] = *r.Steps
	}
	if r.CFGScale != nil {
		if !(*r.CFGScale >= 1.5 && *r.CFGScale <= 100) {
			return provider.Invalid("cfg_scale is %g; accepted are 1.5 to 100", *r.CFGScale)
		}
		b["guidance"] = *r.CFGScale
	}
	return nil
}

// start puts the input pictures in: addresses as they are, and the base64 of data
// URLs bare.
func (m model) start(b map[string]any, r provider.Request) error {
	if len(r.Inputs) > m.inputs {
		return provider.Invalid("%d input pictures were given; model %q takes at most %d", len(r.Inputs), r.Model, m.inputs)
	}
	if m.fills() && len(r.Inputs) == 0 {
		return provider.Invalid("model %q fills in an input picture, and none was given", r.Model)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	for i, in := range r.Inputs {
		name := m.first
		if name == "" {
			name = "input_image"
		}
		if i > 0 {
			name = fmt.Sprintf("%s_%d", name, i+1)
		}
		b[name] = bare(in)
	}
	return nil
}

func bare(in string) string {
	if _, content, ok := provider.SplitDataURL(in); ok {
		return content
	}
	return in
}

func (m model) settings(b map[string]any, r provider.Request) error {
	s := provider.SettingsOf(r)
	set(b, "safety_tolerance", s.Int("safety_tolerance", 0, m.tolerance))
	set(b, "prompt_upsampling", s.Bool("prompt_upsampling"))
	set(b, "raw", s.Bool("raw"))
	if format := s.Enum("output_format", "jpeg", "png"); format != "" {
		b["output_format"] = format
	}
	mask := ""
	if m.fills() {
		mask = s.Text("mask", task.MaxURL)
	}
	if err := s.Err(); err != nil || mask == "" {
		return err
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("parameter mask", mask); err != nil {
		return err
	}
	b["mask"] = bare(mask)
	return nil
}

func set[T any](b map[string]any, name string, value *T) {
	if value != nil {
		b[name] = *value
	}
}
