package replicate

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds of the service.
const (
	maxPrompt  = 32_000 // none is documented
	maxImages  = 4      // what the models that know num_outputs take
	maxInputs  = 14
	maxInput   = 256_000 // bytes of a data URL
	maxSetting = 4_000
)

const sizes = "width x height such as 1024x768, or an aspect ratio such as 3:2; which of them, the model says"

var (
	named     = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+(:[0-9a-f]{64})?$`)
	versioned = regexp.MustCompile(`^[0-9a-f]{64}$`)
	aspect    = regexp.MustCompile(`^\d{1,3}:\d{1,3}$`)
	setting   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
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
		func() error { return b.settings(r.Parameters) },
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
	return "", "", invalid("model is %q; accepted are owner/name, owner/name:version and a version of 64 hex digits", model)
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
		return invalid("image_count is %d; accepted are 1 to %d in one call", r.Images, maxImages)
	}
	size, pixels := provider.ParseSize(r.Size)
	switch {
	case r.Size == "":
	case pixels:
		b.Input["width"], b.Input["height"] = size.W, size.H
	case aspect.MatchString(r.Size):
		b.Input["aspect_ratio"] = r.Size
	default:
		return invalid("size is %q; accepted are %s", r.Size, sizes)
	}
	return nil
}

// inputs names the input pictures as most models do; a model that names them
// otherwise is told by the parameter input_field.
func (b *body) inputs(r provider.Request) error {
	if len(r.Inputs) > maxInputs {
		return invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	field := r.Parameters["input_field"]
	switch {
	case len(r.Inputs) == 0:
	case field != "" && len(r.Inputs) == 1:
		b.Input[field] = r.Inputs[0]
	case field != "":
		b.Input[field] = r.Inputs
	case len(r.Inputs) == 1:
		b.Input["image"] = r.Inputs[0]
	default:
		b.Input["image_input"] = r.Inputs
	}
	return nil
}

// settings passes on the model's own parameters: a value that reads as a number
// or a truth value is one. What the task says by itself cannot be said twice.
func (b *body) settings(given map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		switch {
		case name == "input_field" && setting.MatchString(value):
			continue
		case !setting.MatchString(name):
			return invalid("parameter %q is not known; parameters are names of the model's input such as output_format", name)
		case slices.Contains([]string{"prompt", "negative_prompt", "seed", "num_outputs"}, name) || b.Input[name] != nil:
			return invalid("parameter %s is set by the task itself", name)
		case len(value) > maxSetting:
			return invalid("parameter %s has %d bytes; accepted are up to %d", name, len(value), maxSetting)
		}
		b.Input[name] = typed(value)
	}
	return nil
}

func typed(value string) any {
	var v any
	if json.Unmarshal([]byte(value), &v) != nil {
		return value
	}
	switch v.(type) {
	case bool:
		return v
	case float64:
		return json.RawMessage(value) // as it is written: 0.10 stays 0.10
	}
	return value
}

func invalid(format string, values ...any) error {
	return &task.Failure{Kind: task.Invalid, Message: fmt.Sprintf(format, values...)}
}
