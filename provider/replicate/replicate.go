// Package replicate is the adapter to Replicate's predictions: models of many
// owners behind one asynchronous API, which deletes what it drew after an hour.
// What a model takes beside its prompt is its own: parameters are passed on as
// members of its input.
package replicate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const defaultBaseURL = "https://api.replicate.com/v1"

// Config is one account.
type Config struct {
	BaseURL string // default https://api.replicate.com/v1
	Key     provider.Secret
	Client  *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	api *provider.API // a pointer, so that printing the adapter shows no key
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("replicate: %w", err)
	}
	return &Adapter{api: api}, nil
}

// Capabilities are the same for every model: each has an input of its own, and
// the service refuses what it does not know without a charge.
func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{Async: true, AddressLife: time.Hour, MaxImages: maxImages, MaxInputs: maxInputs, Inline: maxInput, Sizes: sizes,
		NegativePrompt: true, Seed: true, Steps: true, CFGScale: true, Mask: true, Cancel: true, Callback: true}
}

// Submit begins a prediction. Prefer: wait is not used: a connection that waits
// for pictures is one more that can be lost with the job's id.
func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	if c.CallbackURL != "" {
		c = c.With("webhook_events_filter", []string{"completed"}).With("webhook", c.CallbackURL)
	}
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	p, err := read(r)
	if err != nil {
		return provider.Answer{}, err
	}
	if p.ID == "" {
		return provider.Answer{}, r.Bad("the provider took the job and gave no id")
	}
	h := handleOf(string(p.ID))
	h.Get, h.Cancel = cmp.Or(a.api.Below(string(p.URLs.Get)), h.Get), cmp.Or(a.api.Below(string(p.URLs.Cancel)), h.Cancel)
	return provider.Answer{Handle: provider.WriteHandle(h), JobID: h.ID,
		PollAfter: time.Second, RequestID: r.RequestID, HTTPStatus: r.Status}, nil
}

func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := provider.ReadHandle(raw, "replicate", version, &h); err != nil {
		return provider.Answer{}, err
	}
	r, err := a.api.Ask(ctx, http.MethodGet, h.Get, nil)
	switch {
	case err != nil:
		return provider.Answer{}, err
	case r.Status == http.StatusNotFound:
		return provider.Answer{}, r.Gone("the provider does not know the prediction any more")
	case !r.OK():
		return provider.Answer{}, refusal(r)
	}
	p, err := read(r)
	if err != nil {
		return provider.Answer{}, err
	}
	return p.answer(r)
}

func (a *Adapter) Cancel(ctx context.Context, raw json.RawMessage) error {
	var h handle
	if err := provider.ReadHandle(raw, "replicate", version, &h); err != nil {
		return err
	}
	r, err := a.api.Ask(ctx, http.MethodPost, h.Cancel, nil)
	if err == nil && !r.OK() {
		err = refusal(r)
	}
	return err
}

// Recover finds nothing: the list of predictions does not show who asked for
// them. A webhook, which carries our key, brings a lost prediction back.
func (a *Adapter) Recover(context.Context, provider.Lost) (provider.Answer, error) {
	return provider.CannotRecover()
}

// Upload brings a picture to the service's files, which it keeps for a day, and
// returns its address there.
func (a *Adapter) Upload(ctx context.Context, picture string) (string, error) {
	file, err := provider.File("content", picture)
	if err != nil {
		return "", err
	}
	r, err := a.api.Upload(ctx, "/files", provider.Form{file})
	if err != nil {
		return "", err
	}
	if !r.OK() {
		return "", refusal(r)
	}
	var f struct {
		URLs struct {
			Get string `json:"get"`
		} `json:"urls"`
	}
	if err := r.JSON(&f); err != nil {
		return "", err
	}
	if f.URLs.Get == "" {
		return "", r.Bad("the provider took the input picture and did not say where it is")
	}
	return f.URLs.Get, nil
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a prediction.
type handle struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	Get     string `json:"get"`
	Cancel  string `json:"cancel"`
}

// prediction is the service's word on a job.
type prediction struct {
	ID     provider.Text   `json:"id"`
	Status provider.Text   `json:"status"`
	Output json.RawMessage `json:"output"` // an address, a list of them, or whatever the model says
	Error  json.RawMessage `json:"error"`
	URLs   struct {
		Get    provider.Text `json:"get"`
		Cancel provider.Text `json:"cancel"`
	} `json:"urls"`
	DataRemoved bool `json:"data_removed"`
	kept
}

// kept is what stays on record of an answer: the bill counts predict_time.
type kept struct {
	Model   provider.Text `json:"model,omitempty"`
	Version provider.Text `json:"version,omitempty"`
	Metrics struct {
		PredictTime provider.Number `json:"predict_time,omitempty"`
	} `json:"metrics"`
}

func read(r provider.Reply) (prediction, error) {
	var p prediction
	err := r.JSON(&p)
	return p, err
}

func (p prediction) answer(r provider.Reply) (provider.Answer, error) {
	switch strings.ToLower(string(p.Status)) {
	case "starting", "processing":
		return provider.Answer{JobID: string(p.ID), PollAfter: time.Second}, nil
	case "succeeded":
		return p.done(r)
	case "canceled", "aborted":
		return provider.Answer{}, &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "the prediction was cancelled", HTTPStatus: r.Status}
	case "failed":
		text := plain(p.Error)
		f := faults.Ended(r, "the model failed", text, codeIn(text))
		f.Billed = true
		return provider.Answer{}, f
	}
	if len(picturesOf(p.Output, 0)) > 0 {
		return p.done(r) // whatever the service calls it
	}
	return provider.Answer{}, r.Bad(fmt.Sprintf("the provider's answer has the unknown status %q", r.Scrub(string(p.Status))))
}

func (p prediction) done(r provider.Reply) (provider.Answer, error) {
	if p.DataRemoved {
		return provider.Answer{}, &task.Failure{Kind: task.Expired, Executed: task.Executed, Billed: true, Message: "the provider has deleted the pictures: it keeps them for an hour"}
	}
	pictures := picturesOf(p.Output, 0)
	if len(pictures) == 0 {
		return provider.Answer{}, &task.Failure{Kind: task.BadAnswer, Executed: task.Executed, Billed: true, Message: "the model's output is no picture", HTTPStatus: r.Status,
			Advice: task.ChooseImageModel}
	}
	ans, err := r.Done(r.Outputs(pictures), p.kept)
	ans.JobID = string(p.ID)
	return ans, err
}

// handleOf is the handle of a prediction from its id alone.
func handleOf(id string) handle {
	at := "/predictions/" + url.PathEscape(id)
	return handle{version, id, at, at + "/cancel"}
}

func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return strings.TrimSpace(string(raw))
}
