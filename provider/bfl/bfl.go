// Package bfl is the adapter to the API of Black Forest Labs: the FLUX models. A
// job is polled at the address that its submit named, in the cluster that has it,
// and its picture lies there for ten minutes only.
package bfl

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	defaultBaseURL = "https://api.bfl.ai"
	pollAfter      = time.Second
	// grace is how long a job may be unknown where it is asked after: clusters
	// hear of a new job a little later than we do.
	grace = time.Minute
	// creditMicros is what one credit costs: a cent.
	creditMicros = 10_000
)

// Config is one account.
type Config struct {
	BaseURL string // default https://api.bfl.ai
	Key     provider.Secret
	Client  *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	api *provider.API // a pointer, so that printing the adapter shows no key
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client, Auth: auth}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("bfl: %w", err)
	}
	return &Adapter{api: api}, nil
}

// auth is how the service takes keys.
var auth = provider.HeaderAuth("x-key", "")

func (a *Adapter) Capabilities(model string) provider.Capabilities {
	return modelOf(model).capabilities()
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	if c.CallbackURL != "" {
		c = c.With("webhook_url", c.CallbackURL)
	}
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var took accepted
	if err := r.JSON(&took); err != nil {
		return provider.Answer{}, err
	}
	h := handle{Version: version, ID: string(took.ID), Poll: a.api.Below(string(took.PollingURL)), Submitted: a.api.Client.Time()}
	switch {
	case h.ID == "" && h.Poll == "":
		return provider.Answer{}, r.Bad("the provider took the job and gave no address to poll")
	case h.Poll == "":
		h.Poll = pollOf(h.ID)
	}
	if credits, ok := took.Cost.Float(); ok {
		h.Credits = &credits
	}
	return provider.Answer{Handle: provider.WriteHandle(h), JobID: h.ID, PollAfter: pollAfter, RequestID: r.RequestID, HTTPStatus: r.Status}, nil
}

func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := provider.ReadHandle(raw, "bfl", version, &h); err != nil {
		return provider.Answer{}, err
	}
	r, err := a.api.Ask(ctx, http.MethodGet, h.Poll, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() && r.Status != http.StatusNotFound {
		return provider.Answer{}, refusal(r)
	}
	var j job
	if err := r.JSON(&j); err != nil && r.OK() {
		return provider.Answer{}, err
	}
	if r.Status == http.StatusNotFound {
		j.Status = notFound
	}
	return j.answer(r, h, a.api.Client.Time())
}

// Cancel is not there: the service finishes what it has begun.
func (a *Adapter) Cancel(context.Context, json.RawMessage) error { return provider.CannotCancel() }

// Recover finds nothing: the service lists no jobs. A webhook, which carries our
// key, brings a lost one back.
func (a *Adapter) Recover(context.Context, provider.Lost) (provider.Answer, error) {
	return provider.CannotRecover()
}

// accepted is the answer to a submit.
type accepted struct {
	ID         provider.Text   `json:"id"`
	PollingURL provider.Text   `json:"polling_url"`
	Cost       provider.Number `json:"cost"` // credits
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a job.
type handle struct {
	Version   int       `json:"v"`
	ID        string    `json:"id"`
	Poll      string    `json:"poll"`
	Credits   *float64  `json:"credits,omitempty"`
	Submitted time.Time `json:"submitted_at"`
}

func (h handle) cost() *task.Money {
	if h.Credits == nil || !(*h.Credits >= 0 && *h.Credits < 1e9) {
		return nil
	}
	return &task.Money{Micros: int64(math.Round(*h.Credits * creditMicros)), Currency: "USD", Version: "reported"}
}

// notFound is the status of a job that has expired, lies in another cluster, or is
// too new.
const notFound = "Task not found"

// job is the service's word on a job.
type job struct {
	Status   provider.Text   `json:"status"`
	State    provider.Text   `json:"state"` // what some answers call it
	Progress provider.Number `json:"progress"`
	Details  json.RawMessage `json:"details"`
	Result   struct {
		Sample provider.Images `json:"sample"`
		Images provider.Images `json:"images"`
		Prompt provider.Text   `json:"prompt"`
		Seed   provider.Number `json:"seed"`
	} `json:"result"`
}

func (j job) pictures() provider.Images {
	if len(j.Result.Sample) > 0 {
		return j.Result.Sample
	}
	return j.Result.Images
}

// answer is what the job's status means now.
func (j job) answer(r provider.Reply, h handle, now time.Time) (provider.Answer, error) {
	status := cmp.Or(string(j.Status), string(j.State))
	switch status {
	case "Pending", "Processing", "Queued":
		return provider.Answer{JobID: h.ID, PollAfter: pollAfter, Progress: percent(j.Progress)}, nil
	case "Ready":
		return j.done(r, h)
	case notFound:
		if now.Sub(h.Submitted) < grace {
			return provider.Answer{JobID: h.ID, PollAfter: pollAfter}, nil
		}
		return provider.Answer{}, r.Gone("the provider does not know the job any more")
	case "Request Moderated", "Content Moderated", "Error", "Failed":
		return provider.Answer{}, faults.Ended(r, "the provider did not draw: "+status, string(j.Details), status)
	}
	if len(j.pictures()) > 0 {
		return j.done(r, h) // whatever the service calls it
	}
	return provider.Answer{}, r.Bad(fmt.Sprintf("the provider's answer has the unknown status %q", r.Scrub(status)))
}

func (j job) done(r provider.Reply, h handle) (provider.Answer, error) {
	outputs := r.Outputs(j.pictures())
	for i := range outputs {
		outputs[i].Seed = j.Result.Seed.Whole()
		outputs[i].RevisedPrompt = string(j.Result.Prompt)
	}
	a, err := r.Done(outputs, kept{ID: h.ID, Credits: h.Credits})
	a.JobID, a.Cost = h.ID, h.cost()
	return a, err
}

// kept is what stays on record of an answer.
type kept struct {
	ID      string   `json:"id"`
	Credits *float64 `json:"credits,omitempty"`
}

// percent reads a progress from 0 to 1.
func percent(n provider.Number) int {
	p, _ := n.Float()
	return int(max(0, min(p, 1)) * 100)
}
