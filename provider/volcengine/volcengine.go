// Package volcengine is the adapter to Volcengine Ark (BytePlus ModelArk abroad):
// the Seedream models behind POST /images/generations. It answers in the same
// call with signed URLs that live for 24 hours, and each picture may fail on its own.
package volcengine

import (
	"context"
	"fmt"

	"github.com/easelqueue/easel/provider"
)

const (
	defaultBaseURL = "https://ark.cn-beijing.volces.com/api/v3"
	endpoint       = "/images/generations"
)

// Config is one account.
type Config struct {
	BaseURL string // default https://ark.cn-beijing.volces.com/api/v3
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
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Client: c.Client}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("volcengine: %w", err)
	}
	return &Adapter{api: api}, nil
}

func (a *Adapter) Capabilities(model string) provider.Capabilities {
	return modelOf(model).capabilities()
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	reply, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	return read(reply)
}

type answer struct {
	Data []picture `json:"data"`
	kept
}

// picture has either a URL or an error.
type picture struct {
	URL   string              `json:"url"`
	Size  string              `json:"size"`
	Error *provider.Complaint `json:"error"`
}

// kept is what stays on record of an answer: the bill counts generated_images.
type kept struct {
	Model   string              `json:"model,omitempty"`
	Created int64               `json:"created,omitempty"`
	Error   *provider.Complaint `json:"error,omitempty"`
	Usage   *usage              `json:"usage,omitempty"`
}

type usage struct {
	GeneratedImages int64 `json:"generated_images"`
	OutputTokens    int64 `json:"output_tokens"`
	TotalTokens     int64 `json:"total_tokens"`
	InputImages     int64 `json:"input_images,omitempty"`
}

// read makes an Answer of what the service said, in the order that it asks for:
// status, error, the errors of single pictures. An error beside finished
// pictures does not lose them: they are paid for.
func read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		c := r.Complaint()
		return provider.Answer{}, faults.Failure(r, c.Text(), c.Code, c.Type)
	}
	var a answer
	if err := r.JSON(&a); err != nil {
		return provider.Answer{}, err
	}
	if a.Error != nil && len(a.Data) == 0 {
		return provider.Answer{}, faults.Failure(r, a.Error.Text(), a.Error.Code, a.Error.Type)
	}
	outputs := make([]provider.Output, 0, len(a.Data))
	for i, p := range a.Data {
		outputs = append(outputs, p.output(r, i))
	}
	return r.Done(outputs, a.kept)
}

func (p picture) output(r provider.Reply, position int) provider.Output {
	if p.URL == "" && p.Error != nil {
		f := faults.Failure(r, p.Error.Text(), p.Error.Code, p.Error.Type)
		f.Message = fmt.Sprintf("the provider did not draw picture %d", position+1)
		return provider.Output{Position: position, Err: f}
	}
	return r.Link(position, p.URL)
}
