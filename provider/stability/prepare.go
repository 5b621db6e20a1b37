package stability

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/easelqueue/easel/provider"
)

// Bounds of the service.
const (
	maxPrompt = 10_000
	maxInput  = 9 << 20 // a request may have 10 MiB
	maxSeed   = 4_294_967_294
)

const endpoint = "/v2beta/stable-image/generate/"

var (
	ratios = []string{"1:1", "16:9", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"}
	styles = []string{"3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art", "isometric", "line-art",
		"low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art", "tile-texture"}
)

// model is what is known of one of the service's models.
type model struct {
	name    string
	path    string
	inputs  int
	tuned   bool // takes cfg_scale
	styled  bool // takes style_preset
	formats []string
}

var models = []model{
	{name: "core", path: "core", styled: true, formats: []string{"png", "jpeg", "webp"}},
	{name: "ultra", path: "ultra", inputs: 1, styled: true, formats: []string{"png", "jpeg", "webp"}},
	{name: "sd3.5-large", path: "sd3", inputs: 1, tuned: true, styled: true, formats: []string{"png", "jpeg"}},
	{name: "sd3.5-large-turbo", path: "sd3", inputs: 1, tuned: true, styled: true, formats: []string{"png", "jpeg"}},
	{name: "sd3.5-medium", path: "sd3", inputs: 1, tuned: true, styled: true, formats: []string{"png", "jpeg"}},
}

// modelOf returns the model of that name; unknown ones, which may have come later
// to the same endpoint, are taken for one of sd3's.
func modelOf(name string) model {
	i := slices.IndexFunc(models, func(m model) bool { return m.name == name })
	if i < 0 {
		return models[2]
	}
	return models[i]
}

func names() (all []string) {
	for _, m := range models {
		all = append(all, m.name)
	}
	return all
}

func (m model) capabilities() provider.Capabilities {
	return provider.Capabilities{MaxImages: 1, MaxInputs: m.inputs, Inputs: provider.ByData, Inline: maxInput, Sizes: fmt.Sprint("an aspect ratio: ", ratios),
		NegativePrompt: true, Seed: true, CFGScale: m.tuned, Style: m.styled}
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	if !slices.Contains(names(), r.Model) {
		return provider.Call{}, provider.Invalid("model is %q; accepted are %v", r.Model, names())
	}
	m := modelOf(r.Model)
	var f provider.Form
	f.Add("prompt", r.Prompt)
	f.Add("negative_prompt", r.NegativePrompt)
	for _, step := range []func() error{
		func() error { return m.shape(&f, r) },
		func() error { return m.tuning(&f, r) },
		func() error { return m.settings(&f, r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	return provider.NewFormCall(endpoint+m.path, r.Model, f), nil
}

// shape is the aspect ratio, or a picture to start from, which keeps its own.
func (m model) shape(f *provider.Form, r provider.Request) error {
	strength, given := r.Parameters["strength"]
	switch {
	case r.Images != 1:
		return provider.Invalid("image_count is %d; the provider draws one picture in a call", r.Images)
	case len(r.Inputs) > m.inputs:
		return provider.Invalid("%d input pictures were given; model %q takes at most %d", len(r.Inputs), r.Model, m.inputs)
	case r.Size != "" && !slices.Contains(ratios, r.Size):
		return provider.Invalid("size is %q; accepted are %v", r.Size, ratios)
	case len(r.Inputs) == 0 && given:
		return provider.Invalid("parameter strength needs an input picture")
	case len(r.Inputs) == 0:
		f.Add("aspect_ratio", r.Size)
		if m.path == "sd3" {
			f.Add("mode", "text-to-image")
		}
		return nil
	case r.Size != "" && m.path == "sd3":
		return provider.Invalid("size is %q; with an input picture the model keeps the picture's own shape", r.Size)
	}
	if n, err := strconv.ParseFloat(strength, 64); !given || err != nil || !(n >= 0 && n <= 1) {
		return provider.Invalid("parameter strength is %q; with an input picture a number from 0 to 1 is needed", strength)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	file, err := provider.File("image", r.Inputs[0])
	if err != nil {
		return provider.Invalid("the input picture is given by address; the provider takes bytes")
	}
	f.Add("aspect_ratio", r.Size)
	if m.path == "sd3" {
		f.Add("mode", "image-to-image")
	}
	f.Add("strength", strength)
	*f = append(*f, file)
	return nil
}

func (m model) tuning(f *provider.Form, r provider.Request) error {
	if m.path == "sd3" {
		f.Add("model", r.Model)
	}
	if r.Seed != nil {
		if *r.Seed < 0 || *r.Seed > maxSeed {
			return provider.Invalid("seed is %d; accepted are 0 to %d, and 0 is any", *r.Seed, int64(maxSeed))
		}
		f.Add("seed", strconv.FormatInt(*r.Seed, 10))
	}
	if r.CFGScale != nil {
		if !m.tuned || !(*r.CFGScale >= 1 && *r.CFGScale <= 10) {
			return provider.Invalid("cfg_scale is %g; accepted are 1 to 10, by sd3.5 models only", *r.CFGScale)
		}
		f.Add("cfg_scale", strconv.FormatFloat(*r.CFGScale, 'g', -1, 64))
	}
	if r.Style != "" && !slices.Contains(styles, r.Style) {
		return provider.Invalid("style is %q; accepted are %v", r.Style, styles)
	}
	f.Add("style_preset", r.Style)
	return nil
}

func (m model) settings(f *provider.Form, r provider.Request) error {
	s := provider.SettingsOf(r)
	f.Add("output_format", s.Enum("output_format", m.formats...))
	s.Text("strength", 20) // read with the shape
	return s.Err()
}
