// Package stablediffusion is the adapter to the API of the AUTOMATIC1111 WebUI and
// of Forge: a server of one's own with one queue, which answers in the same call
// with the pictures themselves. It costs nothing, so that a call whose answer was
// lost is made again.
package stablediffusion

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/easelqueue/easel/provider"
)

const defaultBaseURL = "http://127.0.0.1:7860"

// Config is one server.
type Config struct {
	BaseURL string          // default http://127.0.0.1:7860
	Key     provider.Secret // user:password, where the server was started with --api-auth
	Client  *provider.Client
}

// Adapter is one server.
type Adapter struct {
	provider.Sync
	api *provider.API // a pointer, so that printing the adapter shows no key
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, KeyOptional: true, Faults: faults, Client: c.Client, Auth: provider.Basic}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("stable_diffusion: %w", err)
	}
	return &Adapter{api: api}, nil
}

// Capabilities are the same for every checkpoint.
func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{MaxImages: maxImages, MaxInputs: 1, Inputs: provider.ByData, Inline: maxInput, Sizes: sizes,
		NegativePrompt: true, Seed: true, Steps: true, CFGScale: true, Mask: true, Free: true}
}

// Submit draws. The task id that it gives along lets people find the job in the
// server's own pages; the server keeps no pictures under it.
func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	if c.Key != "" {
		c = c.With("force_task_id", "task("+c.Key+")")
	}
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	return read(r, wanted(c.Body))
}

// answer is what the server says. Its info is JSON within a text.
type answer struct {
	Images provider.Images `json:"images"`
	Info   json.RawMessage `json:"info"`
}

// info is what the text says, or the object that some servers write in its place.
func (a answer) info() (k kept) {
	text := []byte(a.Info)
	var plain string
	if json.Unmarshal(a.Info, &plain) == nil {
		text = []byte(plain)
	}
	json.Unmarshal(text, &k) // without it the pictures are good all the same
	return k
}

// kept is what stays on record of an answer.
type kept struct {
	AllSeeds    provider.List[provider.Number] `json:"all_seeds,omitempty"`
	First       int                            `json:"index_of_first_image,omitempty"` // pictures before it are grids
	Model       provider.Text                  `json:"sd_model_name,omitempty"`
	ModelHash   provider.Text                  `json:"sd_model_hash,omitempty"`
	VAE         provider.Text                  `json:"sd_vae_name,omitempty"`
	Sampler     provider.Text                  `json:"sampler_name,omitempty"`
	Version     provider.Text                  `json:"version,omitempty"`
	Interrupted bool                           `json:"interrupted,omitempty"`
}

// read makes an Answer of what the server said. One that was interrupted answers
// with what it had by then.
func read(r provider.Reply, images int) (provider.Answer, error) {
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var a answer
	if err := r.JSON(&a); err != nil {
		return provider.Answer{}, err
	}
	info := a.info()
	pictures := a.Images
	if info.First > 0 && info.First < len(pictures) {
		pictures = pictures[info.First:]
	}
	info.Interrupted = len(pictures) < images
	if images > 0 && len(pictures) > images {
		pictures = pictures[:images] // what an extension appends is not what was asked for
	}
	outputs := r.Contents(pictures)
	for i := range outputs {
		if i < len(info.AllSeeds) {
			outputs[i].Seed = info.AllSeeds[i].Whole()
		}
	}
	return r.Done(outputs, info)
}
