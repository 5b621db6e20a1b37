// Package volcengine is the adapter to Volcengine Ark (BytePlus ModelArk abroad):
// the Seedream models behind POST /images/generations. It answers in the same
// call with signed URLs that live for 24 hours, and each picture may fail on its own.
package volcengine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

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
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client}.Checked(defaultBaseURL)
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
	Type string          `json:"type"` // of an event of a stream
	Data provider.Images `json:"data"`
	URL  provider.Images `json:"url"` // of such an event
	kept
}

// picture has either a URL or an error.
type picture struct {
	Error *provider.Complaint `json:"error"`
}

// kept is what stays on record of an answer: the bill counts generated_images.
type kept struct {
	Model   provider.Text       `json:"model,omitempty"`
	Created provider.Number     `json:"created,omitempty"`
	Error   *provider.Complaint `json:"error,omitempty"`
	Usage   json.RawMessage     `json:"usage,omitempty"`
}

// read makes an Answer of what the service said, in the order that it asks for:
// status, error, the errors of single pictures. An error beside finished
// pictures does not lose them: they are paid for.
func read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		c := r.Complaint()
		return provider.Answer{}, faults.Failure(r, c.Text(), c.Code, c.Type)
	}
	a, err := gather(r)
	if err != nil {
		return provider.Answer{}, err
	}
	if a.Error != nil && len(a.Data) == 0 {
		return provider.Answer{}, faults.Failure(r, a.Error.Text(), a.Error.Code, a.Error.Type)
	}
	outputs := make([]provider.Output, 0, len(a.Data))
	for i, p := range a.Data {
		outputs = append(outputs, output(r, i, p))
	}
	return r.Done(outputs, a.kept)
}

// gather reads all documents of the answer as one: a stream names each picture in an
// event of its own, and the usage in the last.
func gather(r provider.Reply) (answer, error) {
	documents := r.Documents()
	if len(documents) < 2 {
		var one answer
		err := r.JSON(&one)
		one.Data = append(one.Data, one.URL...)
		return one, err
	}
	var all answer
	for _, document := range documents {
		var one answer
		if err := r.Decode(document, &one); err != nil {
			return all, err
		}
		if strings.HasSuffix(one.Type, "partial_image") {
			continue // a preview on the way to the picture
		}
		all.Data = append(all.Data, append(one.Data, one.URL...)...)
		failed := all.Error
		all.kept = one.kept
		if all.Error == nil {
			all.Error = failed
		}
	}
	return all, nil
}

func output(r provider.Reply, position int, im provider.Image) provider.Output {
	var p picture
	json.Unmarshal(im.Raw, &p) // its error, where it has one
	if im.URL == "" && len(im.Content) == 0 && p.Error != nil {
		f := faults.Failure(r, p.Error.Text(), p.Error.Code, p.Error.Type)
		f.Message = fmt.Sprintf("the provider did not draw picture %d", position+1)
		return provider.Output{Position: position, Err: f}
	}
	return r.Output(position, im)
}
