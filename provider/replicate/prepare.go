package replicate

import (
	"maps"
	"regexp"
	"strings"

	"github.com/easelqueue/easel/provider"
)

// Bounds of the service.
const (
	maxPrompt = 32_000 // none is documented
	maxImages = 4      // what the models that know num_outputs take
	maxInputs = 14
	maxInput  = 256_000 // bytes of a data URL
)

const sizes = "width x height such as 1024x768, or an aspect ratio such as 3:2; which of them, the model says"

var (
	named     = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(:[0-9a-f]{64})?$`) // a name of dots alone would lead elsewhere
	versioned = regexp.MustCompile(`^[0-9a-f]{64}$`)
	aspect    = regexp.MustCompile(`^\d{1,3}:\d{1,3}$`)
	field     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// body is the JSON of a call. A model with a version goes to the general
// endpoint, which wants it named; one without to its own.
type body struct {
	Version string         `json:"version,omitempty"`
	Input   map[string]any `json:"input"`
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	endpoint, version, err := target(r.Model)
	if err != nil {
		return provider.Call{}, err
	}
	b := body{Version: version, Input: map[string]any{"prompt": r.Prompt}}
	for _, step := range []func() error{
		func() error { return b.shape(r) },
		func() error { return b.inputs(r) },
		func() error { return b.settings(r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	return provider.NewCall(endpoint, r.Model, b)
}

// target is where a call of the model goes.
func target(model string) (endpoint, version string, err error) {
	switch {
	case versioned.MatchString(model) || named.MatchString(model) && strings.Contains(model, ":"):
		return "/predictions", model, nil
	case named.MatchString(model):
		return "/models/" + model + "/predictions", "", nil
	}
	return "", "", provider.Invalid("model is %q; accepted are owner/name, owner/name:version and a version of 64 hex digits", model)
}

func (b *body) shape(r provider.Request) error {
	set := func(name string, given bool, value any) {
		if given {
			b.Input[name] = value
		}
	}
	set("negative_prompt", r.NegativePrompt != "", r.NegativePrompt)
	set("seed", r.Seed != nil, r.Seed)
	set("num_inference_steps", r.Steps != nil, r.Steps)
	set("guidance", r.CFGScale != nil, r.CFGScale)
	set("num_outputs", r.Images > 1, r.Images)
	if r.Images < 1 || r.Images > maxImages {
		return provider.Invalid("image_count is %d; accepted are 1 to %d in one call", r.Images, maxImages)
	}
	size, pixels := provider.ParseSize(r.Size)
	switch {
	case r.Size == "":
	case pixels:
		b.Input["width"], b.Input["height"] = size.W, size.H
	case aspect.MatchString(r.Size):
		b.Input["aspect_ratio"] = r.Size
	default:
		return provider.Invalid("size is %q; accepted are %s", r.Size, sizes)
	}
	return nil
}

// inputs names the input pictures as most models do; a model that names them
// otherwise is told by the parameter input_field.
func (b *body) inputs(r provider.Request) error {
	if len(r.Inputs) > maxInputs {
		return provider.Invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	name, named := r.Parameters["input_field"]
	switch {
	case named && !field.MatchString(name):
		return provider.Invalid("parameter input_field is %q; accepted is a name of the model's input, such as image", name)
	case len(r.Inputs) == 0:
	case named && len(r.Inputs) == 1:
		b.Input[name] = r.Inputs[0]
	case named:
		b.Input[name] = r.Inputs
	case len(r.Inputs) == 1:
		b.Input["image"] = r.Inputs[0]
	default:
		b.Input["image_input"] = r.Inputs
	}
	return nil
}

// settings passes on the model's own parameters.
func (b *body) settings(r provider.Request) error {
	own := maps.Clone(r.Parameters)
	delete(own, "input_field")
	return provider.PassOn(r, own, b.Input, "prompt", "negative_prompt", "seed", "num_outputs")
}
