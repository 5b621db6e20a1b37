// Package gemini is the adapter to the image models of Google's Gemini API. They
// answer in the same call, with one picture each, and take input pictures as bytes.
// An answer without a picture is a failure whatever its status.
package gemini

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

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

// auth is how the service takes keys.
var auth = provider.HeaderAuth("x-goog-api-key", "")

// New checks c and returns its adapter. The error names every field that is wrong.
func New(c Config) (*Adapter, error) {
	api, err := provider.API{BaseURL: c.BaseURL, Key: c.Key, Faults: faults, Client: c.Client, Auth: auth}.Checked(defaultBaseURL)
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
	Candidates provider.List[candidate] `json:"candidates"`
	Feedback   struct {
		BlockReason  provider.Text `json:"blockReason"`
		BlockMessage provider.Text `json:"blockReasonMessage"`
	} `json:"promptFeedback"`
	kept
}

type candidate struct {
	Content struct {
		Parts provider.List[part] `json:"parts"`
	} `json:"content"`
	FinishReason  provider.Text `json:"finishReason"`
	FinishMessage provider.Text `json:"finishMessage"`
	Reason        provider.Text `json:"finish_reason"` // as proxies write it
}

// part is a piece of the answer. Proxies write its names in snake case.
type part struct {
	Text    provider.Text   `json:"text"`
	Thought provider.Text   `json:"thought"` // true of a sketch on the way to the picture
	Inline  provider.Images `json:"inlineData"`
	Snake   provider.Images `json:"inline_data"`
}

// kept is what stays on record of an answer: the bill counts tokens.
type kept struct {
	ModelVersion provider.Text   `json:"modelVersion,omitempty"`
	ResponseID   provider.Text   `json:"responseId,omitempty"`
	Usage        json.RawMessage `json:"usageMetadata,omitempty"`
}

// usage is what the bill counts.
func (k kept) usage() *provider.Usage {
	var u struct {
		Prompt     provider.Number `json:"promptTokenCount"`
		Candidates provider.Number `json:"candidatesTokenCount"`
		Thoughts   provider.Number `json:"thoughtsTokenCount"`
	}
	if json.Unmarshal(k.Usage, &u) != nil {
		return nil
	}
	prompt, okPrompt := u.Prompt.Count()
	candidates, okCandidates := u.Candidates.Count()
	thoughts, _ := u.Thoughts.Count()
	if !okPrompt || !okCandidates {
		return nil
	}
	return &provider.Usage{InputTokens: prompt, OutputTokens: candidates + thoughts}
}

func read(r provider.Reply) (provider.Answer, error) {
	if !r.OK() {
		return provider.Answer{}, refusal(r)
	}
	a, err := gather(r)
	if err != nil {
		return provider.Answer{}, err
	}
	var pictures provider.Images
	var said, reason, text string
	for _, c := range a.Candidates {
		reason, text = cmp.Or(string(c.FinishReason), string(c.Reason)), string(c.FinishMessage)
		for _, p := range c.Content.Parts {
			if p.Thought == "true" {
				continue
			}
			pictures = append(pictures, slices.Concat(p.Inline, p.Snake)...)
			said += string(p.Text)
		}
	}
	if len(pictures) > 0 {
		done, err := r.Done(contents(r, pictures), a.kept)
		done.RequestID, done.Usage = r.Scrub(string(a.ResponseID)), a.usage()
		return done, err
	}
	if a.Feedback.BlockReason != "" {
		return provider.Answer{}, blocked(r, string(a.Feedback.BlockReason), string(a.Feedback.BlockMessage))
	}
	return provider.Answer{}, unfinished(r, reason, cmp.Or(text, said))
}

// gather reads all documents of the answer as one: a stream brings the picture in
// one of them and the usage in the last.
func gather(r provider.Reply) (answer, error) {
	documents := r.Documents()
	if len(documents) == 1 && documents[0][0] == '[' {
		var listed provider.List[json.RawMessage]
		json.Unmarshal(documents[0], &listed)
		documents = listed
	}
	var all answer
	if len(documents) == 0 {
		return all, r.JSON(&all)
	}
	for _, document := range documents {
		var one answer
		if err := r.Decode(document, &one); err != nil {
			return all, err
		}
		one.Candidates = append(all.Candidates, one.Candidates...)
		if one.Feedback.BlockReason == "" {
			one.Feedback = all.Feedback
		}
		if len(one.Usage) == 0 {
			one.Usage = all.Usage
		}
		all = one
	}
	return all, nil
}

// contents are the pictures. Their data is base64, which the names of the service
// have in common with what holds a picture elsewhere.
func contents(r provider.Reply, all provider.Images) []provider.Output {
	outputs := make([]provider.Output, 0, len(all))
	for i, im := range all {
		if len(im.Content) == 0 {
			outputs = append(outputs, r.Picture(i, im.URL, im.ContentType))
			continue
		}
		outputs = append(outputs, r.Output(i, im))
	}
	return outputs
}
