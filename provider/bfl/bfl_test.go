package bfl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func adapter(t testing.TB, base string) *Adapter {
	t.Helper()
	a, err := New(Config{BaseURL: base, Key: "bfl_test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	ended := func(status string, kind task.Kind) providertest.Ending {
		return providertest.Ending{Claim: "A job that is " + status, Status: 200, Body: `{"id":"j","status":"` + status + `","details":{"reason":"x"}}`,
			Kind: kind, Executed: task.Executed, Code: status}
	}
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base, Key: key, Client: c})
		},
		Service: providertest.BFL(),
		Request: provider.Request{Model: "flux-2-pro", Prompt: "a red kite", Images: 1},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]string{"error": code, "message": message})
			return b
		},
		Refusals: []providertest.Ending{
			{Claim: "A job without an id", Status: 200, Body: `{"cost":1}`, Kind: task.BadAnswer, Executed: task.Unknown},
			{Claim: "A list of what is wrong", Status: 422, Body: `{"detail":[{"loc":["body","width"],"msg":"must be a multiple of 16"}]}`, Kind: task.Invalid, Executed: task.NotExecuted},
		},
		Endings: []providertest.Ending{ended("Request Moderated", task.Moderated), ended("Content Moderated", task.Moderated),
			ended("Error", task.ProviderError), ended("Failed", task.ProviderError)},
	})
}

func TestPrepareWritesTheCall(t *testing.T) {
	for _, c := range []struct {
		claim, endpoint, want string
		request               provider.Request
	}{
		{"A picture with one to start from", "/v1/flux-2-pro", "request.json", provider.Request{Model: "flux-2-pro", Prompt: "a red kite over a grey lake", Size: "1216x832", Images: 1,
			Seed: new(int64(42)), Inputs: []string{"https://cdn.example.test/in.png?a=%2F&b=<1>", "data:image/png;base64,iVBORw0KGgo="},
			Parameters: map[string]string{"safety_tolerance": "2", "output_format": "png"}}},
		{"A shape by its ratio", "/v1/flux-kontext-pro", "kontext-request.json", provider.Request{Model: "flux-kontext-pro", Prompt: "冬天", Size: "21:9", Images: 1}},
		{"Filling in", "/v1/flux-pro-1.0-fill", "fill-request.json", provider.Request{Model: "flux-pro-1.0-fill", Prompt: "a hat", Images: 1, Steps: new(20), CFGScale: new(4.5),
			Inputs: []string{"data:image/png;base64,iVBORw0KGgo="}, Parameters: map[string]string{"mask": "https://a.test/m.png"}}},
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
	size := func(model, s string) func(*provider.Request) {
		return func(r *provider.Request) { r.Model, r.Size = model, s }
	}
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A model that is a path", "model is", func(r *provider.Request) { r.Model = "../credits" }},
		{"Two pictures", "image_count is 2", func(r *provider.Request) { r.Images = 2 }},
		{"A size off the grid", "multiples of 16", size("flux-2-pro", "1000x1024")},
		{"A size off the older grid", "multiples of 32", size("flux-pro-1.1", "1008x1024")},
		{"A size that is too large", "accepted are up to", size("flux-2-max", "4096x4096")},
		{"A ratio where pixels are wanted", `size is "3:2"`, size("flux-2-pro", "3:2")},
		{"Pixels where a ratio is wanted", "aspect ratio", size("flux-kontext-max", "1024x1024")},
		{"A size by name", `size is "2K"`, size("flux-2-pro", "2K")},
		{"Nothing to fill in", "none was given", func(r *provider.Request) { r.Model = "flux-pro-1.0-fill" }},
		{"Nine inputs", "at most 8", func(r *provider.Request) { r.Inputs = make([]string, 9) }},
		{"A negative seed", "seed is -1", func(r *provider.Request) { r.Seed = new(int64(-1)) }},
		{"A mask for a model that fills nothing in", `parameter "mask" is not known`, func(r *provider.Request) { r.Parameters = map[string]string{"mask": "https://a.test/m.png"} }},
		{"Too much tolerance", "from 0 to 5", func(r *provider.Request) { r.Parameters = map[string]string{"safety_tolerance": "6"} }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: "flux-2-pro", Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "").Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

// poll asks after a job of that age through a service that says so.
func poll(t *testing.T, age time.Duration, body string) (provider.Answer, error) {
	t.Helper()
	s := providertest.Start(providertest.Service{Asks: map[string]providertest.Ask{"/": providertest.Said(200, body)}})
	t.Cleanup(s.Close)
	a := adapter(t, s.URL)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	a.api.Client.Now = func() time.Time { return now }
	return a.Poll(t.Context(), provider.WriteHandle(handle{Version: version, ID: "j", Poll: s.URL + "/x", Credits: new(4.5), Submitted: now.Add(-age)}))
}

func TestPoll(t *testing.T) {
	t.Run("A young job that is not known yet goes on", func(t *testing.T) {
		if a, err := poll(t, 59*time.Second, `{"status":"Task not found"}`); err != nil || a.Done {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("An old job that is not known is gone", func(t *testing.T) {
		_, err := poll(t, time.Minute, `{"status":"Task not found"}`)
		if f := task.AsFailure(err); f == nil || f.Kind != task.Expired || f.Executed != task.Unknown {
			t.Errorf("%v", err)
		}
	})
	t.Run("What the submit said of its cost is the cost, to the micro", func(t *testing.T) {
		a, err := poll(t, time.Minute, string(providertest.Example(t, "ready.json")))
		if err != nil || a.Cost == nil || *a.Cost != (task.Money{Micros: 45_000, Currency: "USD", Version: "reported"}) {
			t.Fatalf("%+v, %v", a.Cost, err)
		}
		if o := a.Outputs[0]; o.URL != "https://delivery-eu2.example.test/x.png?sig=a%2Fb" || *o.Seed != 42 || strings.Contains(string(a.Raw), "sig=") {
			t.Errorf("%+v, kept %s", o, a.Raw)
		}
	})
	t.Run("Progress is shown", func(t *testing.T) {
		for said, want := range map[string]int{"0.4": 40, "7": 100, "-1": 0, "null": 0} {
			if a, err := poll(t, 0, `{"status":"Pending","progress":`+said+`}`); err != nil || a.Progress != want {
				t.Errorf("%s: %d, %v", said, a.Progress, err)
			}
		}
	})
}

func TestReadCallback(t *testing.T) {
	body := []byte(`{"id":"j1","status":"Ready","result":{"sample":"https://evil.test/x.png"}}`)
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write(body)
	signed := http.Header{"X-Bfl-Signature": {hex.EncodeToString(mac.Sum(nil))}}
	a := adapter(t, "https://api.bfl.test")
	for claim, c := range map[string]struct {
		header http.Header
		body   string
		secret provider.Secret
		kind   task.Kind
	}{
		"A signed one is taken":                    {signed, string(body), "s3cret", ""},
		"One without a secret to check is a hint":  {nil, string(body), "", ""},
		"One that is not signed is refused":        {nil, string(body), "s3cret", task.Auth},
		"One that was changed is refused":          {signed, string(body) + " ", "s3cret", task.Auth},
		"One that is signed by another is refused": {signed, string(body), "other", task.Auth},
		"One that names no job is refused":         {nil, `{"status":"Ready"}`, "", task.BadAnswer},
		"One that is no JSON is refused":           {nil, `<html>`, "", task.BadAnswer},
	} {
		t.Run(claim, func(t *testing.T) {
			raw, job, err := a.ReadCallback(provider.Callback{Header: c.header, Body: []byte(c.body), Secret: c.secret})
			if f := task.AsFailure(err); c.kind != "" {
				if f == nil || f.Kind != c.kind {
					t.Errorf("got %v", err)
				}
				return
			}
			var h handle
			if err != nil || job != "j1" || provider.ReadHandle(raw, "bfl", version, &h) != nil || h.Poll != "/v1/get_result?id=j1" {
				t.Errorf("%s, %s, %v", raw, job, err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(providertest.Example(f, "ready.json"))
	f.Add([]byte(`{"status":"Ready","result":null}`))
	f.Add([]byte(`{"state":"Pending","progress":1e999}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := provider.Reply{Status: 200, Body: body}
		var j job
		err := r.JSON(&j)
		var a provider.Answer
		if err == nil {
			a, err = j.answer(r, handle{ID: "j"}, time.Now())
		}
		if err != nil {
			if fail, ok := err.(*task.Failure); !ok || fail.Kind == "" || fail.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if a.Done && (len(a.Outputs) == 0 || a.Raw != nil && !json.Valid(a.Raw)) || a.Progress < 0 || a.Progress > 100 {
			t.Fatalf("%+v", a)
		}
	})
}

func TestACallbackIsReadLeniently(t *testing.T) {
	a, err := New(Config{Key: "sk-test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"id":17,"status":false}`, "\xef\xbb\xbf" + `{"id":"17","progress":"half"}`, ": ping\n\ndata: " + `{"id":"17"}`} {
		if _, id, err := a.ReadCallback(provider.Callback{Body: []byte(body)}); err != nil || id != "17" {
			t.Errorf("%q names %q, %v", body, id, err)
		}
	}
}
