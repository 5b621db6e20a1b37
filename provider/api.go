package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// API is an account at a service that takes JSON and a bearer token.
type API struct {
	BaseURL string
	Key     Secret
	Client  *Client
}

// Checked returns the API with fallback for an empty BaseURL. The error names
// every field that is wrong.
func (a API) Checked(fallback string) (*API, error) {
	base, err := BaseURL(a.BaseURL, fallback)
	if bad := a.Key.Check(); bad != nil {
		err = errors.Join(err, fmt.Errorf("key: %w", bad))
	}
	if a.Client == nil {
		err = errors.Join(err, errors.New("client: is missing"))
	}
	a.BaseURL = base
	return &a, err
}

// Post sends the call once, with header beside what every call has. The call's
// Key goes along as X-Client-Request-Id: for the service's support to find it
// by, not to be deduplicated by. (Idempotency-Key would not do here: net/http
// takes it as leave to repeat the request.)
func (a *API) Post(ctx context.Context, c Call, header http.Header) (Reply, error) {
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Authorization", "Bearer "+a.Key.Reveal())
	h.Set("Content-Type", "application/json")
	if c.Key != "" {
		h.Set("X-Client-Request-Id", c.Key)
	}
	return a.Client.Do(ctx, HTTPRequest{Method: http.MethodPost, URL: a.BaseURL + c.Endpoint, Header: h, Body: c.Body,
		Secrets: []string{a.Key.Reveal()}})
}
