package fal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
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
	a, err := New(Config{BaseURL: base, Key: "fal_test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base, Key: key, Client: c})
		},
		Service:          providertest.Fal(),
		Request:          provider.Request{Model: "acme/brush/dev", Prompt: "a red kite", Images: 2},
		Faults:           faults,
		UnknownParameter: "No such",
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]string{"detail": message, "error_type": code})
			return b
		},
		Refusals: []providertest.Ending{
			{Claim: "A job without an id", Status: 200, Body: `{"status":"IN_QUEUE"}`, Kind: task.BadAnswer, Executed: task.Unknown},
			{Claim: "A type that only a header tells", Status: 503, Body: `{"detail":"no runner"}`, Header: []string{"X-Fal-Error-Type", "runner_scheduling_failure"},
				Kind: task.Unavailable, Executed: task.NotExecuted, Code: "runner_scheduling_failure"},
		},
		Endings: []providertest.Ending{
			{Claim: "A job that is not known any more", Status: 404, Body: `{"detail":"Request not found"}`, Kind: task.Expired, Executed: task.Unknown},
		},
	})
}

// poll asks after a completed job whose answer is this one.
func poll(t *testing.T, status int, body string, header ...string) (provider.Answer, error) {
	t.Helper()
	s := providertest.Start(providertest.Service{Asks: map[string]providertest.Ask{
		"GET /status": providertest.Said(200, `{"status":"COMPLETED"}`),
		"GET /answer": providertest.Said(status, body),
	}})
	t.Cleanup(s.Close)
	return adapter(t, s.URL).Poll(t.Context(), provider.WriteHandle(handle{version, "r1", s.URL + "/status", s.URL + "/answer", s.URL + "/cancel"}))
}

func TestPollOfACompletedJob(t *testing.T) {
	for _, c := range []struct {
		claim    string
		status   int
		body     string
		kind     task.Kind
		executed task.Execution
		code     string
	}{
		{"A refused prompt", 422, `{"detail":[{"loc":["body","prompt"],"msg":"flagged","type":"content_policy_violation"}]}`, task.Moderated, task.Executed, "content_policy_violation"},
		{"An input that the model could not read", 422, `{"detail":[{"loc":["body","image_url"],"msg":"cannot be read","type":"image_load_error"}]}`, task.Invalid, task.Executed, "image_load_error"},
		{"A field of which nothing is known", 422, `{"detail":[{"loc":["body","x"],"msg":"extra","type":"extra_forbidden"}]}`, task.Invalid, task.Executed, "extra_forbidden"},
		{"A runner that was lost", 503, `{"detail":"gone","error_type":"runner_disconnected"}`, task.ProviderError, task.Executed, "runner_disconnected"},
		{"Pictures that were held back", 200, `{"images":[{"url":"https://h.test/1.png"}],"has_nsfw_concepts":[true]}`, task.Moderated, task.Executed, "has_nsfw_concepts"},
		{"An answer without a picture", 200, `{"images":[]}`, task.BadAnswer, task.Executed, ""},
		{"An answer that has expired", 404, `{"detail":"Request not found"}`, task.Expired, task.Unknown, ""},
		{"A gateway that fails is no failure of the job", 502, `<html>`, task.ProviderError, task.NotExecuted, ""},
		{"Too many questions are no failure of the job", 429, `{"detail":"slow"}`, task.RateLimited, task.NotExecuted, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := poll(t, c.status, c.body)
			if f := task.AsFailure(err); f == nil || f.Kind != c.kind || f.Executed != c.executed || f.Code != c.code {
				t.Errorf("got %#v", f)
			}
		})
	}
	t.Run("One picture that is held back does not lose the other", func(t *testing.T) {
		a, err := poll(t, 200, string(providertest.Example(t, "answer.json")))
		if err != nil || len(a.Outputs) != 2 || a.Outputs[0].URL != "https://v3b.example.test/out.png?a=%2F" || *a.Outputs[0].Seed != 42 ||
			a.Outputs[1].Err == nil || a.Outputs[1].Err.Kind != task.Moderated {
			t.Errorf("%+v, %v", a.Outputs, err)
		}
	})
	t.Run("A single picture under another name is taken, and a seed beyond 64 bits left out", func(t *testing.T) {
		a, err := poll(t, 200, `{"image":{"url":"https://h.test/1.png"},"seed":18446744073709551615}`)
		if err != nil || len(a.Outputs) != 1 || a.Outputs[0].Seed != nil {
			t.Errorf("%+v, %v", a.Outputs, err)
		}
	})
}

func TestAPollSaysWhetherTheJobHasBegun(t *testing.T) {
	for status, queued := range map[string]bool{"IN_QUEUE": true, "IN_PROGRESS": false} {
		s := providertest.Start(providertest.Service{
			Submits: map[string]providertest.Endpoint{"/": func(*providertest.Server, []byte) []byte {
				return []byte(`{"request_id":"r1","status":"` + status + `","status_url":"/status","response_url":"/answer"}`)
			}},
			Asks: map[string]providertest.Ask{"GET /status": providertest.Said(202, `{"status":"`+status+`"}`)},
		})
		defer s.Close()
		a := adapter(t, s.URL)
		call, err := a.Prepare(provider.Request{Model: "acme/brush/dev", Prompt: "a red kite", Images: 1})
		if err != nil {
			t.Fatal(err)
		}
		taken, err := a.Submit(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := a.Poll(t.Context(), taken.Handle)
		if err != nil || taken.Queued != queued || asked.Queued != queued {
			t.Errorf("%s: submit says queued %t, a poll %t, %v", status, taken.Queued, asked.Queued, err)
		}
	}
}

func TestPrepareWritesTheCall(t *testing.T) {
	call, err := adapter(t, "").Prepare(provider.Request{Model: "fal-ai/flux/dev", Prompt: "a red kite over a grey lake", Size: "1216x832", Images: 2, Seed: new(int64(42)),
		Inputs: []string{"https://cdn.example.test/in.png?a=%2F&b=<1>"}, Parameters: map[string]string{"output_format": "png", "enable_safety_checker": "true", "strength": "0.80"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(providertest.Example(t, "request.json"))), string(call.Body)); diff != "" || call.Endpoint != "/fal-ai/flux/dev" {
		t.Errorf("%s: body (-want +got):\n%s", call.Endpoint, diff)
	}
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A model without an owner", `model is "flux"`, func(r *provider.Request) { r.Model = "flux" }},
		{"A model that climbs", "model is", func(r *provider.Request) { r.Model = "a/../b" }},
		{"A model that stays where it is", `model is "a/."`, func(r *provider.Request) { r.Model = "a/." }},
		{"Five pictures", "image_count is 5", func(r *provider.Request) { r.Images = 5 }},
		{"A ratio", `size is "3:2"`, func(r *provider.Request) { r.Size = "3:2" }},
		{"A side beyond the limit", "accepted are", func(r *provider.Request) { r.Size = "20000x64" }},
		{"An answer that nobody keeps", "parameter sync_mode is set", func(r *provider.Request) { r.Parameters = map[string]string{"sync_mode": "true"} }},
		{"A field that is no name", "parameter input_field is", func(r *provider.Request) { r.Parameters = map[string]string{"input_field": "a b"} }},
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
	s := providertest.Start(providertest.Fal())
	defer s.Close()
	a := adapter(t, s.URL)
	call, err := a.Prepare(provider.Request{Model: "acme/brush", Prompt: "a kite", Images: 1})
	if err != nil {
		t.Fatal(err)
	}
	call.CallbackURL = "https://easel.example.test/callbacks/fal/k1"
	if _, err := a.Submit(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if got := s.Ledger()[0]; got.Path != "/acme/brush" || got.Query != "fal_webhook=https%3A%2F%2Feasel.example.test%2Fcallbacks%2Ffal%2Fk1" {
		t.Errorf("sent to %s?%s", got.Path, got.Query)
	}
}

func TestReadCallback(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_795_300_000, 0)
	body := []byte(`{"request_id":"r1","status":"OK","payload":{"images":[{"url":"https://evil.test/1.png"}]}}`)
	sign := func(at time.Time, body []byte) http.Header {
		sum := sha256.Sum256(body)
		stamp := strconv.FormatInt(at.Unix(), 10)
		text := strings.Join([]string{"r1", "u1", stamp, hex.EncodeToString(sum[:])}, "\n")
		h := http.Header{}
		h.Set("X-Fal-Webhook-Request-Id", "r1")
		h.Set("X-Fal-Webhook-User-Id", "u1")
		h.Set("X-Fal-Webhook-Timestamp", stamp)
		h.Set("X-Fal-Webhook-Signature", hex.EncodeToString(ed25519.Sign(private, []byte(text))))
		return h
	}
	key := provider.Secret("AAAA," + base64.RawURLEncoding.EncodeToString(public))
	a := adapter(t, "https://queue.fal.test")
	a.api.Client.Now = func() time.Time { return now }
	of := provider.Lost{Endpoint: "/fal-ai/flux/dev"}
	for claim, c := range map[string]struct {
		header http.Header
		body   string
		secret provider.Secret
		kind   task.Kind
	}{
		"A signed one is taken":                    {sign(now, body), string(body), key, ""},
		"One without a key to check is a hint":     {nil, string(body), "", ""},
		"One that is not signed is refused":        {nil, string(body), key, task.Auth},
		"One that was changed is refused":          {sign(now, body), string(body) + " ", key, task.Auth},
		"An old one is refused":                    {sign(now.Add(-6*time.Minute), body), string(body), key, task.Auth},
		"One from the future is refused":           {sign(now.Add(6*time.Minute), body), string(body), key, task.Auth},
		"One that is signed by another is refused": {sign(now, body), string(body), "AAAA", task.Auth},
		"One that names no job is refused":         {nil, `{}`, "", task.BadAnswer},
	} {
		t.Run(claim, func(t *testing.T) {
			raw, job, err := a.ReadCallback(provider.Callback{Header: c.header, Body: []byte(c.body), Secret: c.secret, Of: of})
			if f := task.AsFailure(err); c.kind != "" {
				if f == nil || f.Kind != c.kind {
					t.Errorf("got %v", err)
				}
				return
			}
			var h handle
			if err != nil || job != "r1" || provider.ReadHandle(raw, "fal", version, &h) != nil || h.Status != "/fal-ai/flux/requests/r1/status" {
				t.Errorf("%s, %s, %v", raw, job, err)
			}
		})
	}
}

func TestJobsThatHaveFailed(t *testing.T) {
	for _, c := range []struct {
		claim, body string
		status      int
		kind        task.Kind
		unbilled    bool
	}{
		{"By the service's named fault", `{"detail":"x","error_type":"runner_server_error"}`, 500, task.ProviderError, true},
		{"By the same words of a gateway", `{"detail":"x","error_type":"runner_server_error"}`, 502, task.ProviderError, false},
		{"By a status without a name", `{"detail":"x"}`, 500, task.ProviderError, false},
		{"By the input", `{"detail":[{"loc":["body","prompt"],"msg":"m","type":"t"}]}`, 422, task.Invalid, false},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s := providertest.Start(providertest.Service{Asks: map[string]providertest.Ask{"/": providertest.Said(c.status, c.body)}})
			defer s.Close()
			r, err := (&provider.Client{}).Do(t.Context(), provider.HTTPRequest{Method: http.MethodGet, URL: s.URL, Free: true})
			if err != nil {
				t.Fatal(err)
			}
			if f := ended(r); f.Kind != c.kind || f.Executed != task.Executed || f.Unbilled != c.unbilled || f.Message != "the model failed" {
				t.Errorf("%s, executed %s, unbilled %t: %v", f.Kind, f.Executed, f.Unbilled, f)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(200, providertest.Example(f, "answer.json"))
	f.Add(422, []byte(`{"detail":[{"loc":[1,"prompt"],"msg":"m","type":"t"}]}`))
	f.Add(200, []byte(`{"image":{},"seed":1e400,"has_nsfw_concepts":[null]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := provider.Reply{Status: status, Body: body}
		a, err := read(r, handle{ID: "r1"})
		if !r.OK() {
			err = ended(r)
		}
		if err != nil {
			if fail, ok := err.(*task.Failure); !ok || fail.Kind == "" || fail.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if !a.Done || len(a.Outputs) == 0 || a.Raw != nil && !json.Valid(a.Raw) {
			t.Fatalf("%+v", a)
		}
	})
}
