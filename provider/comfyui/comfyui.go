// Package comfyui is the adapter to a ComfyUI server of one's own: a workflow goes in
// and files come out. It takes our own id for the job, so that a call whose answer
// was lost is looked up by it. It costs nothing.
package comfyui

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	defaultBaseURL = "http://127.0.0.1:8188"
	pollAfter      = time.Second
)

// Config is one server.
type Config struct {
	BaseURL  string          // default http://127.0.0.1:8188
	Key      provider.Secret // bearer token, where a proxy before the server wants one
	Workflow []byte          // a workflow in API format with placeholders; empty is a plain one
	Client   *provider.Client
}

// Adapter is one server with its workflow.
type Adapter struct {
	api  *provider.API // a pointer, so that printing the adapter shows no key
	flow *workflow
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, KeyOptional: true, Faults: faults, Client: c.Client, Auth: auth}.Checked(defaultBaseURL)
	text := c.Workflow
	if len(text) == 0 {
		text = plain
	}
	flow, bad := readWorkflow(text)
	if err = errors.Join(err, bad); err != nil {
		return nil, fmt.Errorf("comfyui: %w", err)
	}
	return &Adapter{api: api, flow: flow}, nil
}

// checkWorkflow refuses a workflow that no account can use.
func checkWorkflow(text []byte) error {
	_, err := readWorkflow(text)
	return err
}

// auth is how a proxy before the server takes keys.
var auth = provider.HeaderAuth("Authorization", "Bearer ")

// Capabilities follow from what the workflow has places for.
func (a *Adapter) Capabilities(string) provider.Capabilities { return a.flow.capabilities() }

// Submit queues the workflow under our id.
func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	c, seed := seeded(c)
	c = c.With("client_id", cmp.Or(c.Key, "easel")) // some nodes fail without one
	if c.Key != "" {
		c = c.With("prompt_id", c.Key)
	}
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var q struct {
		ID provider.Text `json:"prompt_id"`
	}
	if err := r.JSON(&q); err != nil {
		return provider.Answer{}, err
	}
	if q.ID == "" {
		return provider.Answer{}, r.Bad("the server took the job and gave no id")
	}
	return working(handle{version, string(q.ID), seed}, true), nil
}

func working(h handle, queued bool) provider.Answer {
	return provider.Answer{Handle: provider.WriteHandle(h), JobID: h.ID, PollAfter: pollAfter, Queued: queued}
}

// Poll looks into the history, where jobs come when they have ended, and if it is
// not there yet into the queue.
func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := h.read(raw); err != nil {
		return provider.Answer{}, err
	}
	ans, found, err := a.find(ctx, h)
	if err != nil || found {
		return ans, err
	}
	return provider.Answer{}, &task.Failure{Kind: task.Expired, Executed: task.Unknown,
		Message: "the server does not know the job any more: it forgets all of them when it restarts"}
}

// find looks twice for a job that is in neither place: it may have ended after the look
// at the history and before that at the queue.
func (a *Adapter) find(ctx context.Context, h handle) (provider.Answer, bool, error) {
	ans, found, err := a.look(ctx, h)
	if err == nil && !found {
		ans, found, err = a.look(ctx, h)
	}
	return ans, found, err
}

// look finds a job in the history or else in the queue.
func (a *Adapter) look(ctx context.Context, h handle) (_ provider.Answer, found bool, err error) {
	r, err := a.ask(ctx, http.MethodGet, "/history/"+url.PathEscape(h.ID), nil)
	if err != nil {
		return provider.Answer{}, false, err
	}
	var ended map[string]entry
	if err := r.JSON(&ended); err != nil {
		return provider.Answer{}, false, err
	}
	if ended == nil {
		return provider.Answer{}, false, r.Bad("the server's history cannot be read")
	}
	if e, ok := ended[h.ID]; ok {
		ans, err := e.answer(r, a.api.BaseURL, h)
		return ans, true, err
	}
	if r, err = a.api.List(ctx, "/queue"); err == nil && !r.OK() {
		err = refusal(r)
	}
	if err != nil {
		return provider.Answer{}, false, err
	}
	var q struct {
		Running *[]job `json:"queue_running"`
		Pending *[]job `json:"queue_pending"`
	}
	if err := r.JSON(&q); err != nil {
		return provider.Answer{}, false, err
	}
	if q.Running == nil || q.Pending == nil {
		return provider.Answer{}, false, r.Bad("the server's queue cannot be read")
	}
	ours := func(j job) bool { return j.id() == h.ID }
	queued := slices.ContainsFunc(*q.Pending, ours)
	if queued || slices.ContainsFunc(*q.Running, ours) {
		return working(h, queued), true, nil
	}
	return provider.Answer{}, false, nil
}

func (a *Adapter) ask(ctx context.Context, method, where string, body []byte) (provider.Reply, error) {
	r, err := a.api.Ask(ctx, method, where, body)
	if err == nil && !r.OK() {
		err = refusal(r)
	}
	return r, err
}

// Cancel takes the job out of the queue and, if it runs, interrupts it and no other.
func (a *Adapter) Cancel(ctx context.Context, raw json.RawMessage) error {
	var h handle
	if err := h.read(raw); err != nil {
		return err
	}
	waiting, err := json.Marshal(map[string][]string{"delete": {h.ID}})
	if err != nil {
		return err
	}
	if _, err := a.ask(ctx, http.MethodPost, "/queue", waiting); err != nil {
		return err
	}
	one, err := json.Marshal(map[string]string{"prompt_id": h.ID})
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, http.MethodPost, "/interrupt", one)
	return err
}

// Recover looks a call up by our id. In neither history nor queue it never came, or
// the server has restarted and lost it, which comes to the same.
func (a *Adapter) Recover(ctx context.Context, l provider.Lost) (provider.Answer, error) {
	ans, found, err := a.find(ctx, handle{Version: version, ID: l.Key})
	if err == nil && !found {
		err = &task.Failure{Kind: task.Expired, Executed: task.NotExecuted, Message: "the server has no job of this id"}
	}
	return ans, err
}

// Upload brings a picture into the server's input folder, under a name that follows
// from its content.
func (a *Adapter) Upload(ctx context.Context, picture string) (string, error) {
	file, err := provider.File("image", picture)
	if err != nil {
		return "", err
	}
	form := provider.Form{file}
	form.Add("type", "input")
	form.Add("overwrite", "true")
	r, err := a.api.Upload(ctx, "/upload/image", form)
	if err != nil {
		return "", err
	}
	if !r.OK() {
		return "", refusal(r)
	}
	var f struct{ Name, Subfolder provider.Text }
	if err := r.JSON(&f); err != nil {
		return "", err
	}
	if f.Name == "" {
		return "", r.Bad("the server took the input picture and did not say its name")
	}
	return strings.TrimPrefix(string(f.Subfolder+"/"+f.Name), "/"), nil
}

// PictureHeader is the token for /view, which a proxy guards as it does the rest.
func (a *Adapter) PictureHeader(address string) http.Header { return a.api.PictureHeader(address) }

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a job.
type handle struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	Seed    *int64 `json:"seed,omitempty"` // that we drew; nil if the task said it
}

func (h *handle) read(raw json.RawMessage) error {
	if err := provider.ReadHandle(raw, "comfyui", version, h); err != nil {
		return err
	}
	if h.ID == "" {
		return provider.StrangeHandle("comfyui", nil)
	}
	return nil
}
