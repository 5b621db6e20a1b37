// Package fal is the adapter to fal's queue: models of many owners behind one
// durable queue. Its addresses to ask at are kept as it gave them. That a job is
// completed says nothing of how: its own answer does.
package fal

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

const (
	defaultBaseURL = "https://queue.fal.run"
	pollAfter      = time.Second
)

// Config is one account.
type Config struct {
	BaseURL string // default https://queue.fal.run
	Key     provider.Secret
	Client  *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	api *provider.API // a pointer, so that printing the adapter shows no key
}

// auth is how the service takes keys.
var auth = provider.HeaderAuth("Authorization", "Key ")

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client, Auth: auth}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("fal: %w", err)
	}
	return &Adapter{api: api}, nil
}

// Capabilities are the same for every model: each has an input of its own, and
// the service refuses what it does not know.
func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{Async: true, AddressLife: 7 * 24 * time.Hour, MaxImages: maxImages, MaxInputs: maxInputs, Inline: maxInput, Sizes: sizes,
		NegativePrompt: true, Seed: true, Steps: true, CFGScale: true, Mask: true, Cancel: true, Deletes: true, Callback: true}
}

// Submit queues a job. The service is told not to run it again by itself when a
// runner fails in the middle: it repeats only what did not start.
func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	if c.CallbackURL != "" {
		c.Endpoint += "?" + url.Values{"fal_webhook": {c.CallbackURL}}.Encode()
	}
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var q queued
	if err := r.JSON(&q); err != nil {
		return provider.Answer{}, err
	}
	h, ok := a.handle(q, c.Endpoint)
	if !ok {
		return provider.Answer{}, r.Bad("the provider took the job and did not say where to ask after it")
	}
	return provider.Answer{Handle: provider.WriteHandle(h), JobID: h.ID, PollAfter: pollAfter, RequestID: h.ID, HTTPStatus: r.Status, Queued: q.waits()}, nil
}

// Poll asks how the job stands, and when it is completed for its answer.
func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := provider.ReadHandle(raw, "fal", version, &h); err != nil {
		return provider.Answer{}, err
	}
	r, err := a.api.Ask(ctx, http.MethodGet, h.Status, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if r.Status == http.StatusNotFound {
		return provider.Answer{}, r.Gone("the provider does not know the job any more")
	}
	if !r.OK() {
		return provider.Answer{}, unasked(r)
	}
	var q queued
	if err := r.JSON(&q); err != nil {
		return provider.Answer{}, err
	}
	switch strings.ToUpper(string(q.Status)) {
	case "IN_QUEUE", "IN_PROGRESS":
		return provider.Answer{JobID: h.ID, PollAfter: pollAfter, Queued: q.waits()}, nil
	case "COMPLETED":
		return a.answer(ctx, h)
	}
	return provider.Answer{}, r.Bad(fmt.Sprintf("the provider's answer has the unknown status %q", r.Scrub(string(q.Status))))
}

// answer fetches what a completed job has come to.
func (a *Adapter) answer(ctx context.Context, h handle) (provider.Answer, error) {
	r, err := a.api.Ask(ctx, http.MethodGet, h.Response, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	switch {
	case r.OK():
		return read(r, h)
	case r.Status == http.StatusNotFound:
		return provider.Answer{}, r.Gone("the provider does not have the job's answer any more")
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusTooManyRequests, r.Status >= 500 && problemOf(r).code(r) == "":
		return provider.Answer{}, unasked(r) // of the asking, not of the job
	}
	return provider.Answer{}, ended(r)
}

func (a *Adapter) Cancel(ctx context.Context, raw json.RawMessage) error {
	var h handle
	if err := provider.ReadHandle(raw, "fal", version, &h); err != nil {
		return err
	}
	r, err := a.api.Ask(ctx, http.MethodPut, h.Cancel, nil)
	if err == nil && !r.OK() {
		err = refusal(r)
	}
	return err
}

// Recover finds nothing: the queue is not searched by anything of ours. A webhook,
// which carries our key, brings a lost job back.
func (a *Adapter) Recover(context.Context, provider.Lost) (provider.Answer, error) {
	return provider.CannotRecover()
}

// queued is the service's word on a job in its queue.
type queued struct {
	ID          provider.Text `json:"request_id"`
	Status      provider.Text `json:"status"`
	StatusURL   provider.Text `json:"status_url"`
	ResponseURL provider.Text `json:"response_url"`
	CancelURL   provider.Text `json:"cancel_url"`
}

// waits reports whether the job has not begun.
func (q queued) waits() bool { return strings.EqualFold(string(q.Status), "IN_QUEUE") }

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a job.
type handle struct {
	Version  int    `json:"v"`
	ID       string `json:"id"`
	Status   string `json:"status"`
	Response string `json:"response"`
	Cancel   string `json:"cancel"`
}

// handle returns what the service has said of where to ask after the job. An address
// that it left out is put together as the service forms it.
func (a *Adapter) handle(q queued, endpoint string) (handle, bool) {
	h := handle{version, string(q.ID), a.api.Below(string(q.StatusURL)), a.api.Below(string(q.ResponseURL)), a.api.Below(string(q.CancelURL))}
	if h.Status != "" && h.Response != "" && h.ID != "" {
		return h, true
	}
	formed, ok := formed(endpoint, h.ID)
	if !ok {
		return h, false
	}
	return handle{version, h.ID, cmp.Or(h.Status, formed.Status), cmp.Or(h.Response, formed.Response), cmp.Or(h.Cancel, formed.Cancel)}, true
}

// formed is the handle of a job from the name of its model, of whose parts the first
// two count.
func formed(endpoint, id string) (handle, bool) {
	path, _, _ := strings.Cut(endpoint, "?")
	parts := strings.Split(path, "/") // "", owner, app and more
	if len(parts) < 3 || id == "" {
		return handle{}, false
	}
	at := "/" + parts[1] + "/" + parts[2] + "/requests/" + url.PathEscape(id)
	return handle{version, id, at + "/status", at, at + "/cancel"}, true
}

// output is what a model that draws answers; some name a single picture image.
type output struct {
	Images provider.Images              `json:"images"`
	Image  provider.Images              `json:"image"`
	NSFW   provider.List[provider.Text] `json:"has_nsfw_concepts"` // true is a black picture
	Prompt provider.Text                `json:"prompt"`
	kept
}

// kept is what stays on record of an answer.
type kept struct {
	Seed    provider.Number `json:"seed,omitempty"` // some are larger than an int64
	Timings json.RawMessage `json:"timings,omitempty"`
}

func read(r provider.Reply, h handle) (provider.Answer, error) {
	var out output
	if err := r.JSON(&out); err != nil {
		return provider.Answer{}, err
	}
	if len(out.Images) == 0 {
		out.Images = out.Image
	}
	outputs := make([]provider.Output, 0, len(out.Images))
	for i, im := range out.Images {
		o := r.Output(i, im)
		o.RevisedPrompt = string(out.Prompt)
		if o.Seed == nil {
			o.Seed = out.Seed.Whole()
		}
		if i < len(out.NSFW) && out.NSFW[i] == "true" {
			o = provider.Output{Position: i, Err: faults.Ended(r, fmt.Sprintf("the provider held picture %d back", i+1), "", "has_nsfw_concepts")}
		}
		outputs = append(outputs, o)
	}
	a, err := r.Done(outputs, out.kept)
	if f := task.AsFailure(err); f != nil {
		f.Executed = task.Executed // the job is completed; there is nothing more to ask for
	}
	a.JobID = h.ID
	return a, err
}
