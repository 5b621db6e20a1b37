package task

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxFallbacks is how many other providers a task may name.
const MaxFallbacks = 8

// Fallback is a provider that a task may go to when the one before certainly did
// not draw.
type Fallback struct {
	Provider string
	Model    string // empty is the provider's default
}

func (f Fallback) String() string {
	if f.Model == "" {
		return f.Provider
	}
	return f.Provider + ":" + f.Model
}

// ParseFallback reads "provider" or "provider:model"; a model may hold colons.
func ParseFallback(text string) (Fallback, error) {
	provider, model, named := strings.Cut(text, ":")
	if provider == "" || named && model == "" || utf8.RuneCountInString(provider) > MaxText || utf8.RuneCountInString(model) > MaxText {
		return Fallback{}, fmt.Errorf("a fallback is %.80q; accepted are provider and provider:model", Quotable(text))
	}
	return Fallback{provider, model}, nil
}

// FallbackList returns the fallbacks in their order.
func (t *Task) FallbackList() ([]Fallback, error) {
	if t.Fallbacks == "" {
		return nil, nil
	}
	var texts []string
	if err := json.Unmarshal([]byte(t.Fallbacks), &texts); err != nil {
		return nil, &Failure{Kind: Invalid, Executed: NotExecuted, Cause: err, Message: fmt.Sprintf("fallbacks is %.80q; accepted is a JSON array such as [\"openai:gpt-image-2\", \"sketch\"]", Quotable(t.Fallbacks))}
	}
	if len(texts) > MaxFallbacks {
		return nil, &Failure{Kind: Invalid, Executed: NotExecuted, Message: fmt.Sprintf("%d fallbacks were given; at most %d are accepted", len(texts), MaxFallbacks)}
	}
	list := make([]Fallback, 0, len(texts))
	for _, text := range texts {
		f, err := ParseFallback(text)
		if err != nil {
			return nil, &Failure{Kind: Invalid, Executed: NotExecuted, Message: err.Error()}
		}
		list = append(list, f)
	}
	return list, nil
}

// JoinFallbacks is the column of a list; none is the empty text.
func JoinFallbacks(list []Fallback) string {
	if len(list) == 0 {
		return ""
	}
	texts := make([]string, len(list))
	for i, f := range list {
		texts[i] = f.String()
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		panic(err) // of strings: cannot fail
	}
	return string(raw)
}

// MayFallBack reports whether f speaks of the provider and not of the request: then
// another provider may do better, as long as no call was carried out.
func (f *Failure) MayFallBack() bool {
	switch f.Kind {
	case Auth, Billing, RateLimited, Unavailable, ProviderError, Timeout, Unsupported:
		return f.Executed == NotExecuted
	}
	return false
}

// Input is our copy of one input picture, one row of generation_input.
type Input struct {
	Position    int    `json:"position"`
	SourceHash  string `json:"source_hash"` // hex SHA-256 of the address it was copied from
	StorageKey  string `json:"storage_key"`
	ContentType string `json:"content_type"`
	FileSize    int64  `json:"file_size"`
	SHA256      string `json:"sha256"`
}
