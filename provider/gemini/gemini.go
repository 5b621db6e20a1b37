// Package gemini is the adapter to the image models of Google's Gemini API. They
// answer in the same call, with one picture each, and take input pictures as bytes.
// An answer without a picture is a failure whatever its status.
package gemini

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/easelqueue/easel/provider"
)

const defaultBaseURL = "https://generativelanguage.googleapis.com/v1beta"

// Config is one account.
type Config struct {
	BaseURL string // default https://generativelanguage.googleapis.com/v1beta
	Key     provider.Secret
	Client  *provider.Client
}

// Adapter is one account at the service.
type Adapter struct {
	provider.Sync
	api *provider.API // a pointer, so that printing the adapter shows no key
}

// Auth is how the service takes keys.
var Auth = provider.HeaderAuth("x-goog-api-key", "")

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Client: c.Client, Auth: Auth}.Checked(defaultBaseURL)
	if err != nil {
		return nil, fmt.Errorf("gemini: %w", err)
	}
	return &Adapter{api: api}, nil
}

// Capabilities are the same for every model: the service knows its models better.
func (a *Adapter) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{MaxImages: 1, MaxInputs: maxInputs, Inputs: provider.ByData, Inline: maxInput, Sizes: sizes, Seed: true}
}

func (a *Adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	r, err := a.api.Post(ctx, c, nil)
	if err != nil {
		return provider.Answer{}, err
	}
	return read(r)
}

// answer is what the service says.
type answer struct {
	Candidates []struct {
		Content struct {
			Parts []part `json:"parts"`
		} `json:"content"`
		FinishReason  string `json:"finishReason"`
		FinishMessage string `json:"finishMessage"`
	} `json:"candidates"`
	Feedback struct {
		BlockReason  string `json:"blockReason"`
		BlockMessage string `json:"blockReasonMessage"`
	} `json:"promptFeedback"`
	kept
}

type part struct {
	Text       string `json:"text"`
	Thought    bool   `json:"thought"` // a sketch on the way to the picture
	InlineData *struct {
		MIMEType string `json:"mimeType"`
		Data     string `json:"data"`
	} `json:"inlineData"`
}

// kept is what stays on record of an answer: the bill counts tokens.
type kept struct {
	ModelVersion string          `json:"modelVersion,omitempty"`
	ResponseID   string          `json:"responseId,omitempty"`
	Usage        json.RawMessage `json:"usageMetadata,omitempty"`
}

// usage is what the bill counts.
func (k kept) usage() *provider.Usage {
	var u struct {
		Prompt     *int64 `json:"promptTokenCount"`
		Candidates *int64 `json:"candidatesTokenCount"`
		Thoughts   int64  `json:"thoughtsTokenCount"`
	}
	if json.Unmarshal(k.Usage, &u) != nil || u.Prompt == nil || u.Candidates == nil {
		return nil
	}
	return &provider.Usage{InputTokens: *u.Prompt, OutputTokens: *u.Candidates + u.Thoughts}
}

func read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	var a answer
	if err := r.JSON(&a); err != nil {
		return provider.Answer{}, err
	}
	var outputs []provider.Output
	var said, reason, text string
	for _, c := range a.Candidates {
		reason, text = c.FinishReason, c.FinishMessage
		for _, p := range c.Content.Parts {
			switch {
			case p.Thought:
			case p.InlineData != nil:
				outputs = append(outputs, r.Picture(len(outputs), p.InlineData.Data, p.InlineData.MIMEType))
			default:
				said += p.Text
			}
		}
	}
	if len(outputs) > 0 {
		done, err := r.Done(outputs, a.kept)
		done.RequestID, done.Usage = r.Scrub(a.ResponseID), a.usage()
		return done, err
	}
	if a.Feedback.BlockReason != "" {
		return provider.Answer{}, blocked(r, a.Feedback.BlockReason, a.Feedback.BlockMessage)
	}
	if text == "" {
		text = said
	}
	return provider.Answer{}, unfinished(r, reason, text)
}
