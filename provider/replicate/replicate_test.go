package replicate

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func adapter(t testing.TB, base string) *Adapter {
	t.Helper()
	a, err := New(Config{BaseURL: base, Key: "r8_test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	ended := func(claim, said string, kind task.Kind, executed task.Execution, code string) providertest.Ending {
		return providertest.Ending{Claim: claim, Status: 200, Body: `{"id":"p1",` + said + `}`, Kind: kind, Executed: executed, Code: code}
	}
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base + "/v1", Key: key, Client: c})
		},
		Service:          providertest.Replicate(),
		Request:          provider.Request{Model: "acme/brush", Prompt: "a red kite", Images: 2},
		Faults:           faults,
		UnknownParameter: "No such",
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]string{"detail": message, "code": code})
			return b
		},
		Shapes: []providertest.Shape{
			outputs("a dictionary of outputs", func(list []any) any { return map[string]any{"a": list[0], "b": list[1], "caption": "two kites"} }),
			outputs("a list within a dictionary", func(list []any) any { return map[string]any{"images": list, "nsfw": []any{false, false}} }),
			outputs("a list of dictionaries", func(list []any) any {
				return []any{map[string]any{"image": list[0], "score": 0.5}, map[string]any{"image": list[1], "note": "b"}}
			}),
			outputs("a list within a list", func(list []any) any { return []any{list} }),
			outputs("an output in no known state", func(list []any) any { return list }),
		},
		Refusals: []providertest.Ending{
			{Claim: "A prediction without an id", Status: 201, Body: `{"status":"starting"}`, Kind: task.BadAnswer, Executed: task.Unknown},
		},
		Endings: []providertest.Ending{
			ended("A model that failed", `"status":"failed","error":"CUDA out of memory"`, task.ProviderError, task.Executed, ""),
			ended("A picture that was held back", `"status":"failed","error":"NSFW content detected. Try running it again"`, task.Moderated, task.Executed, "nsfw"),
			ended("An error number of moderation", `"status":"failed","error":"The input or output was flagged as sensitive. (E005)"`, task.Moderated, task.Executed, "E005"),
			ended("A prediction that somebody cancelled", `"status":"canceled"`, task.Stopped, task.Executed, ""),
			ended("Pictures that are deleted already", `"status":"succeeded","output":null,"data_removed":true`, task.Expired, task.Executed, ""),
			ended("An output that is no picture", `"status":"succeeded","output":{"text":"hello"}`, task.BadAnswer, task.Executed, ""),
			{Claim: "A prediction that is not known any more", Status: 404, Body: `{"detail":"Not found."}`, Kind: task.Expired, Executed: task.Unknown},
		},
	})
}

func TestPrepareWritesTheCall(t *testing.T) {
	for _, c := range []struct {
		claim, endpoint, want string
		request               provider.Request
	}{
		{"A model of an owner", "/models/black-forest-labs/flux-schnell/predictions", "request.json", provider.Request{Model: "black-forest-labs/flux-schnell",
			Prompt: "a red kite over a grey lake", Size: "3:2", Images: 1, Seed: new(int64(42)), Parameters: map[string]string{"output_format": "webp", "output_quality": "90", "go_fast": "true"}}},
		{"A version, with pictures to start from", "/predictions", "version-request.json", provider.Request{Model: "acme/brush:" + strings.Repeat("a", 64),
			Prompt: "冬天", Size: "1024x768", Images: 2, Inputs: []string{"https://cdn.example.test/in.png?a=%2F&b=<1>", "data:image/png;base64,iVBORw0KGgo="}}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t, "").Prepare(c.request)
			if err != nil {
				t.Fatal(err)
			}
			if call.Endpoint != c.endpoint || call.Model != c.request.Model {
				t.Errorf("endpoint %q, model %q", call.Endpoint, call.Model)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(providertest.Example(t, c.want))), string(call.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A model without an owner", `model is "flux"`, func(r *provider.Request) { r.Model = "flux" }},
		{"A model that is a path", "model is", func(r *provider.Request) { r.Model = "../../account" }},
		{"A model that climbs", `model is "a/.."; accepted are owner/name`, func(r *provider.Request) { r.Model = "a/.." }},
		{"A model that stays where it is", `model is "a/."`, func(r *provider.Request) { r.Model = "a/." }},
		{"A model that climbs with a version", `model is "../a`, func(r *provider.Request) { r.Model = "../a:" + strings.Repeat("a", 64) }},
		{"Five pictures", "image_count is 5", func(r *provider.Request) { r.Images = 5 }},
		{"A size by name", `size is "2K"`, func(r *provider.Request) { r.Size = "2K" }},
		{"A data URL that is too large", "256000 bytes", func(r *provider.Request) {
			r.Inputs = []string{"data:image/png;base64," + strings.Repeat("AAAA", 90_000)}
		}},
		{"A prompt said twice", "parameter prompt is \"x\" and the row", func(r *provider.Request) { r.Parameters = map[string]string{"prompt": "x"} }},
		{"A size said twice", "parameter width is \"1\" and the row", func(r *provider.Request) {
			r.Size, r.Parameters = "64x64", map[string]string{"width": "1"}
		}},
		{"A name that is none", `parameter "__proto__" is not known`, func(r *provider.Request) { r.Parameters = map[string]string{"__proto__": "x"} }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: "acme/brush", Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "").Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func TestSubmitAsksToBeCalledBack(t *testing.T) {
	s := providertest.Start(providertest.Replicate())
	defer s.Close()
	a := adapter(t, s.URL+"/v1")
	call, err := a.Prepare(provider.Request{Model: "acme/brush", Prompt: "a kite", Images: 1})
	if err != nil {
		t.Fatal(err)
	}
	call.CallbackURL = "https://easel.example.test/callbacks/replicate/k1"
	if _, err := a.Submit(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	want := `{"webhook":"https://easel.example.test/callbacks/replicate/k1","webhook_events_filter":["completed"],"input":{"prompt":"a kite"}}`
	if got := string(s.Ledger()[0].Body); got != want {
		t.Errorf("got %s", got)
	}
}

func TestUploadReturnsTheAddress(t *testing.T) {
	s := providertest.Start(providertest.Replicate())
	defer s.Close()
	a := adapter(t, s.URL+"/v1")
	got, err := a.Upload(t.Context(), "data:image/png;base64,iVBORw0KGgo=")
	if err != nil || got != s.URL+"/v1/files/file-1" {
		t.Errorf("got %q, %v", got, err)
	}
	sent := s.Asked()[0]
	if !strings.Contains(string(sent.Body), "\x89PNG") || !strings.HasPrefix(sent.Header.Get("Content-Type"), "multipart/form-data") {
		t.Errorf("sent %q as %s", sent.Body, sent.Header.Get("Content-Type"))
	}
}

// The time that a model has run is billed however it ended; of a cancelled one nobody says how much it was.
func TestWhatHasRunIsBilled(t *testing.T) {
	for body, want := range map[string]bool{
		`{"id":"p1","status":"failed","error":"CUDA out of memory"}`: true,
		`{"id":"p1","status":"succeeded","output":{"text":"hello"}}`: true,
		`{"id":"p1","status":"succeeded","data_removed":true}`:       true,
		`{"id":"p1","status":"canceled"}`:                            false,
		`{"id":"p1","status":"unheard of"}`:                          false,
	} {
		r := provider.Reply{Status: 200, Body: []byte(body)}
		p, err := read(r)
		if err == nil {
			_, err = p.answer(r)
		}
		if f := task.AsFailure(err); f == nil || f.Billed != want {
			t.Errorf("%s: got %+v", body, f)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"succeeded.json", "failed.json"} {
		f.Add(200, providertest.Example(f, name))
	}
	f.Add(200, []byte(`{"status":"succeeded","output":"https://h.test/1.png"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := provider.Reply{Status: status, Body: body}
		p, err := read(r)
		var a provider.Answer
		if err == nil {
			a, err = p.answer(r)
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

// outputs is a shape of a finished prediction's output, in another state's name where
// the claim says so.
func outputs(claim string, change func(list []any) any) providertest.Shape {
	return providertest.Changed(claim, func(_ *providertest.Server, v any) any {
		p, _ := v.(map[string]any)
		if list, ok := p["output"].([]any); ok {
			p["output"] = change(list)
			if claim == "an output in no known state" {
				p["status"] = "finalized"
			}
		}
		return v
	})
}
