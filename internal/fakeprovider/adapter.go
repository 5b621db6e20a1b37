package fakeprovider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Config is one account at a fake provider.
type Config struct {
	BaseURL string // http://HOST/CLASS/NAME
	Key     provider.Secret
	Client  *provider.Client
}

// Adapter is one account at a fake provider.
type Adapter struct {
	api   *provider.API
	class string
}

// New checks c and returns its adapter.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client}.Checked("")
	if err != nil {
		return nil, fmt.Errorf("fakeprovider: %w", err)
	}
	u, err := url.Parse(api.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("fakeprovider: base_url: %w", err)
	}
	class := path.Base(path.Dir(u.Path))
	if !slices.Contains(classes, class) {
		return nil, fmt.Errorf("fakeprovider: base_url: its path is %q; accepted is /CLASS/NAME with one of the classes idempotent, lookup, async and sync", u.Path)
	}
	return &Adapter{api: api, class: class}, nil
}

func (a *Adapter) keyed() bool { return a.class == "idempotent" || a.class == "lookup" }

func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{Async: a.class != "sync", MaxImages: 1, Cancel: a.class != "sync", Recover: a.keyed()}
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if r.Model == "" {
		r.Model = "brush"
	}
	if err := r.Check(4000); err != nil {
		return provider.Call{}, err
	}
	return provider.NewCall("/draw", r.Model, map[string]string{"prompt": r.Prompt})
}

// faults is what the fake provider's codes mean.
var faults = provider.Faults{
	{Code: "busy", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "shut", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "own_fault", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Code: "no_book", Kind: task.ProviderError, Executed: task.Unknown},
	{Code: "no_such_job", Kind: task.Expired, Executed: task.Executed},
	{Code: "no_such_key", Kind: task.Expired, Executed: task.NotExecuted},
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	return a.read(r)
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a job.
type handle struct {
	Version int    `json:"v"`
	Job     string `json:"job"`
}

func (a *Adapter) read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		c := r.Complaint()
		return provider.Answer{}, faults.Failure(r, c.Text(), c.Code)
	}
	var said reply
	if err := r.JSON(&said); err != nil {
		return provider.Answer{}, err
	}
	switch said.State {
	case working:
		raw, err := json.Marshal(handle{version, said.Job})
		if err != nil {
			return provider.Answer{}, r.Bad("the fake provider's job cannot be kept: " + err.Error())
		}
		return provider.Answer{Handle: raw, JobID: said.Job, PollAfter: time.Duration(said.AfterMS) * time.Millisecond}, nil
	case done:
		out := provider.Output{URL: said.URL}
		if said.Picture != "" {
			out = r.Picture(0, said.Picture, "")
		}
		ans, err := r.Done([]provider.Output{out}, map[string]string{"job": said.Job})
		ans.JobID, ans.Cost = said.Job, &task.Money{Micros: said.CostMicros, Currency: said.Currency}
		return ans, err
	case cancelled:
		return provider.Answer{}, &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "the job was cancelled", HTTPStatus: r.Status}
	case failed:
		return provider.Answer{}, &task.Failure{Kind: task.ProviderError, Executed: task.Executed, Message: "the picture could not be drawn", HTTPStatus: r.Status}
	}
	return provider.Answer{}, r.Bad("the fake provider's answer has the unknown state " + said.State)
}

func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	job, err := jobOf(raw)
	if err != nil {
		return provider.Answer{}, err
	}
	return a.ask(ctx, http.MethodGet, "/jobs/"+url.PathEscape(job))
}

func (a *Adapter) Cancel(ctx context.Context, raw json.RawMessage) error {
	job, err := jobOf(raw)
	if err != nil {
		return err
	}
	r, err := a.send(ctx, http.MethodDelete, "/jobs/"+url.PathEscape(job))
	if err != nil {
		return err
	}
	if !r.OK() {
		c := r.Complaint()
		return faults.Failure(r, c.Text(), c.Code)
	}
	return nil
}

func (a *Adapter) Recover(ctx context.Context, l provider.Lost) (provider.Answer, error) {
	if !a.keyed() {
		return provider.CannotRecover()
	}
	return a.ask(ctx, http.MethodGet, "/keys/"+url.PathEscape(l.Key))
}

// ask makes a request that costs nothing.
func (a *Adapter) ask(ctx context.Context, method, where string) (provider.Answer, error) {
	r, err := a.send(ctx, method, where)
	if err != nil {
		return provider.Answer{}, err
	}
	return a.read(r)
}

func (a *Adapter) send(ctx context.Context, method, where string) (provider.Reply, error) {
	key := a.api.Key.Reveal()
	return a.api.Client.Do(ctx, provider.HTTPRequest{Method: method, URL: a.api.BaseURL + where, Free: true,
		Header: http.Header{"Authorization": {"Bearer " + key}}, Secrets: []string{key}})
}

func jobOf(raw json.RawMessage) (string, error) {
	var h handle
	err := json.Unmarshal(raw, &h)
	if err == nil && h.Version > version {
		return "", provider.Newer("handle", h.Version, version)
	}
	if err != nil || h.Version != version || h.Job == "" {
		return "", &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the handle is not one of this adapter"}
	}
	return h.Job, nil
}
