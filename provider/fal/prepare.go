package fal

import (
	"maps"
	"regexp"
	"slices"

	"github.com/easelqueue/easel/provider"
)

// Bounds of the service.
const (
	maxPrompt = 32_000 // none is documented
	maxImages = 4      // what the models that know num_images take
	maxInputs = 10
	maxInput  = 10 << 20
	maxSide   = 14_142 // of an image_size in pixels
)

const sizes = "width x height such as 1216x832, square, square_hd, portrait_4_3, portrait_16_9, landscape_4_3 or landscape_16_9"

var (
	named  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){1,7}$`)
	shapes = []string{"square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"}
	field  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	if !named.MatchString(r.Model) {
		return provider.Call{}, provider.Invalid("model is %q; accepted are names such as fal-ai/flux/dev", r.Model)
	}
	if r.Images < 1 || r.Images > maxImages {
		return provider.Call{}, provider.Invalid("image_count is %d; accepted are 1 to %d in one call", r.Images, maxImages)
	}
	b := map[string]any{"prompt": r.Prompt}
	for _, step := range []func() error{
		func() error { return shape(b, r) },
		func() error { return inputs(b, r) },
		func() error { return settings(b, r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	return provider.NewCall("/"+r.Model, r.Model, b)
}

func shape(b map[string]any, r provider.Request) error {
	set := func(name string, given bool, value any) {
		if given {
			b[name] = value
		}
	}
	set("negative_prompt", r.NegativePrompt != "", r.NegativePrompt)
	set("seed", r.Seed != nil, r.Seed)
	set("num_inference_steps", r.Steps != nil, r.Steps)
	set("guidance_scale", r.CFGScale != nil, r.CFGScale)
	set("num_images", r.Images > 1, r.Images)
	s, pixels := provider.ParseSize(r.Size)
	switch {
	case r.Size == "":
	case pixels && max(s.W, s.H) <= maxSide:
		b["image_size"] = map[string]int{"width": s.W, "height": s.H}
	case slices.Contains(shapes, r.Size):
		b["image_size"] = r.Size
	default:
		return provider.Invalid("size is %q; accepted are %s", r.Size, sizes)
	}
	return nil
}

// inputs names the input pictures as most models do; a model that names them
// otherwise is told by the parameter input_field.
func inputs(b map[string]any, r provider.Request) error {
	if len(r.Inputs) > maxInputs {
		return provider.Invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	name, renamed := r.Parameters["input_field"]
	switch {
	case renamed && !field.MatchString(name):
		return provider.Invalid("parameter input_field is %q; accepted is a name of the model's input, such as image_url", name)
	case len(r.Inputs) == 0:
	case renamed && len(r.Inputs) == 1:
		b[name] = r.Inputs[0]
	case renamed:
		b[name] = r.Inputs
	case len(r.Inputs) == 1:
		b["image_url"] = r.Inputs[0]
	default:
		b["image_urls"] = r.Inputs
	}
	return nil
}

// settings passes on the model's own parameters. sync_mode is not among them: the
// service would keep nothing to ask for.
func settings(b map[string]any, r provider.Request) error {
	own := maps.Clone(r.Parameters)
	delete(own, "input_field")
	return provider.PassOn(r, own, b, "prompt", "negative_prompt", "seed", "num_images", "sync_mode")
}
