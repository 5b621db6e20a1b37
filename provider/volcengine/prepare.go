package volcengine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds of the service.
const (
	maxPrompt = 32_000 // none is documented; the service advises 600 words
	maxImages = 15     // in one call, input pictures included
	maxPixels = 4096 * 4096
	maxRatio  = 16
	maxInput  = 10 << 20
	maxSeed   = 1<<31 - 1
)

// body is the JSON of a call. Watermark is always sent: without it the service
// would print a mark on the picture.
type body struct {
	Model             string      `json:"model"`
	Prompt            string      `json:"prompt"`
	Image             any         `json:"image,omitempty"` // a string, or several
	Size              string      `json:"size,omitempty"`
	Sequential        string      `json:"sequential_image_generation,omitempty"`
	SequentialOptions *sequential `json:"sequential_image_generation_options,omitempty"`
	ResponseFormat    string      `json:"response_format"`
	Watermark         bool        `json:"watermark"`
	Seed              *int64      `json:"seed,omitempty"`
	GuidanceScale     *float64    `json:"guidance_scale,omitempty"`
	OutputFormat      string      `json:"output_format,omitempty"`
	OptimizePrompt    *optimize   `json:"optimize_prompt_options,omitempty"`
	Tools             []tool      `json:"tools,omitempty"`
}

type sequential struct {
	MaxImages int `json:"max_images"` // an upper bound; the model may draw fewer
}

type optimize struct {
	Mode string `json:"mode"`
}

type tool struct {
	Type string `json:"type"`
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	m := modelOf(r.Model)
	b := body{Model: r.Model, Prompt: r.Prompt, ResponseFormat: "url", Watermark: r.Watermark != nil && *r.Watermark,
		Seed: r.Seed, GuidanceScale: r.CFGScale}
	steps := []func() error{
		func() error { return b.inputs(r, m) },
		func() error { return b.count(r, m) },
		func() error { return b.size(r.Size, m) },
		func() error { return b.tuning(m) },
		func() error { return b.settings(r, m) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	return provider.NewCall(endpoint, r.Model, b)
}

func (b *body) inputs(r provider.Request, m model) error {
	if len(r.Inputs) > m.maxInputs {
		return provider.Invalid("%d input pictures were given; model %q takes at most %d", len(r.Inputs), r.Model, m.maxInputs)
	}
	switch len(r.Inputs) {
	case 0:
	case 1:
		b.Image = r.Inputs[0]
	default:
		b.Image = r.Inputs
	}
	return provider.Inputs{Bytes: maxInput}.Check("input picture", r.Inputs...)
}

func (b *body) count(r provider.Request, m model) error {
	switch {
	case r.Images < 1 || r.Images > m.maxImages:
		return provider.Invalid("image_count is %d; model %q draws 1 to %d", r.Images, r.Model, m.maxImages)
	case r.Images > 1 && r.Images+len(r.Inputs) > maxImages:
		return provider.Invalid("image_count is %d with %d input pictures; together they may be at most %d", r.Images, len(r.Inputs), maxImages)
	case r.Images > 1:
		b.Sequential, b.SequentialOptions = "auto", &sequential{r.Images}
	case !m.single:
		b.Sequential = "disabled"
	}
	return nil
}

func (b *body) size(asked string, m model) error {
	if asked == "" {
		return nil
	}
	if tier := strings.ToUpper(asked); slices.Contains(m.tiers, tier) {
		b.Size = tier
		return nil
	}
	s, ok := provider.ParseSize(asked)
	switch {
	case !ok:
		return provider.Invalid("size is %q; model %q accepts %s", asked, b.Model, m.sizes())
	case s.Pixels() < m.minPixels || s.Pixels() > maxPixels:
		return provider.Invalid("size is %s, which is %d pixels; model %q draws %d to %d", s, s.Pixels(), b.Model, m.minPixels, maxPixels)
	case !s.Within(maxRatio):
		return provider.Invalid("size is %s; the longer side may be at most %d times the shorter one", s, maxRatio)
	}
	b.Size = s.String()
	return nil
}

func (b *body) tuning(m model) error {
	switch {
	case !m.tuned && (b.Seed != nil || b.GuidanceScale != nil):
		return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: fmt.Sprintf("model %q takes no seed and no cfg_scale", b.Model), Advice: task.LeaveOut}
	case b.Seed != nil && (*b.Seed < -1 || *b.Seed > maxSeed):
		return provider.Invalid("seed is %d; accepted are -1 to %d", *b.Seed, maxSeed)
	case b.GuidanceScale != nil && !(*b.GuidanceScale >= 1 && *b.GuidanceScale <= 10):
		return provider.Invalid("cfg_scale is %g; accepted are 1 to 10", *b.GuidanceScale)
	}
	return nil
}

// settings reads the service's own parameters. Those of them that the row's columns
// decide may be spelled out as well, in the service's own words.
func (b *body) settings(r provider.Request, m model) error {
	s := provider.SettingsOf(r)
	b.OutputFormat = s.Enum("output_format", "jpeg", "png")
	if mode := s.Enum("optimize_prompt_mode", "standard", "fast"); mode != "" {
		b.OptimizePrompt = &optimize{mode}
	}
	if search := s.Bool("web_search"); search != nil && *search {
		b.Tools = []tool{{"web_search"}}
	}
	count := max(r.Total, r.Images)
	mode := s.Enum("sequential_image_generation", "auto", "disabled")
	options := s.Text("sequential_image_generation_options", task.MaxText)
	s.Refuse("image", "the row's input_image_url, input_image_id and reference_images say it")
	if err := s.Err(); err != nil {
		return err
	}
	switch {
	case mode == "auto" && count == 1:
		return provider.Invalid(`parameter sequential_image_generation is "auto" and the row's image_count is 1; auto lets the model draw, and bill, up to %d: say how many in image_count, or "disabled"`, maxImages)
	case mode == "disabled" && count > 1 && !m.single:
		return provider.Invalid(`parameter sequential_image_generation is "disabled", which draws one picture, and the row's image_count is %d; leave the parameter out`, count)
	}
	return agreed(options, count)
}

// agreed refuses options of a sequence that bound it otherwise than the row.
func agreed(options string, count int) error {
	if options == "" {
		return nil
	}
	var asked sequential
	d := json.NewDecoder(strings.NewReader(options))
	d.DisallowUnknownFields()
	if d.Decode(&asked) != nil || asked.MaxImages != count {
		return provider.Invalid(`parameter sequential_image_generation_options is %q and the row's image_count is %d; accepted is {"max_images": %d}, or leave it out`, options, count, count)
	}
	return nil
}
