package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/easelqueue/easel/task"
)

// API is an account at a service that is spoken to over HTTP.
type API struct {
	BaseURL     string
	Key         Secret
	KeyOptional bool   // the service may be used without a key
	Auth        Auth   // nil is Bearer
	Faults      Faults // the service's table of errors
	Client      *Client
}

// Checked returns the API with fallback for an empty BaseURL. The error names
// every field that is wrong.
func (a API) Checked(fallback string) (*API, error) {
	base, err := BaseURL(a.BaseURL, fallback)
	if bad := a.Key.Check(); bad != nil && !(a.KeyOptional && a.Key == "") {
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
	h := a.header(header, cmp.Or(c.ContentType, "application/json"))
	if c.Key != "" {
		h.Set("X-Client-Request-Id", c.Key)
	}
	return a.Client.Do(ctx, HTTPRequest{Method: http.MethodPost, URL: a.BaseURL + c.Endpoint, Header: h, Body: c.Body, MaySend: c.MaySend, Base: a.BaseURL, Secrets: secretsOf(a.Key), Faults: a.Faults})
}

// Ask makes a request that buys nothing: a poll, a cancel, a look-up. Where is a
// path below BaseURL, or a whole URL that the service gave; the key goes along
// only to the service's own hosts. Body, of JSON, may be nil.
func (a *API) Ask(ctx context.Context, method, where string, body []byte) (Reply, error) {
	return a.ask(ctx, HTTPRequest{Method: method, URL: where, Body: body})
}

// List is Ask for a path under which the service lists what all who use it have asked for.
func (a *API) List(ctx context.Context, where string) (Reply, error) {
	return a.ask(ctx, HTTPRequest{Method: http.MethodGet, URL: where, Lists: true})
}

func (a *API) ask(ctx context.Context, r HTTPRequest) (Reply, error) {
	if !strings.HasPrefix(r.URL, "/") {
		if err := a.own(r.URL); err != nil {
			return Reply{}, err
		}
	} else {
		r.URL = a.BaseURL + r.URL
	}
	contentType := ""
	if len(r.Body) > 0 {
		contentType = "application/json"
	}
	r.Header, r.Free, r.Base, r.Secrets, r.Faults = a.header(nil, contentType), true, a.BaseURL, secretsOf(a.Key), a.Faults
	return a.Client.Do(ctx, r)
}

// Below returns an address that lies below BaseURL as its path there, which Ask
// takes, and any other as it is. Handles hold it so, for a job that outlives a
// change of the account's base URL, such as a move of the proxy that it names.
func (a *API) Below(address string) string {
	if strings.HasPrefix(address, a.BaseURL+"/") {
		return address[len(a.BaseURL):]
	}
	return address
}

// PictureHeader returns what a download of that address needs: the key, if the
// address lies below BaseURL, and otherwise nothing.
func (a *API) PictureHeader(address string) http.Header {
	if a.Key == "" || !strings.HasPrefix(address, a.BaseURL+"/") {
		return nil
	}
	return a.header(nil, "")
}

// Upload sends a picture to where the service wants it before the call that uses
// it. It buys nothing.
func (a *API) Upload(ctx context.Context, path string, f Form) (Reply, error) {
	body, contentType := f.Encode()
	return a.Client.Do(ctx, HTTPRequest{Method: http.MethodPost, URL: a.BaseURL + path, Header: a.header(nil, contentType), Body: body, Free: true,
		Secrets: secretsOf(a.Key), Faults: a.Faults})
}

func (a *API) header(given http.Header, contentType string) http.Header {
	h := given.Clone()
	if h == nil {
		h = http.Header{}
	}
	auth := a.Auth
	if auth == nil {
		auth = Bearer
	}
	auth(h, a.Key.Reveal())
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return h
}

// own refuses an address that is not the service's: handles come from the
// journal, and what stands there must not decide where the key goes. A service
// may poll through another host of its domain (api.bfl.ai, api.eu2.bfl.ai), by
// the same scheme and port.
func (a *API) own(address string) error {
	given, err := url.Parse(address)
	base, bad := url.Parse(a.BaseURL)
	if err == nil && bad == nil && given.User == nil && given.Scheme == base.Scheme && given.Port() == base.Port() &&
		domain(given.Hostname()) == domain(base.Hostname()) {
		return nil
	}
	return &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the address to ask after the job at is none of the provider's",
		Detail: Scrub(address), Advice: task.RestoreBaseURL}
}

// domain is the last two labels of a name of three or more, and otherwise all of
// it; an IP address counts whole.
func domain(host string) string {
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	last := labels[len(labels)-1]
	if len(labels) < 3 || strings.Contains(host, ":") || last != "" && last[0] >= '0' && last[0] <= '9' {
		return strings.ToLower(host)
	}
	return strings.Join(labels[len(labels)-2:], ".")
}

// Own returns an address that the service has named, relative ones too, as Below
// does; empty if its scheme, host or port is not BaseURL's.
func (a *API) Own(address string) string {
	address = escaped(resolve(a.BaseURL, strings.TrimSpace(address)))
	if !sameOrigin(a.BaseURL, address) {
		return ""
	}
	return a.Below(address)
}
