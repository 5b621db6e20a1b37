package simulation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// The canaries are what may be in nothing that easel writes or says. The fake provider
// and the ways to it do all they can to bring them there.
const (
	accountKey = "sk-canary-7f3a9c51d2e8" // in every request of an account
	signature  = "canary-b84e06f1a97c"    // in the addresses of pictures, which source_url and the journal keep as they are
)

// faults is the fake provider's table of errors.
var faults = provider.Faults{
	{Code: "busy", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "own fault", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
}

// carry makes one request to the fake provider through the client that all adapters
// share. What comes back of it says do; the error is a *task.Failure.
func (a *adapter) carry(ctx context.Context, body []byte, free bool, do roundTrip) error {
	client := provider.Client{HTTP: &http.Client{Transport: do}}
	r := provider.HTTPRequest{Method: http.MethodPost, URL: "https://provider.example/draw?key=" + a.Key.Reveal(),
		Header: http.Header{"Authorization": {"Bearer " + a.Key.Reveal()}}, Body: body, Free: free, Secrets: []string{a.Key.Reveal()}}
	reply, err := client.Do(ctx, r)
	if err != nil {
		return err
	}
	var said struct{ Code, Text string }
	if strings.HasPrefix(string(reply.Body), "<") {
		return faults.Failure(reply, "")
	}
	if err := reply.JSON(&said); err != nil {
		return err
	}
	return faults.Failure(reply, said.Text, said.Code)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// taken is the fake provider's end of a request that arrives: all of it is read.
func taken(r *http.Request) *http.Request {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return r
}

// refusesToDial is a connection that was never made.
func refusesToDial(r *http.Request) (*http.Response, error) {
	return nil, errors.New("dial tcp: connection refused: " + r.URL.String())
}

// breaksOff is a connection that breaks after the request has arrived.
func breaksOff(r *http.Request) (*http.Response, error) {
	return nil, errors.New("read tcp: connection reset by peer: Authorization: " + taken(r).Header.Get("Authorization"))
}

// neverAnswers is one that stays open.
func neverAnswers(r *http.Request) (*http.Response, error) {
	<-taken(r).Context().Done()
	return nil, r.Context().Err()
}

// says answers with an error, which holds the key as some services do.
func says(status int, code string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		text := `{"code": "` + code + `", "text": "cannot serve ` + taken(r).URL.Query().Get("key") + ` now"}`
		return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{"Retry-After": {"7"}},
			ContentLength: -1, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

// shows answers with a web page.
func shows(status int) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		text := "<html>" + taken(r).URL.Query().Get("key") + " finds no way</html>"
		return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
			ContentLength: -1, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

// spill notes what of values, on their way to where, holds one of canaries. All
// that goes there is too much to keep.
func (b *book) spill(where string, canaries []string, values ...any) {
	for _, v := range values {
		text, _ := v.(string)
		if bytes, ok := v.([]byte); ok {
			text = string(bytes)
		}
		for _, c := range canaries {
			if strings.Contains(text, c) {
				b.mu.Lock()
				b.spilled += where + ": " + text + "\n"
				b.mu.Unlock()
			}
		}
	}
}

// mask hides the signature where it may stand, so that it is found wherever it may not.
func mask(row map[string]any, column string) {
	if text, ok := row[column].(string); ok {
		row[column] = strings.ReplaceAll(text, signature, "***")
	}
}
