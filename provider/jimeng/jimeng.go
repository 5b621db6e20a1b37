// Package jimeng is the adapter to Jimeng 4.0 behind Volcengine's visual API: signed
// requests, a task that is asked after, and pictures under addresses that live for
// a day. What the query asks for, a mark among it, is asked for with each poll.
package jimeng

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	defaultBaseURL = "https://visual.volcengineapi.com"
	pollAfter      = 2 * time.Second

	submit = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
	query  = "Action=CVSync2AsyncGetResult&Version=2022-08-31"
)

// DefaultModel is for the configuration; the adapter itself chooses none. It is the
// service's req_key.
const DefaultModel = "jimeng_t2i_v40"

// Config is one account.
type Config struct {
	BaseURL string          // default https://visual.volcengineapi.com
	Key     provider.Secret // ACCESS_KEY_ID:SECRET_ACCESS_KEY
	Client  *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	*account // a pointer, so that printing the adapter shows no key
}

type account struct {
	base    string
	host    string
	keys    credential
	client  *provider.Client
	secrets []string
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	base, err := provider.BaseURL(c.BaseURL, defaultBaseURL)
	id, secret, pair := strings.Cut(c.Key.Reveal(), ":")
	if bad := c.Key.Check(); bad != nil {
		err = errors.Join(err, fmt.Errorf("key: %w", bad))
	} else if !pair || id == "" || secret == "" {
		err = errors.Join(err, errors.New("key: not of the form ACCESS_KEY_ID:SECRET_ACCESS_KEY"))
	}
	if c.Client == nil {
		err = errors.Join(err, errors.New("client: is missing"))
	}
	if err != nil {
		return nil, fmt.Errorf("jimeng: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil || u.Path != "" {
		return nil, errors.New("jimeng: base_url: a path is not accepted; the service is signed for at the root of its host")
	}
	return &Adapter{&account{base: base, host: u.Host, keys: credential{id, secret}, client: c.Client, secrets: []string{c.Key.Reveal(), secret, id}}}, nil
}

func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{Async: true, AddressLife: 24 * time.Hour, MaxImages: maxImages, MaxInputs: maxInputs, Inputs: provider.ByURL, Sizes: sizes, Watermark: true}
}

// send signs r, whose URL is the query of an action, and sends it.
func (a *account) send(ctx context.Context, r provider.HTTPRequest) (provider.Reply, error) {
	r.Header = http.Header{}
	a.keys.sign(r.Header, a.host, r.URL, r.Body, a.client.Time())
	r.Method, r.URL, r.Base, r.Secrets, r.Faults = http.MethodPost, a.base+"/?"+r.URL, a.base, a.secrets, faults
	return a.client.Do(ctx, r)
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	body, asks, err := split(c)
	if err != nil {
		return provider.Answer{}, err
	}
	r, err := a.send(ctx, provider.HTTPRequest{URL: strings.TrimPrefix(c.Endpoint, "/?"), Body: body, MaySend: c.MaySend})
	if err != nil {
		return provider.Answer{}, err
	}
	said, err := read(r)
	if err != nil {
		return provider.Answer{}, err
	}
	if said.Data == nil || said.Data.TaskID == "" {
		return provider.Answer{}, r.Bad("the provider took the task and gave no id")
	}
	h := handle{Version: version, Task: string(said.Data.TaskID), Model: c.Model, Ask: asks}
	return provider.Answer{Handle: provider.WriteHandle(h), JobID: h.Task, PollAfter: pollAfter, RequestID: said.id(), HTTPStatus: r.Status}, nil
}

func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := h.read(raw); err != nil {
		return provider.Answer{}, err
	}
	body, err := json.Marshal(map[string]string{"req_key": h.Model, "task_id": h.Task, "req_json": h.Ask})
	if err != nil {
		return provider.Answer{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: err.Error(), Cause: err}
	}
	r, err := a.send(ctx, provider.HTTPRequest{URL: query, Body: body, Free: true})
	if err != nil {
		return provider.Answer{}, err
	}
	said, err := read(r)
	if err != nil {
		return provider.Answer{}, ended(r, err)
	}
	return said.answer(r, h)
}

// Cancel is not there: the service finishes what it has begun.
func (a *Adapter) Cancel(context.Context, json.RawMessage) error { return provider.CannotCancel() }

// Recover finds nothing: the service lists no tasks.
func (a *Adapter) Recover(context.Context, provider.Lost) (provider.Answer, error) {
	return provider.CannotRecover()
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a task.
type handle struct {
	Version int    `json:"v"`
	Task    string `json:"task"`
	Model   string `json:"model"`
	Ask     string `json:"ask"` // req_json: what each poll asks for
}

func (h *handle) read(raw json.RawMessage) error {
	if err := provider.ReadHandle(raw, "jimeng", version, h); err != nil {
		return err
	}
	if h.Task == "" {
		return provider.StrangeHandle("jimeng", nil)
	}
	return nil
}

// reply is the service's word. Its code counts before the status of its data.
type reply struct {
	Code      provider.Number `json:"code"`
	Message   provider.Text   `json:"message"`
	RequestID provider.Text   `json:"request_id"`
	Data      *data           `json:"data"`
}

type data struct {
	TaskID provider.Text   `json:"task_id"`
	Status provider.Text   `json:"status"`
	URLs   provider.Images `json:"image_urls"`
	Base64 provider.Images `json:"binary_data_base64"`
}

func (said reply) id() string { return provider.Scrub(string(said.RequestID)) }

// code is 0 where the service says none that can be read.
func (said reply) code() int64 {
	code, _ := said.Code.Int()
	return code
}

// fine reports whether the service took the request: by its code, or without one by
// the data that it sends.
func (said reply) fine() bool {
	code := said.code()
	return code == fine || code == 0 && said.Data != nil && (said.Data.TaskID != "" || said.Data.Status != "" || len(said.Data.URLs) > 0 || len(said.Data.Base64) > 0)
}

// kept is what stays on record of an answer.
type kept struct {
	Code      int64  `json:"code"`
	RequestID string `json:"request_id,omitempty"`
	Pictures  int    `json:"pictures"`
}

const fine = 10000

func read(r provider.Reply) (reply, error) {
	var said reply
	if !r.OK() {
		json.Unmarshal(r.Body, &said) // what is no JSON is shown as it is
		return said, said.refusal(r)
	}
	if err := r.JSON(&said); err != nil {
		return said, err
	}
	if !said.fine() {
		return said, said.refusal(r)
	}
	return said, nil
}

// answer is what the task's status means now.
func (said reply) answer(r provider.Reply, h handle) (provider.Answer, error) {
	if said.Data == nil {
		return provider.Answer{}, r.Bad("the provider's answer says nothing of the task")
	}
	switch d := said.Data; strings.ToLower(string(d.Status)) {
	case "in_queue", "generating":
		return provider.Answer{JobID: h.Task, PollAfter: pollAfter}, nil
	case "done":
		return said.done(r, h)
	case "not_found", "expired":
		return provider.Answer{}, r.Gone("the provider does not know the task any more: it keeps them for twelve hours")
	default:
		if len(d.URLs)+len(d.Base64) > 0 {
			return said.done(r, h) // whatever the service calls it
		}
		return provider.Answer{}, r.Bad(fmt.Sprintf("the provider's answer has the unknown status %q", r.Scrub(string(d.Status))))
	}
}

func (said reply) done(r provider.Reply, h handle) (provider.Answer, error) {
	outputs := r.Outputs(said.Data.URLs)
	if len(outputs) == 0 {
		outputs = r.Contents(said.Data.Base64)
	}
	a, err := r.Done(outputs, kept{said.code(), said.id(), len(outputs)})
	if f := task.AsFailure(err); f != nil {
		f.Executed = task.Executed // the task has ended; there is nothing more to ask for
	}
	a.JobID, a.RequestID = h.Task, said.id()
	return a, err
}
