package jimeng

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

const key = provider.Secret("AKID:" + providertest.JimengSecret)

func adapter(t testing.TB, base string) *Adapter {
	t.Helper()
	a, err := New(Config{BaseURL: base, Key: key, Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func errorBody(code, message string) []byte {
	if code == "" {
		code = "0"
	}
	return fmt.Appendf(nil, `{"code":%s,"data":null,"message":%q,"request_id":"r-1"}`, code, message)
}

func TestConformance(t *testing.T) {
	var refusals, endings []providertest.Ending
	for _, row := range faults {
		refusals = append(refusals, providertest.Ending{Claim: "Code " + row.Code + " in a 200", Status: 200, Body: string(errorBody(row.Code, "m")),
			Kind: row.Kind, Executed: row.Executed, Code: row.Code})
		switch row.Code {
		case "50429", "50430", "50400", "50500", "50501":
			continue // of the asking
		}
		endings = append(endings, providertest.Ending{Claim: "Code " + row.Code + " of a task", Status: 200, Body: string(errorBody(row.Code, "m")),
			Kind: row.Kind, Executed: task.Executed, Code: row.Code})
	}
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base, Key: key, Client: c})
		},
		Service: providertest.Jimeng(),
		Key:     key,
		Request: provider.Request{Model: DefaultModel, Prompt: "背景换成演唱会现场", Images: 1},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			if strings.Contains(code, providertest.Canary) {
				b, _ := json.Marshal(map[string]string{"message": code + message})
				return b
			}
			return errorBody(code, message)
		},
		Refusals: append(refusals, providertest.Ending{Claim: "A task without an id", Status: 200, Body: `{"code":10000,"data":{}}`, Kind: task.BadAnswer, Executed: task.Unknown}),
		Endings: append(endings,
			providertest.Ending{Claim: "A task that is not known", Status: 200, Body: `{"code":10000,"data":{"status":"not_found"}}`, Kind: task.Expired, Executed: task.Unknown},
			providertest.Ending{Claim: "A task that has expired", Status: 200, Body: `{"code":10000,"data":{"status":"expired"}}`, Kind: task.Expired, Executed: task.Unknown},
			providertest.Ending{Claim: "A task that is done and drew nothing", Status: 200, Body: `{"code":10000,"data":{"status":"done","image_urls":[]}}`, Kind: task.BadAnswer, Executed: task.Executed}),
	})
}

func TestSign(t *testing.T) {
	t.Run("What arrives carries a signature that holds, and only for what was sent", func(t *testing.T) {
		for _, change := range []string{"", "body", "query", "date"} {
			var holds bool
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				switch change {
				case "body":
					body = append(body, ' ')
				case "query":
					r.URL.RawQuery += "&x=1"
				case "date":
					r.Header.Set("X-Date", "20261122T000001Z")
				}
				holds = providertest.JimengSigned(r, body)
			}))
			a := adapter(t, s.URL)
			a.client.Now = func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.FixedZone("", 3600)) }
			a.send(t.Context(), provider.HTTPRequest{URL: submit, Body: []byte(`{"a":1}`)})
			s.Close()
			if holds != (change == "") {
				t.Errorf("after a change of %q it holds: %t", change, holds)
			}
		}
	})
	t.Run("A request of fixed time and keys has a fixed signature", func(t *testing.T) {
		h := http.Header{}
		credential{"AKID", "secret"}.sign(h, "visual.volcengineapi.com", submit, []byte(`{"req_key":"jimeng_t2i_v40"}`), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
		const want = "HMAC-SHA256 Credential=AKID/20261122/cn-north-1/cv/request, SignedHeaders=content-type;host;x-content-sha256;x-date, Signature=c90b9f6c6441d48886e13eb06a5756b76e16bbb0d7211bd177b864fe426bd25d"
		if got := h.Get("Authorization"); got != want {
			t.Errorf("got %s", got)
		}
	})
}

func TestPrepareWritesTheCall(t *testing.T) {
	a := adapter(t, "")
	call, err := a.Prepare(provider.Request{Model: DefaultModel, Prompt: "背景换成演唱会现场", Size: "2048x1024", Images: 1, Inputs: []string{"https://cdn.example.test/p.jpg?a=%2F&b=<1>"},
		Parameters: map[string]string{"scale_percent": "50"}})
	if err != nil {
		t.Fatal(err)
	}
	sent, asks, err := split(call)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(providertest.Example(t, "request.json"))), string(sent)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if asks != `{"return_url":true,"logo_info":{"add_logo":false}}` {
		t.Errorf("polls ask for %s", asks)
	}
	marked, err := a.Prepare(provider.Request{Model: DefaultModel, Prompt: "背景换成演唱会现场", Size: "2048x1024", Images: 1, Inputs: []string{"https://cdn.example.test/p.jpg?a=%2F&b=<1>"},
		Parameters: map[string]string{"scale_percent": "50"}, Watermark: new(true)})
	if err != nil || marked.Hash == call.Hash {
		t.Errorf("a marked picture is the same purchase: %v", err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A prompt of 801 characters", "801 characters", func(r *provider.Request) { r.Prompt = strings.Repeat("雪", 801) }},
		{"Two pictures", "image_count is 2", func(r *provider.Request) { r.Images = 2 }},
		{"A size that is too small", "accepted are 1048576", func(r *provider.Request) { r.Size = "512x512" }},
		{"A size that is too wide", "at most 3 times", func(r *provider.Request) { r.Size = "4096x1024" }},
		{"A ratio", `size is "16:9"`, func(r *provider.Request) { r.Size = "16:9" }},
		{"Eleven inputs", "11 input pictures", func(r *provider.Request) { r.Inputs = make([]string, 11) }},
		{"Several pictures by another name", `"force_single" is not known`, func(r *provider.Request) { r.Parameters = map[string]string{"force_single": "false"} }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: DefaultModel, Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "").Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	for _, bad := range []provider.Secret{"", "AKID", "AKID:", ":secret"} {
		if _, err := New(Config{Key: bad, Client: &provider.Client{}}); err == nil || !strings.Contains(err.Error(), "key:") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, err := New(Config{BaseURL: "ftp://h.test", Key: "s3cret", Client: nil})
	for _, field := range []string{"base_url", "key", "client"} {
		if err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("New: %v; want it to name %s and no key", err, field)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(200, providertest.Example(f, "done.json"))
	f.Add(400, errorBody("50411", "m"))
	f.Add(200, []byte(`{"code":10000,"data":{"status":"done","image_urls":[""],"binary_data_base64":null}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := provider.Reply{Status: status, Body: body}
		said, err := read(r)
		var a provider.Answer
		if err == nil {
			a, err = said.answer(r, handle{Task: "t"})
		} else {
			err = ended(r, err)
		}
		if err != nil {
			if fail, ok := err.(*task.Failure); !ok || fail.Kind == "" || fail.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if a.Done && (len(a.Outputs) == 0 || a.Raw != nil && !json.Valid(a.Raw)) {
			t.Fatalf("%+v", a)
		}
	})
}
