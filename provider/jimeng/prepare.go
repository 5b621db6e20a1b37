package jimeng

import (
	"encoding/json"
	"regexp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds of the service.
const (
	maxPrompt = 800
	maxImages = 1 // the model itself decides about more, and bills each
	maxInputs = 10
	maxInput  = 15 << 20
	minPixels = 1024 * 1024
	maxPixels = 4096 * 4096
	maxRatio  = 3
)

const sizes = "width x height with 1024x1024 to 4096x4096 pixels in all, or 1K, 2K or 4K"

var (
	named = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	tiers = map[string]int{"1K": 1024 * 1024, "2K": 2048 * 2048, "4K": 4096 * 4096}
)

// body is the JSON of a submit. Force_single is always said: without it the model
// may draw, and bill, up to fifteen pictures.
type body struct {
	Model       string   `json:"req_key"`
	Prompt      string   `json:"prompt"`
	Images      []string `json:"image_urls,omitempty"`
	Size        int      `json:"size,omitempty"` // an area; the model picks the shape
	Width       int      `json:"width,omitempty"`
	Height      int      `json:"height,omitempty"`
	Scale       *float64 `json:"scale,omitempty"`
	ForceSingle bool     `json:"force_single"`

	// Ask is what every poll asks for. It is not part of the submit: see split.
	Ask string `json:"req_json,omitempty"`
}

// ask is what a poll asks for.
type ask struct {
	ReturnURL bool `json:"return_url"`
	Logo      logo `json:"logo_info"`
}

type logo struct {
	Add bool `json:"add_logo"`
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	switch {
	case !named.MatchString(r.Model):
		return provider.Call{}, provider.Invalid("model is %q; accepted are names such as %s", r.Model, DefaultModel)
	case r.Images != 1:
		return provider.Call{}, provider.Invalid("image_count is %d; the provider draws one picture in a call", r.Images)
	case len(r.Inputs) > maxInputs:
		return provider.Call{}, provider.Invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return provider.Call{}, err
	}
	b := body{Model: r.Model, Prompt: r.Prompt, Images: r.Inputs, ForceSingle: true}
	if err := b.shape(r.Size); err != nil {
		return provider.Call{}, err
	}
	s := provider.SettingsOf(r)
	if n := s.Int("scale_percent", 0, 100); n != nil {
		b.Scale = new(float64(*n) / 100)
	}
	if err := s.Err(); err != nil {
		return provider.Call{}, err
	}
	asks, err := json.Marshal(ask{true, logo{r.Watermark != nil && *r.Watermark}})
	if err != nil {
		return provider.Call{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: err.Error(), Cause: err}
	}
	b.Ask = string(asks)
	return provider.NewCall("/?"+submit, r.Model, b)
}

func (b *body) shape(size string) error {
	if size == "" {
		return nil
	}
	if area, ok := tiers[size]; ok {
		b.Size = area
		return nil
	}
	s, ok := provider.ParseSize(size)
	switch {
	case !ok:
		return provider.Invalid("size is %q; accepted is %s", size, sizes)
	case s.Pixels() < minPixels || s.Pixels() > maxPixels:
		return provider.Invalid("size is %s, which is %d pixels; accepted are %d to %d", s, s.Pixels(), minPixels, maxPixels)
	case !s.Within(maxRatio):
		return provider.Invalid("size is %s; the longer side may be at most %d times the shorter one", s, maxRatio)
	}
	b.Width, b.Height = s.W, s.H
	return nil
}

// split parts a call into what is submitted and what its polls ask for.
func split(c provider.Call) (submitted []byte, asks string, err error) {
	var b body
	if err := json.Unmarshal(c.Body, &b); err != nil {
		return nil, "", &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the call is not one of this adapter", Cause: err}
	}
	asks, b.Ask = b.Ask, ""
	sent, err := provider.NewCall(c.Endpoint, c.Model, b)
	return sent.Body, asks, err
}
