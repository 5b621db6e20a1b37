// Package openai is the adapter to the OpenAI Images API, and to the services
// that took over its form. It answers in the same call, as a rule with the pictures
// themselves; gateways may answer with a job in their place, which is polled. It
// chooses no model: their names come and go, so the caller or the configuration
// says one.
package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	defaultBaseURL = "https://api.openai.com/v1"

	generations = "/images/generations"
	edits       = "/images/edits"
	async       = "/async" // behind either, at gateways that answer with a job
)

// Config is one account.
type Config struct {
	BaseURL      string // default https://api.openai.com/v1
	Key          provider.Secret
	Organization string // header OpenAI-Organization, optional
	Project      string // header OpenAI-Project, optional
	Async        string // on: the /async paths of a gateway; default off
	Edits        string // json or multipart: how calls with input pictures are sent; empty is json, until the service refuses that
	Client       *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	api    *provider.API // a pointer, so that printing the adapter shows no key
	header http.Header
	async  bool
	json   bool         // edits are sent as JSON whatever the service says
	forms  *atomic.Bool // edits are sent as forms: configured, or learnt from a refusal
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client}.Checked(defaultBaseURL)
	a := &Adapter{api: api, header: http.Header{}, forms: new(atomic.Bool)}
	switch strings.ToLower(c.Async) {
	case "on", "true":
		a.async = true
	case "", "off", "false":
	default:
		err = errors.Join(err, fmt.Errorf("async: is %q; accepted are on and off", c.Async))
	}
	switch c.Edits {
	case "json":
		a.json = true
	case "multipart":
		a.forms.Store(true)
	case "":
	default:
		err = errors.Join(err, fmt.Errorf("edits: is %q; accepted are json and multipart", c.Edits))
	}
	if err != nil {
		return nil, fmt.Errorf("openai: %w", err)
	}
	if c.Organization != "" {
		a.header.Set("OpenAI-Organization", c.Organization)
	}
	if c.Project != "" {
		a.header.Set("OpenAI-Project", c.Project)
	}
	return a, nil
}

// Capabilities are the same for every model: the service knows its models better.
func (a *Adapter) Capabilities(string) provider.Capabilities {
	c := provider.Capabilities{Async: a.async, MaxImages: maxImages, MaxInputs: maxInputs, Sizes: sizes, Quality: true, Mask: true}
	if a.forms.Load() {
		c.Inputs, c.Inline = provider.ByData, maxInput
	}
	return c
}

// Submit makes the call. A service that refuses JSON for edits has drawn nothing:
// the failure lets the call be made again at once, and it is then a form.
func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	reply, err := a.api.Post(ctx, c, a.header)
	switch {
	case err != nil:
		return provider.Answer{}, err
	case a.wantsForm(c, reply):
		a.forms.Store(true)
		return provider.Answer{}, &task.Failure{Kind: task.RateLimited, Executed: task.NotExecuted, HTTPStatus: reply.Status, RequestID: reply.RequestID,
			RetryAfter: time.Millisecond, Code: "edits_as_form", Message: "the service takes calls with input pictures as forms and not as JSON, and drew nothing; edits: multipart in the account's configuration spares such a call",
			Advice: task.Wait}
	case !reply.OK() && a.async && reply.Status == http.StatusNotFound && !unknownModel(reply):
		return provider.Answer{}, notEnabled(reply)
	}
	return a.read(reply)
}

// wantsForm reports whether the service has refused the call for being JSON.
func (a *Adapter) wantsForm(c provider.Call, r provider.Reply) bool {
	if a.json || c.ContentType != "" || !strings.HasPrefix(c.Endpoint, edits) {
		return false
	}
	text := strings.ToLower(string(r.Body))
	return r.Status == http.StatusUnsupportedMediaType ||
		r.Status == http.StatusBadRequest && (strings.Contains(text, "multipart") || strings.Contains(text, "form-data"))
}

// notEnabled is the refusal of a gateway that has no jobs to give.
func notEnabled(r provider.Reply) *task.Failure {
	f := faults.Failure(r, r.Complaint().Text())
	f.Kind, f.Executed, f.Message = task.Unsupported, task.NotExecuted, "the service does not take calls that are polled"
	f.Advice, f.About = task.TurnOff, "async"
	return f
}

func unknownModel(r provider.Reply) bool { return r.Complaint().Code == "model_not_found" }

// Cancel is not there: no gateway stops what it has begun.
func (a *Adapter) Cancel(context.Context, json.RawMessage) error { return provider.CannotCancel() }

// Recover finds nothing: neither the service nor a gateway lists its calls.
func (a *Adapter) Recover(context.Context, provider.Lost) (provider.Answer, error) {
	return provider.CannotRecover()
}

// PictureHeader is the key for what a gateway keeps below its own base URL.
func (a *Adapter) PictureHeader(address string) http.Header { return a.api.PictureHeader(address) }
