package stablediffusion

import (
	"encoding/json"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds. The server has none but its memory; these keep a slip from occupying it
// for hours.
const (
	maxPrompt = 32_000
	maxImages = 8
	maxInput  = 20 << 20
	maxSide   = 4096
	sideStep  = 8
	maxSteps  = 150
	maxSeed   = 1<<32 - 1
)

const (
	fromText    = "/sdapi/v1/txt2img"
	fromPicture = "/sdapi/v1/img2img"
)

const sizes = "width x height, sides of 64 to 4096 pixels that are multiples of 8"

// body is the JSON of both endpoints.
type body struct {
	Prompt         string         `json:"prompt"`
	NegativePrompt string         `json:"negative_prompt,omitempty"`
	Seed           *int64         `json:"seed,omitempty"`
	Steps          *int           `json:"steps,omitempty"`
	CFGScale       *float64       `json:"cfg_scale,omitempty"`
	Width          int            `json:"width,omitempty"`
	Height         int            `json:"height,omitempty"`
	BatchSize      int            `json:"batch_size"`
	Sampler        string         `json:"sampler_name,omitempty"`
	Scheduler      string         `json:"scheduler,omitempty"`
	Denoising      *float64       `json:"denoising_strength,omitempty"`
	RestoreFaces   *bool          `json:"restore_faces,omitempty"`
	Tiling         *bool          `json:"tiling,omitempty"`
	EnableHR       *bool          `json:"enable_hr,omitempty"`
	Upscaler       string         `json:"hr_upscaler,omitempty"`
	InitImages     []string       `json:"init_images,omitempty"`
	Mask           string         `json:"mask,omitempty"`
	MaskBlur       *int           `json:"mask_blur,omitempty"`
	ResizeMode     *int           `json:"resize_mode,omitempty"`
	Override       map[string]any `json:"override_settings,omitempty"`
	SendImages     bool           `json:"send_images"`
	SaveImages     bool           `json:"save_images"`
}

// Prepare maps the model to the checkpoint that the server loads for this call; an
// empty one is whichever it has loaded.
func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	checkpoint := r.Model
	if r.Model == "" {
		r.Model = "loaded"
	}
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	b := body{Prompt: r.Prompt, NegativePrompt: r.NegativePrompt, Seed: r.Seed, Steps: r.Steps, CFGScale: r.CFGScale, BatchSize: r.Images, SendImages: true}
	if checkpoint != "" {
		b.Override = map[string]any{"sd_model_checkpoint": checkpoint}
	}
	for _, step := range []func() error{
		func() error { return b.bounds(r) },
		func() error { return b.start(r) },
		func() error { return b.settings(r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	endpoint := fromText
	if len(b.InitImages) > 0 {
		endpoint = fromPicture
	}
	return provider.NewCall(endpoint, checkpoint, b)
}

func (b *body) bounds(r provider.Request) error {
	s, pixels := provider.ParseSize(r.Size)
	switch {
	case r.Images < 1 || r.Images > maxImages:
		return provider.Invalid("image_count is %d; accepted are 1 to %d in one call", r.Images, maxImages)
	case r.Steps != nil && (*r.Steps < 1 || *r.Steps > maxSteps):
		return provider.Invalid("steps is %d; accepted are 1 to %d", *r.Steps, maxSteps)
	case r.CFGScale != nil && !(*r.CFGScale >= 1 && *r.CFGScale <= 30):
		return provider.Invalid("cfg_scale is %g; accepted are 1 to 30", *r.CFGScale)
	case r.Seed != nil && (*r.Seed < -1 || *r.Seed > maxSeed):
		return provider.Invalid("seed is %d; accepted are 0 to %d, and -1 for any", *r.Seed, int64(maxSeed))
	case r.Size == "":
		return nil
	case !pixels || s.W%sideStep != 0 || s.H%sideStep != 0 || min(s.W, s.H) < 64 || max(s.W, s.H) > maxSide:
		return provider.Invalid("size is %q; accepted is %s", r.Size, sizes)
	}
	b.Width, b.Height = s.W, s.H
	return nil
}

func (b *body) start(r provider.Request) error {
	if len(r.Inputs) > 1 {
		return provider.Invalid("%d input pictures were given; the server takes one", len(r.Inputs))
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return err
	}
	for _, in := range r.Inputs {
		_, content, ok := provider.SplitDataURL(in)
		if !ok {
			return provider.Invalid("the input picture is given by address; the server takes bytes")
		}
		b.InitImages = []string{content}
	}
	return nil
}

// settings reads the server's own parameters. Scripts are left out: they run code
// of the server's on what a task says.
func (b *body) settings(r provider.Request) error {
	s := provider.SettingsOf(r)
	b.Sampler = s.Text("sampler_name", task.MaxText)
	b.Scheduler = s.Text("scheduler", task.MaxText)
	b.Upscaler = s.Text("hr_upscaler", task.MaxText)
	b.RestoreFaces, b.Tiling, b.EnableHR = s.Bool("restore_faces"), s.Bool("tiling"), s.Bool("enable_hr")
	b.MaskBlur, b.ResizeMode = s.Int("mask_blur", 0, 64), s.Int("resize_mode", 0, 3)
	if percent := s.Int("denoising_percent", 0, 100); percent != nil {
		b.Denoising = new(float64(*percent) / 100)
	}
	mask := s.Text("mask", task.MaxURL)
	if err := s.Err(); err != nil {
		return err
	}
	fresh := len(b.InitImages) == 0
	switch {
	case fresh && (mask != "" || b.MaskBlur != nil || b.ResizeMode != nil):
		return provider.Invalid("parameters mask, mask_blur and resize_mode need an input picture")
	case !fresh && (b.EnableHR != nil || b.Upscaler != ""):
		return provider.Invalid("parameters enable_hr and hr_upscaler do not go with an input picture")
	case mask == "":
		return nil
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("parameter mask", mask); err != nil {
		return err
	}
	_, content, ok := provider.SplitDataURL(mask)
	if !ok {
		return provider.Invalid("parameter mask is an address; accepted is a data URL")
	}
	b.Mask = content
	return nil
}

// wanted is how many pictures a call asks for.
func wanted(call []byte) int {
	var b body
	json.Unmarshal(call, &b) // our own
	return b.BatchSize
}
