package dashscope

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
	maxPrompt = 2_000
	maxInput  = 10 << 20
	maxSeed   = 1<<31 - 1
)

const (
	fromText     = "/services/aigc/text2image/image-synthesis"
	fromPictures = "/services/aigc/image2image/image-synthesis"
)

// model is what is known of one family of models.
type model struct {
	family    string // how the model's name begins
	images    int
	inputs    int
	edits     bool // draws from pictures alone, with a function
	low, high int  // bounds of a side; 0 is a list
	sizes     []string
	apart     bool // wants the negative prompt beside the parameters
}

var models = []model{
	{family: "qwen-image", images: 1, sizes: []string{"1328x1328", "1664x928", "1472x1104", "1104x1472", "928x1664", "1024x1024"}, apart: true},
	{family: "wanx2.1-imageedit", images: 4, inputs: 1, edits: true},
	{family: "wan2.5-i2i", images: 4, inputs: 3, low: 384, high: 2560},
	{family: "wan2.5", images: 4, low: 384, high: 2560},
	{family: "wan", images: 4, low: 512, high: 1440},
}

// widest stands for models that came later: the service itself refuses what they
// cannot do.
var widest = model{images: 4, inputs: 3, low: 384, high: 4096}

func modelOf(name string) model {
	i := slices.IndexFunc(models, func(m model) bool { return strings.HasPrefix(name, m.family) })
	if i < 0 {
		return widest
	}
	return models[i]
}

func (m model) accepted() string {
	switch {
	case m.edits:
		return "none: the picture keeps its size"
	case len(m.sizes) > 0:
		return strings.Join(m.sizes, ", ")
	}
	return fmt.Sprintf("width x height, sides of %d to %d pixels", m.low, m.high)
}

func (m model) capabilities() provider.Capabilities {
	return provider.Capabilities{Async: true, AddressLife: 24 * time.Hour, MaxImages: m.images, MaxInputs: m.inputs, Inline: maxInput, Sizes: m.accepted(),
		NegativePrompt: true, Seed: true, Watermark: true, Mask: m.edits, Cancel: true}
}

var named = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// functions are what wanx2.1-imageedit can do to a picture.
var functions = []string{"stylization_all", "stylization_local", "description_edit", "description_edit_with_mask", "remove_watermark", "expand",
	"super_resolution", "colorization", "doodle", "control_cartoon_feature"}

// body is the JSON of a call.
type body struct {
	Model      string         `json:"model"`
	Input      map[string]any `json:"input"`
	Parameters map[string]any `json:"parameters"`
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	if !named.MatchString(r.Model) {
		return provider.Call{}, provider.Invalid("model is %q; accepted are names such as wan2.2-t2i-flash", r.Model)
	}
	m := modelOf(r.Model)
	// A watermark is always said: what the provider takes for granted may change.
	b := body{r.Model, map[string]any{"prompt": r.Prompt}, map[string]any{"n": r.Images, "watermark": r.Watermark != nil && *r.Watermark}}
	for _, step := range []func() error{
		func() error { return b.shape(m, r) },
		func() error { return b.start(m, r) },
		func() error { return b.settings(m, r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	endpoint := fromText
	if len(r.Inputs) > 0 {
		endpoint = fromPictures
	}
	return provider.NewCall(endpoint, r.Model, b)
}

func (b *body) shape(m model, r provider.Request) error {
	s, pixels := provider.ParseSize(r.Size)
	listed := slices.Contains(m.sizes, s.String())
	switch {
	case r.Images < 1 || r.Images > m.images:
		return provider.Invalid("image_count is %d; model %q draws 1 to %d in one call", r.Images, r.Model, m.images)
	case r.Seed != nil && (*r.Seed < 0 || *r.Seed > maxSeed):
		return provider.Invalid("seed is %d; accepted are 0 to %d", *r.Seed, maxSeed)
	case r.Size == "":
	case m.edits || !pixels || len(m.sizes) > 0 && !listed || len(m.sizes) == 0 && (min(s.W, s.H) < m.low || max(s.W, s.H) > m.high):
		return provider.Invalid("size is %q; model %q accepts %s", r.Size, r.Model, m.accepted())
	default:
		b.Parameters["size"] = fmt.Sprintf("%d*%d", s.W, s.H) // an asterisk, as nobody else writes it
	}
	if r.Seed != nil {
		b.Parameters["seed"] = *r.Seed
	}
	switch {
	case r.NegativePrompt == "":
	case m.apart:
		b.Parameters["negative_prompt"] = r.NegativePrompt
	default:
		b.Input["negative_prompt"] = r.NegativePrompt
	}
	return nil
}

func (b *body) start(m model, r provider.Request) error {
	if len(r.Inputs) > m.inputs {
		return provider.Invalid("%d input pictures were given; model %q takes at most %d", len(r.Inputs), r.Model, m.inputs)
	}
	if m.edits && len(r.Inputs) == 0 {
		return provider.Invalid("model %q changes a picture, and none was given", r.Model)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	switch {
	case len(r.Inputs) == 0:
	case m.edits:
		b.Input["base_image_url"] = r.Inputs[0]
	default:
		b.Input["images"] = r.Inputs
	}
	return nil
}

func (b *body) settings(m model, r provider.Request) error {
	s := provider.SettingsOf(r)
	if extend := s.Bool("prompt_extend"); extend != nil {
		b.Parameters["prompt_extend"] = *extend
	}
	if m.edits {
		b.Input["function"] = "description_edit"
		if f := s.Enum("function", functions...); f != "" {
			b.Input["function"] = f
		}
		if mask := s.Text("mask", task.MaxURL); mask != "" {
			if err := (provider.Inputs{Bytes: maxInput}).Check("parameter mask", mask); err != nil {
				return err
			}
			b.Input["mask_image_url"] = mask
		}
	}
	return s.Err()
}
