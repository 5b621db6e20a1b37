package openai

import (
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
)

// form writes an edit as multipart/form-data, for services that take no JSON there.
// Every picture must be a data URL.
func (b *body) form() (provider.Form, error) {
	var f provider.Form
	f.Add("model", b.Model)
	f.Add("prompt", b.Prompt)
	name := "image"
	if len(b.Images) > 1 {
		name = "image[]"
	}
	for _, l := range b.Images {
		file, err := provider.File(name, l.URL)
		if err != nil {
			return nil, err
		}
		f = append(f, file)
	}
	if b.Mask != nil {
		file, err := provider.File("mask", b.Mask.URL)
		if err != nil {
			return nil, provider.Invalid("parameter mask is an address; the account sends edits as forms, which take a data URL with base64")
		}
		f = append(f, file)
	}
	f.Add("n", strconv.Itoa(b.N))
	for _, field := range []struct{ name, value string }{{"size", b.Size}, {"quality", b.Quality}, {"background", b.Background},
		{"output_format", b.OutputFormat}, {"output_compression", digits(b.OutputCompression)}, {"moderation", b.Moderation},
		{"input_fidelity", b.InputFidelity}, {"complexity", b.Complexity}, {"frame_count", digits(b.FrameCount)},
		{"frame_duration_ms", digits(b.FrameDuration)}, {"safety_identifier", b.SafetyIdentifier}, {"user", b.User}} {
		f.Add(field.name, field.value)
	}
	return f, nil
}

func digits(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// call makes the call of the body. Inputs that came as addresses, because it was
// learnt only meanwhile that the service wants forms, go as JSON: it refuses them
// once more without drawing.
func (a *Adapter) call(endpoint string, b body) (provider.Call, error) {
	if a.async {
		endpoint += async
	}
	if a.forms.Load() && len(b.Images) > 0 && b.inline() {
		f, err := b.form()
		if err != nil {
			return provider.Call{}, err
		}
		return provider.NewFormCall(endpoint, b.Model, f), nil
	}
	return provider.NewCall(endpoint, b.Model, b)
}

func (b *body) inline() bool {
	for _, l := range b.Images {
		if !strings.HasPrefix(l.URL, "data:") {
			return false
		}
	}
	return true
}
