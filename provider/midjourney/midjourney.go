// Package midjourney is the adapter to the community's proxies for Midjourney, which
// has no API of its own: novicezk's, trueai's, and gateways before them. They share
// one form of talking and differ in how a key is sent, in what is done to a picture
// that is there, and in what can be cancelled. One drawing is a grid of four.
package midjourney

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

const pollAfter = 3 * time.Second

// Dialect is whose proxy it is.
type Dialect string

const (
	Novicezk Dialect = "novicezk"
	Trueai   Dialect = "trueai"
	Gateway  Dialect = "gateway"
)

// dialects are all of them.
var dialects = []Dialect{Novicezk, Trueai, Gateway}

// Config is one proxy.
type Config struct {
	BaseURL string          // http://host:8080/mj; there is no public one
	Key     provider.Secret // empty where the proxy wants none
	Dialect Dialect         // default novicezk
	Client  *provider.Client
}

// Adapter is one proxy.
type Adapter struct {
	api     *provider.API // a pointer, so that printing the adapter shows no key
	dialect Dialect
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	auth, known := auths[c.Dialect]
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, KeyOptional: true, Faults: faults, Client: c.Client, Auth: auth}.Checked("")
	if !known {
		err = errors.Join(err, fmt.Errorf("dialect: is %q; accepted are %v", c.Dialect, dialects))
	}
	if err != nil {
		return nil, fmt.Errorf("midjourney: %w", err)
	}
	return &Adapter{api: api, dialect: c.Dialect}, nil
}

// auths is how each takes keys; the empty dialect is the default.
var auths = map[Dialect]provider.Auth{
	"":       provider.HeaderAuth("mj-api-secret", ""),
	Novicezk: provider.HeaderAuth("mj-api-secret", ""),
	Trueai:   provider.HeaderAuth("Authorization", ""),
	Gateway:  provider.HeaderAuth("Authorization", "Bearer "),
}

func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{Async: true, AddressLife: 24 * time.Hour, MaxImages: tiles * tiles, MaxInputs: maxInputs, Inputs: provider.ByData, Inline: maxInput, Sizes: sizes,
		NegativePrompt: true, Seed: true, Quality: true, Callback: true, Cancel: a.dialect == Trueai, Lookup: a.dialect != Gateway}
}

// Submit gives our key along as state, which the proxy returns untouched.
func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	if c.CallbackURL != "" {
		c = c.With("notifyHook", c.CallbackURL)
	}
	if c.Key != "" {
		c = c.With("state", c.Key)
	}
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	var e envelope
	if err := r.JSON(&e); err != nil && r.OK() {
		return provider.Answer{}, err
	}
	id := e.id()
	switch {
	case !r.OK(), !e.accepted(id):
		return provider.Answer{}, refusal(r, e)
	case id == "":
		return provider.Answer{}, r.Bad("the proxy took the task and gave no id")
	}
	return provider.Answer{Handle: provider.WriteHandle(handle{version, id, splits(c.Endpoint)}), JobID: id, PollAfter: pollAfter,
		RequestID: r.RequestID, HTTPStatus: r.Status}, nil
}

func (a *Adapter) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := h.read(raw); err != nil {
		return provider.Answer{}, err
	}
	r, err := a.api.Ask(ctx, http.MethodGet, "/task/"+url.PathEscape(h.ID)+"/fetch", nil)
	if err != nil {
		return provider.Answer{}, err
	}
	if r.Status == http.StatusNoContent {
		return provider.Answer{}, gone(r)
	}
	if !r.OK() {
		f := refusal(r, envelope{})
		f.Executed = task.NotExecuted // of the asking
		return provider.Answer{}, f
	}
	var j job
	if err := r.JSON(&j); err != nil {
		return provider.Answer{}, err
	}
	if code, ok := j.Code.Int(); ok && code == invalidCode && strings.Contains(string(j.Description), "task_no_found") {
		return provider.Answer{}, gone(r)
	}
	return j.answer(r, h)
}

func gone(r provider.Reply) *task.Failure {
	return r.Gone("the proxy does not know the task any more: some forget all of them when they restart")
}

// Cancel is there in one of the dialects.
func (a *Adapter) Cancel(ctx context.Context, raw json.RawMessage) error {
	if a.dialect != Trueai {
		return provider.CannotCancel()
	}
	var h handle
	if err := h.read(raw); err != nil {
		return err
	}
	r, err := a.api.Ask(ctx, http.MethodPost, "/task/"+url.PathEscape(h.ID)+"/cancel", nil)
	if err == nil && !r.OK() {
		err = refusal(r, envelope{})
	}
	return err
}

// Recover looks for our key among the tasks that the proxy lists. That it is not
// there proves nothing: some list the newest only, and some forget.
func (a *Adapter) Recover(ctx context.Context, l provider.Lost) (provider.Answer, error) {
	if a.dialect == Gateway {
		return provider.CannotRecover()
	}
	r, err := a.api.List(ctx, "/task/list")
	if err != nil {
		return provider.Answer{}, err
	}
	var all provider.List[job]
	if !r.OK() || r.JSON(&all) != nil {
		return provider.CannotRecover()
	}
	for _, j := range all {
		if id := string(j.ID); string(j.State) == l.Key && id != "" {
			return provider.Answer{Handle: provider.WriteHandle(handle{version, id, splits(l.Endpoint)}), JobID: id, PollAfter: pollAfter}, nil
		}
	}
	return provider.CannotRecover()
}

// ReadCallback reads a callback, which is the task. Proxies sign nothing: what guards it is
// that nobody else knows our key, which it must hold as its state.
func (a *Adapter) ReadCallback(c provider.Callback) (json.RawMessage, string, error) {
	var j job
	if err := c.JSON(&j); err != nil || j.ID == "" || len(j.ID) > 255 {
		return nil, "", &task.Failure{Kind: task.BadAnswer, Executed: task.NotExecuted, Message: "the callback names no task", Cause: err}
	}
	if string(j.State) != c.Of.Key {
		return nil, "", &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "the callback is of another call"}
	}
	return provider.WriteHandle(handle{version, string(j.ID), splits(c.Of.Endpoint)}), string(j.ID), nil
}

// version is that of the JSON of a handle.
const version = 1

// handle is what is needed to ask after a task.
type handle struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	Split   bool   `json:"split,omitempty"` // the grid is to become four pictures
}

func (h *handle) read(raw json.RawMessage) error {
	if err := provider.ReadHandle(raw, "midjourney", version, h); err != nil {
		return err
	}
	if h.ID == "" {
		return provider.StrangeHandle("midjourney", nil)
	}
	return nil
}

// envelope is the answer to a submit.
type envelope struct {
	Code        provider.Number `json:"code"`
	Description provider.Text   `json:"description"`
	Result      provider.Text   `json:"result"` // the task's id, as text or number
}

func (e envelope) id() string {
	if len(e.Result) > 255 {
		return ""
	}
	return string(e.Result)
}

// code is 0 where there is none that can be read.
func (e envelope) code() int64 {
	code, _ := e.Code.Int()
	return code
}

// accepted reports whether the proxy took the task: by its code, or without one by
// the id that it gives.
func (e envelope) accepted(id string) bool {
	switch e.code() {
	case accepted, exists, queued:
		return true
	case 0:
		return id != ""
	}
	return false
}
