package openai

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestOwnFailures(t *testing.T) {
	const body = `{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}`
	for claim, c := range map[string]struct {
		status   int
		body     string
		executed task.Executed
		unbilled bool
	}{
		"A 500 in the service's own form is called again":  {500, body, task.Yes, true},
		"The same behind a 502 may be a gateway's":         {502, body, task.Maybe, false},
		"A 500 in another form says nothing of the charge": {500, `{"detail":"oops"}`, task.Maybe, false},
		"A 500 without a word says nothing of the charge":  {500, "", task.Maybe, false},
	} {
		t.Run(claim, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer s.Close()
			a, err := New(Config{BaseURL: s.URL, Key: "k", Client: &provider.Client{HTTP: s.Client(), Downloads: s.Client()}})
			if err != nil {
				t.Fatal(err)
			}
			call, err := a.Prepare(provider.Request{Model: "gpt-image-2", Prompt: "x", Images: 1})
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Submit(t.Context(), call)
			var f *task.Failure
			if !errors.As(err, &f) || f.Executed != c.executed || f.Unbilled != c.unbilled || f.Kind != task.ProviderError {
				t.Errorf("got %+v", err)
			}
		})
	}
}
