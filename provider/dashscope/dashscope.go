// Package dashscope is the adapter to Alibaba's DashScope (Model Studio): the Wan and
// Qwen-Image models that draw in tasks of their own. Each picture of a task may fail
// alone, also in one that succeeded.
package dashscope

import (
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
	defaultBaseURL = "https://dashscope.aliyuncs.com/api/v1"
	pollAfter      = 2 * time.Second // an account may ask 20 times a second about all of its tasks
)

// Config is one account.
type Config struct {
	BaseURL string // default https://dashscope.aliyuncs.com/api/v1
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
		return nil, fmt.Errorf("dashscope: %w", err)
	}
	return &Adapter{api: api}, nil
}

func (a *Adapter) Capabilities(model string) provider.Capabilities {
	return modelOf(model).capabilities()
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	r, err := a.api.Post(ctx, c, http.Header{"X-DashScope-Async": {"enable"}}) // without it the service refuses
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var said reply
	if err := r.JSON(&said); err != nil {
		return provider.Answer{}, err
	}
	if said.Output.TaskID == "" {
		return provider.Answer{}, r.Bad("the provider took the task and gave no id")
	}
	return provider.Answer{Handle: provider.WriteHandle(handle{version, string(said.Output.TaskID)}), JobID: string(said.Output.TaskID), PollAfter: pollAfter,
		RequestID: r.Scrub(string(said.RequestID)), HTTPStatus: r.Status}, nil
}

func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := h.read(raw); err != nil {
		return provider.Answer{}, err
	}
	r, err := a.api.Ask(ctx, http.MethodGet, "/tasks/"+url.PathEscape(h.Task), nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() {
		return provider.Answer{}, unasked(r)
	}
	var said reply
	if err := r.JSON(&said); err != nil {
		return provider.Answer{}, err
	}
	return said.answer(r, h)
}

// Cancel works while the task waits; one that runs is finished.
func (a *Adapter) Cancel(ctx context.Context, raw json.RawMessage) error {
	var h handle
	if err := h.read(raw); err != nil {
		return err
	}
	r, err := a.api.Ask(ctx, http.MethodPost, "/tasks/"+url.PathEscape(h.Task)+"/cancel", nil)
	if err == nil && !r.OK() {
		err = refusal(r)
	}
	return err
}

// Recover finds nothing: the service's list of tasks shows neither prompts nor
// anything of ours.
func (a *Adapter) Recover(context.Context, provider.Lost) (provider.Answer, error) {
	return provider.CannotRecover()
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a task.
type handle struct {
	Version int    `json:"v"`
	Task    string `json:"task"`
}

func (h *handle) read(raw json.RawMessage) error {
	if err := provider.ReadHandle(raw, "dashscope", version, h); err != nil {
		return err
	}
	if h.Task == "" {
		return provider.StrangeHandle("dashscope", nil)
	}
	return nil
}

// reply is the service's word on a task.
type reply struct {
	RequestID provider.Text `json:"request_id"`
	Output    struct {
		TaskID  provider.Text   `json:"task_id"`
		Status  provider.Text   `json:"task_status"`
		Results provider.Images `json:"results"`
		Code    provider.Text   `json:"code"`
		Message provider.Text   `json:"message"`
	} `json:"output"`
	Usage json.RawMessage `json:"usage"`
}

// result has either a URL or an error.
type result struct {
	Code    provider.Text `json:"code"`
	Message provider.Text `json:"message"`
}

// kept is what stays on record of an answer: the bill counts image_count.
type kept struct {
	TaskID string          `json:"task_id"`
	Usage  json.RawMessage `json:"usage,omitempty"`
}

// answer is what the task's status means now.
func (said reply) answer(r provider.Reply, h handle) (provider.Answer, error) {
	switch o := said.Output; strings.ToUpper(string(o.Status)) {
	case "PENDING", "RUNNING", "SUSPENDED":
		return provider.Answer{JobID: h.Task, PollAfter: pollAfter}, nil
	case "SUCCEEDED":
		return said.done(r, h)
	case "FAILED":
		return provider.Answer{}, faults.Ended(r, "the provider did not draw", string(o.Message), string(o.Code))
	case "CANCELED":
		return provider.Answer{}, &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "the task was cancelled at the provider", HTTPStatus: r.Status}
	case "UNKNOWN":
		return provider.Answer{}, r.Gone("the provider does not know the task any more: it keeps them for a day")
	default:
		if len(o.Results) > 0 {
			return said.done(r, h) // whatever the service calls it
		}
		return provider.Answer{}, r.Bad(fmt.Sprintf("the provider's answer has the unknown status %q", r.Scrub(string(o.Status))))
	}
}

func (said reply) done(r provider.Reply, h handle) (provider.Answer, error) {
	outputs := make([]provider.Output, 0, len(said.Output.Results))
	for i, im := range said.Output.Results {
		var p result
		json.Unmarshal(im.Raw, &p) // its error, where it has one
		if im.URL == "" && len(im.Content) == 0 && p.Code != "" {
			f := faults.Ended(r, fmt.Sprintf("the provider did not draw picture %d", i+1), string(p.Message), string(p.Code))
			outputs = append(outputs, provider.Output{Position: i, Err: f})
			continue
		}
		outputs = append(outputs, r.Output(i, im))
	}
	a, err := r.Done(outputs, kept{h.Task, said.Usage})
	if f := task.AsFailure(err); f != nil {
		f.Executed = task.Executed // the task has ended; there is nothing more to ask for
	}
	a.JobID = h.Task
	return a, err
}
