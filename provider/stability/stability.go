// Package stability is the adapter to Stability AI's v2beta API: Stable Image Core
// and Ultra and Stable Diffusion 3.5. It answers in the same call with one picture,
// and takes forms and bytes only. A filtered picture comes with status 200.
package stability

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/easelqueue/easel/provider"
)

const defaultBaseURL = "https://api.stability.ai"

// Config is one account.
type Config struct {
	BaseURL string // default https://api.stability.ai
	Key     provider.Secret
	Client  *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	provider.Sync
	api *provider.API // a pointer, so that printing the adapter shows no key
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("stability: %w", err)
	}
	return &Adapter{api: api}, nil
}

func (a *Adapter) Capabilities(model string) provider.Capabilities {
	return modelOf(model).capabilities()
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	r, err := a.api.Post(ctx, c, http.Header{"Accept": {"application/json"}}) // else it answers with bytes and tells the rest in headers
	if err != nil {
		return provider.Answer{}, err
	}
	return read(r)
}

// answer is what the service says.
type answer struct {
	Image        provider.Images `json:"image"`
	Images       provider.Images `json:"images"`
	FinishReason provider.Text   `json:"finish_reason"`
	Seed         provider.Number `json:"seed"`
}

// kept is what stays on record of an answer.
type kept struct {
	FinishReason provider.Text   `json:"finish_reason"`
	Seed         provider.Number `json:"seed,omitempty"`
}

func read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var a answer
	if err := r.JSON(&a); err != nil {
		return provider.Answer{}, err
	}
	images := append(a.Image, a.Images...)
	if reason := strings.ToUpper(string(a.FinishReason)); reason != "SUCCESS" && (reason == "CONTENT_FILTERED" || len(images) == 0 && reason != "") {
		f := faults.Failure(r, "", reason)
		f.Message = "the provider held the picture back"
		return provider.Answer{}, f
	}
	outputs := r.Contents(images)
	for i := range outputs {
		outputs[i].Seed = a.Seed.Whole()
	}
	return r.Done(outputs, kept{a.FinishReason, a.Seed})
}
