package openai

import (
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds of the service.
const (
	maxPrompt = 32_000
	maxImages = 10
	maxInputs = 16

	sideStep  = 16
	maxRatio  = 3
	maxSide   = 3840
	maxPixels = 3840 * 2160

	// maxInput keeps a data URL below the 20,971,520 characters that are accepted.
	maxInput = 15_728_600
	// maxMask is the bound of the mask's PNG.
	maxMask = 4 << 20
)

// sizes is what size may be, for people.
const sizes = "auto or width x height, such as 1024x1024 or 1536x1024"

// body is the JSON of both endpoints. There is no response_format: the service
// refuses it for its present models, which answer in base64 without being asked.
type body struct {
	Model             string `json:"model"`
	Prompt            string `json:"prompt"`
	Images            []link `json:"images,omitempty"`
	Mask              *link  `json:"mask,omitempty"`
	N                 int    `json:"n"`
	Size              string `json:"size,omitempty"`
	Quality           string `json:"quality,omitempty"`
	Background        string `json:"background,omitempty"`
	OutputFormat      string `json:"output_format,omitempty"`
	OutputCompression *int   `json:"output_compression,omitempty"`
	Moderation        string `json:"moderation,omitempty"`
	InputFidelity     string `json:"input_fidelity,omitempty"`
	Complexity        string `json:"complexity,omitempty"`
	FrameCount        *int   `json:"frame_count,omitempty"`
	FrameDuration     *int   `json:"frame_duration_ms,omitempty"`
	SafetyIdentifier  string `json:"safety_identifier,omitempty"`
	User              string `json:"user,omitempty"`
}

type link struct {
	URL string `json:"image_url"` // http, https or data URL
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	if r.Images < 1 || r.Images > maxImages {
		return provider.Call{}, provider.Invalid("image_count is %d; accepted are 1 to %d", r.Images, maxImages)
	}
	if len(r.Inputs) > maxInputs {
		return provider.Call{}, provider.Invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return provider.Call{}, err
	}
	b := body{Model: r.Model, Prompt: r.Prompt, N: r.Images}
	if err := b.shape(r); err != nil {
		return provider.Call{}, err
	}
	if err := b.settings(r); err != nil {
		return provider.Call{}, err
	}
	endpoint := generations
	for _, u := range r.Inputs {
		endpoint = edits
		b.Images = append(b.Images, link{u})
	}
	if err := b.coherent(); err != nil {
		return provider.Call{}, err
	}
	return a.call(endpoint, b)
}

// shape sets size and quality. Sizes are bounded as the newest models bound
// them; what an older one refuses, the service says without a charge.
func (b *body) shape(r provider.Request) error {
	switch r.Quality {
	case "", "auto", "low", "medium", "high", "xhigh", "max":
		b.Quality = r.Quality
	default:
		return provider.Invalid("quality is %q; accepted are auto, low, medium, high, xhigh and max", r.Quality)
	}
	if r.Size == "" || r.Size == "auto" {
		b.Size = r.Size
		return nil
	}
	s, ok := provider.ParseSize(r.Size)
	switch {
	case !ok:
		return provider.Invalid("size is %q; accepted are "+sizes, r.Size)
	case s.W%sideStep != 0 || s.H%sideStep != 0:
		return provider.Invalid("size is %s; both sides must be divisible by %d", s, sideStep)
	case !s.Within(maxRatio):
		return provider.Invalid("size is %s; the longer side may be at most %d times the shorter one", s, maxRatio)
	case max(s.W, s.H) > maxSide || s.Pixels() > maxPixels:
		return provider.Invalid("size is %s; accepted are at most %dx2160 pixels", s, maxSide)
	}
	b.Size = s.String()
	return nil
}

// settings reads the service's own parameters. SVG is left out: it is no
// picture that can be checked and kept.
func (b *body) settings(r provider.Request) error {
	s := provider.SettingsOf(r)
	b.Background = s.Enum("background", "auto", "transparent", "opaque")
	b.OutputFormat = s.Enum("output_format", "png", "jpeg", "webp", "gif")
	b.OutputCompression = s.Int("output_compression", 0, 100)
	b.Moderation = s.Enum("moderation", "auto", "low")
	b.InputFidelity = s.Enum("input_fidelity", "low", "high")
	b.Complexity = s.Enum("complexity", "low", "medium", "high")
	b.FrameCount = s.Int("frame_count", 2, 16)
	b.FrameDuration = s.Int("frame_duration_ms", 1, 60_000)
	b.SafetyIdentifier = s.Text("safety_identifier", task.MaxText)
	b.User = s.Text("user", task.MaxText)
	if mask := s.Text("mask", task.MaxURL); mask != "" {
		b.Mask = &link{mask}
	}
	if err := s.Err(); err != nil || b.Mask == nil {
		return err
	}
	return provider.Inputs{Bytes: maxMask, Types: []string{"image/png"}}.Check("parameter mask", b.Mask.URL)
}

// coherent refuses settings that exclude each other, before they cost a call.
func (b *body) coherent() error {
	format := b.OutputFormat
	switch {
	case b.OutputCompression != nil && format != "jpeg" && format != "webp":
		return provider.Invalid("parameter output_compression needs output_format jpeg or webp")
	case b.Background == "transparent" && format != "" && format != "png" && format != "webp":
		return provider.Invalid("parameter background=transparent needs output_format png or webp")
	case (b.FrameCount != nil || b.FrameDuration != nil) && format != "gif":
		return provider.Invalid("parameters frame_count and frame_duration_ms need output_format gif")
	case b.Mask != nil && len(b.Images) == 0:
		return provider.Invalid("parameter mask needs an input picture")
	case b.InputFidelity != "" && len(b.Images) == 0:
		return provider.Invalid("parameter input_fidelity needs an input picture")
	}
	return nil
}
