package gemini

import (
	"regexp"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
)

// Bounds of the service.
const (
	maxPrompt = 32_000
	maxInputs = 14
	maxInput  = 7 << 20  // of one picture; a whole request may have 20 MB
	maxTotal  = 14 << 20 // of all, before base64 makes four bytes of three
	maxSeed   = 1<<31 - 1
)

const sizes = "an aspect ratio such as 16:9, a tier 1K, 2K or 4K, or both: \"16:9 2K\""

var (
	named  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,99}$`)
	ratios = []string{"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1"}
	tiers  = []string{"1K", "2K", "4K"}
	levels = []string{"BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE", "OFF"}
	harms  = []string{"HARM_CATEGORY_HARASSMENT", "HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_SEXUALLY_EXPLICIT", "HARM_CATEGORY_DANGEROUS_CONTENT"}
)

// body is the JSON of a call.
type body struct {
	Contents []content `json:"contents"`
	Config   config    `json:"generationConfig"`
	Safety   []safety  `json:"safetySettings,omitempty"`
}

type content struct {
	Role  string `json:"role"`
	Parts []any  `json:"parts"`
}

type text struct {
	Text string `json:"text"`
}

type inline struct {
	Data blob `json:"inlineData"`
}

type blob struct {
	MIMEType string `json:"mimeType"`
	Data     string `json:"data"`
}

type config struct {
	Modalities []string `json:"responseModalities"`
	Seed       *int64   `json:"seed,omitempty"`
	Image      *image   `json:"imageConfig,omitempty"`
}

type image struct {
	AspectRatio      string `json:"aspectRatio,omitempty"`
	ImageSize        string `json:"imageSize,omitempty"`
	PersonGeneration string `json:"personGeneration,omitempty"`
}

type safety struct {
	Category  string `json:"category"`
	Threshold string `json:"threshold"`
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	switch {
	case !named.MatchString(r.Model):
		return provider.Call{}, provider.Invalid("model is %q; accepted are names such as gemini-2.5-flash-image", r.Model)
	case r.Images != 1:
		return provider.Call{}, provider.Invalid("image_count is %d; the provider draws one picture in a call", r.Images)
	case r.Seed != nil && (*r.Seed < 0 || *r.Seed > maxSeed):
		return provider.Call{}, provider.Invalid("seed is %d; accepted are 0 to %d", *r.Seed, maxSeed)
	}
	b := body{Config: config{Modalities: []string{"IMAGE"}, Seed: r.Seed}}
	parts, err := parts(r)
	if err != nil {
		return provider.Call{}, err
	}
	b.Contents = []content{{"user", parts}}
	shape, err := shape(r.Size)
	if err != nil {
		return provider.Call{}, err
	}
	s := provider.SettingsOf(r)
	shape.PersonGeneration = s.Enum("person_generation", "ALLOW_ALL", "ALLOW_ADULT", "ALLOW_NONE")
	if level := s.Enum("safety_threshold", levels...); level != "" {
		for _, harm := range harms {
			b.Safety = append(b.Safety, safety{harm, level})
		}
	}
	if err := s.Err(); err != nil {
		return provider.Call{}, err
	}
	if shape != (image{}) {
		b.Config.Image = &shape
	}
	return provider.NewCall("/models/"+r.Model+":generateContent", r.Model, b)
}

// parts is the prompt with the input pictures behind it.
func parts(r provider.Request) ([]any, error) {
	if len(r.Inputs) > maxInputs {
		return nil, provider.Invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return nil, err
	}
	all, total := []any{text{r.Prompt}}, 0
	for _, in := range r.Inputs {
		mime, data, ok := provider.SplitDataURL(in)
		if !ok {
			return nil, provider.Invalid("an input picture is given by address; the provider takes bytes")
		}
		total += len(data) / 4 * 3
		all = append(all, inline{blob{mime, data}})
	}
	if total > maxTotal {
		return nil, provider.Invalid("the input pictures have %d bytes together; accepted are %d", total, maxTotal)
	}
	return all, nil
}

// shape reads an aspect ratio, a tier, or both.
func shape(size string) (image, error) {
	var i image
	for _, word := range strings.Fields(strings.ReplaceAll(size, ",", " ")) {
		switch upper := strings.ToUpper(word); {
		case i.AspectRatio == "" && slices.Contains(ratios, word):
			i.AspectRatio = word
		case i.ImageSize == "" && slices.Contains(tiers, upper):
			i.ImageSize = upper
		default:
			return i, provider.Invalid("size is %q; accepted is %s", size, sizes)
		}
	}
	return i, nil
}
