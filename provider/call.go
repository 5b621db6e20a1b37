package provider

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/easelqueue/easel/task"
)

// Check refuses, as Invalid, a request without a model or a prompt, and a prompt
// of more than limit characters.
func (r *Request) Check(limit int) error {
	switch n := utf8.RuneCountInString(r.Prompt); {
	case r.Model == "":
		return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "model is empty and the provider has no default",
			Advice: task.SetModel}
	case strings.TrimSpace(r.Prompt) == "":
		return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "prompt is empty", Advice: task.WritePrompt}
	case n > limit:
		return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf("prompt has %d characters; accepted are 1 to %d", n, limit)}
	}
	return nil
}

// NewCall makes the call that posts body, as JSON, to endpoint. The same
// arguments give the same bytes and the same Hash. URLs in body stay as they are
// written: & is not escaped.
func NewCall(endpoint, model string, body any) (Call, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return Call{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the request cannot be written as JSON: " + err.Error(), Cause: err}
	}
	raw := bytes.TrimRight(b.Bytes(), "\n")
	return Call{Endpoint: endpoint, Body: raw, Model: model, Hash: HashCall(endpoint, raw)}, nil
}

// HashCall returns Call.Hash: the hex SHA-256 over endpoint, a line feed, and body.
func HashCall(endpoint string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(endpoint + "\n"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// BaseURL returns the address before an adapter's paths, without a slash at its
// end. Empty stands for fallback. A query, a fragment or a user name has no
// place in it.
func BaseURL(address, fallback string) (string, error) {
	if address == "" {
		address = fallback
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("base_url: %w", bare(err))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", errors.New("base_url: not an http or https URL with a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("base_url: a user name, query or fragment is not accepted; the key has a field of its own")
	}
	return strings.TrimRight(address, "/"), nil
}
