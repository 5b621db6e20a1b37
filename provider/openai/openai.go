// Package openai is the adapter to the OpenAI Images API, and to the services
// that took over its form. It answers in the same call and always with the
// pictures themselves. It chooses no model: their names come and go, so the
// caller or the configuration says one.
package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	defaultBaseURL = "https://api.openai.com/v1"

	generations = "/images/generations"
	edits       = "/images/edits" // its JSON form, which takes URLs and data URLs as they are
)

// Config is one account.
type Config struct {
	BaseURL      string // default https://api.openai.com/v1
	Key          provider.Secret
	Organization string // header OpenAI-Organization, optional
	Project      string // header OpenAI-Project, optional
	Client       *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	provider.Sync
	api    *provider.API // a pointer, so that printing the adapter shows no key
	header http.Header
}

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Client: c.Client}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("openai: %w", err)
	}
	h := http.Header{}
	if c.Organization != "" {
		h.Set("OpenAI-Organization", c.Organization)
	}
	if c.Project != "" {
		h.Set("OpenAI-Project", c.Project)
	}
	return &Adapter{api: api, header: h}, nil
}

// Capabilities are the same for every model: the service knows its models better.
func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{MaxImages: maxImages, MaxInputs: maxInputs, Sizes: sizes, Quality: true, Mask: true}
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	reply, err := a.api.Post(ctx, c, a.header)
	if err != nil {
		return provider.Answer{}, err
	}
	return read(reply)
}

type answer struct {
	Data  []picture           `json:"data"`
	Error *provider.Complaint `json:"error"` // in a 200, of imitators only
	kept
}

type picture struct {
	Base64        string `json:"b64_json"`
	URL           string `json:"url"` // of imitators only
	RevisedPrompt string `json:"revised_prompt"`
}

// kept is what stays on record of an answer.
type kept struct {
	Created      int64           `json:"created,omitempty"`
	Background   string          `json:"background,omitempty"`
	OutputFormat string          `json:"output_format,omitempty"`
	Size         string          `json:"size,omitempty"`
	Quality      string          `json:"quality,omitempty"`
	Usage        json.RawMessage `json:"usage,omitempty"`
}

// read makes an Answer of what the service said. Fewer pictures than were asked
// for are accepted: they are paid for.
func read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		c := r.Complaint()
		return provider.Answer{}, faults.Failure(r, c.Text(), c.Code, c.Type)
	}
	var a answer
	if err := r.JSON(&a); err != nil {
		return provider.Answer{}, err
	}
	if a.Error != nil && len(a.Data) == 0 {
		return provider.Answer{}, faults.Failure(r, a.Error.Text(), a.Error.Code, a.Error.Type)
	}
	outputs := make([]provider.Output, 0, len(a.Data))
	for i, p := range a.Data {
		outputs = append(outputs, p.output(r, i, a.OutputFormat))
	}
	done, err := r.Done(outputs, a.kept)
	done.Usage = a.usage()
	return done, err
}

// usage is what the bill counts.
func (k kept) usage() *provider.Usage {
	var u struct {
		Input  *int64 `json:"input_tokens"`
		Output *int64 `json:"output_tokens"`
	}
	if json.Unmarshal(k.Usage, &u) != nil || u.Input == nil || u.Output == nil {
		return nil
	}
	return &provider.Usage{InputTokens: *u.Input, OutputTokens: *u.Output}
}

func (p picture) output(r provider.Reply, position int, format string) provider.Output {
	if p.Base64 == "" && p.URL != "" {
		return provider.Output{Position: position, RevisedPrompt: p.RevisedPrompt, URL: p.URL}
	}
	contentType := ""
	if format != "" {
		contentType = "image/" + format
	}
	o := r.Picture(position, p.Base64, contentType)
	o.RevisedPrompt = p.RevisedPrompt
	return o
}

// faults is the service's table of errors. A block by moderation may concern
// the prompt or a finished picture, which cannot be told apart, so that it
// counts as carried out.
var faults = provider.Faults{
	{Code: "moderation_blocked", Kind: task.Moderated, Executed: task.Yes, Next: rephrase},
	{Code: "content_policy_violation", Kind: task.Moderated, Executed: task.Yes, Next: rephrase},

	{Code: "invalid_api_key", Kind: task.Auth, Executed: task.No, Next: "Give the account a valid key"},
	{Code: "model_not_found", Kind: task.Invalid, Executed: task.No, Next: "Name a model that the account may use"},

	{Code: "insufficient_quota", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "credit_balance_exhausted", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "billing_hard_limit_reached", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "organization_spend_limit_exceeded", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "project_spend_limit_exceeded", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "organization_usage_limit_exceeded", Kind: task.Billing, Executed: task.No, Next: pay},

	{Code: "rate_limit_exceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "slow_down", Kind: task.RateLimited, Executed: task.No},
	{Code: "server_is_overloaded", Kind: task.Unavailable, Executed: task.No},
	{Code: "server_error", Kind: task.ProviderError, Executed: task.Maybe},

	{Status: http.StatusRequestTimeout, Kind: task.Timeout, Executed: task.Maybe},
	{Status: http.StatusConflict, Kind: task.ProviderError, Executed: task.Maybe},
}

const (
	rephrase = "Change the prompt or the input pictures"
	pay      = "Add credit or raise the limit in the provider's billing settings"
)
