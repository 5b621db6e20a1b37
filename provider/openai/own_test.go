package openai

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestOwnFailures(t *testing.T) {
	const body = `{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}`
	for claim, c := range map[string]struct {
		status   int
		body     string
		executed task.Execution
		unbilled bool
	}{
		"A 500 in the service's own form is called again":  {500, body, task.Executed, true},
		"The same behind a 502 may be a gateway's":         {502, body, task.Unknown, false},
		"A 500 in another form says nothing of the charge": {500, `{"detail":"oops"}`, task.Unknown, false},
		"A 500 without a word says nothing of the charge":  {500, "", task.Unknown, false},
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

func TestAGatewaysJobThatFailedIsNotDrawnAgain(t *testing.T) {
	const broke, empty = `{"status":"failed","error":{"code":"server_error","message":"it broke"}}`, `{"status":"completed","data":[]}`
	for claim, c := range map[string]struct {
		jobs []string
		kind task.Kind
	}{
		"One that its service failed":        {[]string{broke}, task.ProviderError},
		"Two of them":                        {[]string{broke, broke}, task.ProviderError},
		"One, and one that came to nothing":  {[]string{broke, empty}, task.ProviderError},
		"One that came to nothing, and then": {[]string{empty, broke}, task.BadAnswer},
	} {
		t.Run(claim, func(t *testing.T) {
			h := handle{Version: version}
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte(c.jobs[r.URL.Path[len(r.URL.Path)-1]-'0']))
			}))
			defer s.Close()
			a, err := New(Config{BaseURL: s.URL, Key: "k", Client: &provider.Client{HTTP: s.Client()}})
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.jobs {
				h.Jobs = append(h.Jobs, strconv.Itoa(i))
			}
			_, err = a.Poll(t.Context(), provider.WriteHandle(h))
			f := task.AsFailure(err)
			if f == nil || f.Executed != task.Executed || f.Unbilled || f.Kind != c.kind {
				t.Fatalf("got %+v", f)
			}
			if v := (&task.Task{}).Fail(f, task.Retry{}, time.Now(), func() float64 { return 0 }); v.Status != task.Failed {
				t.Errorf("it is made again: %+v", v)
			}
		})
	}
}
