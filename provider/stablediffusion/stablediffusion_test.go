package stablediffusion

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
	a, err := New(Config{BaseURL: base, Client: &provider.Client{}})
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
		Key:     "user:" + providertest.Canary,
		Service: providertest.StableDiffusion(),
		Request: provider.Request{Prompt: "a red kite", Images: 2},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]string{"error": code, "detail": message, "body": "", "errors": ""})
			return b
		},
		Refusals: []providertest.Ending{
			{Claim: "A server without its API", Status: 404, Body: `{"detail":"Not Found"}`, Kind: task.Unavailable, Executed: task.NotExecuted, Code: "no_api"},
			{Claim: "A sampler that there is not", Status: 400, Body: `{"detail":"Sampler not found"}`, Kind: task.Invalid, Executed: task.NotExecuted, Code: "Sampler not found"},
			{Claim: "A sampler that there is not, in older ones", Status: 404, Body: `{"error":"HTTPException","detail":"Sampler not found","body":"","errors":""}`,
				Kind: task.Invalid, Executed: task.NotExecuted, Code: "Sampler not found"},
			{Claim: "A field of a wrong type", Status: 422, Body: `{"detail":[{"loc":["body","steps"],"msg":"value is not a valid integer","type":"type_error.integer"}]}`,
				Kind: task.Invalid, Executed: task.NotExecuted},
			{Claim: "Too little memory, in older ones", Status: 500, Body: string(providertest.Example(t, "memory.json")), Kind: task.Unsupported, Executed: task.Executed, Code: "OutOfMemoryError"},
			{Claim: "Too little memory, in newer ones", Status: 500, Body: `{"detail":"CUDA out of memory. Tried to allocate 2.00 GiB"}`, Kind: task.Unsupported, Executed: task.Executed, Code: "OutOfMemoryError"},
			{Claim: "An interrupted call without a picture", Status: 200, Body: `{"images":[],"info":"{}"}`, Kind: task.BadAnswer, Executed: task.Unknown},
		},
	})
}

func TestRead(t *testing.T) {
	t.Run("The grid before the pictures is not one of them, and each has its seed", func(t *testing.T) {
		a, err := read(provider.Reply{Status: 200, Body: providertest.Example(t, "answer.json")}, 2)
		if err != nil || len(a.Outputs) != 2 {
			t.Fatalf("%+v, %v", a, err)
		}
		for i, o := range a.Outputs {
			if o.Position != i || *o.Seed != int64(42+i) || string(o.Bytes) != "\x89PNG\r\n\x1a\n" {
				t.Errorf("%d: %+v", i, o)
			}
		}
		if raw := string(a.Raw); !strings.Contains(raw, `"sd_model_name":"sd_xl_base_1.0"`) || strings.Contains(raw, "iVBOR") || strings.Contains(raw, "interrupted") {
			t.Errorf("kept %s", raw)
		}
	})
	t.Run("An interrupted call gives what it had, and says so", func(t *testing.T) {
		a, err := read(provider.Reply{Status: 200, Body: []byte(`{"images":["iVBORw0KGgo="],"info":"no json"}`)}, 4)
		if err != nil || len(a.Outputs) != 1 || !strings.Contains(string(a.Raw), `"interrupted":true`) {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("What an extension appends is left out, and a data URL is read", func(t *testing.T) {
		a, err := read(provider.Reply{Status: 200, Body: []byte(`{"images":["data:image/png;base64,iVBORw0KGgo=","AAAA"],"info":""}`)}, 1)
		if err != nil || len(a.Outputs) != 1 || string(a.Outputs[0].Bytes) != "\x89PNG\r\n\x1a\n" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

func TestSubmitGivesItsId(t *testing.T) {
	s := providertest.Start(providertest.StableDiffusion())
	defer s.Close()
	a, err := New(Config{BaseURL: s.URL, Key: "ann:pa55", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	call, err := a.Prepare(provider.Request{Prompt: "x", Images: 1})
	if err != nil {
		t.Fatal(err)
	}
	call.Key = "k-1"
	if _, err := a.Submit(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	got := s.Ledger()[0]
	if got.Path != fromText || !strings.HasPrefix(string(got.Body), `{"force_task_id":"task(k-1)",`) || got.Header.Get("Authorization") != "Basic YW5uOnBhNTU=" {
		t.Errorf("%s: %s, %v", got.Path, got.Body, got.Header)
	}
}

func TestPrepareWritesTheCall(t *testing.T) {
	for _, c := range []struct {
		claim, endpoint, want string
		request               provider.Request
	}{
		{"From text", fromText, "request.json", provider.Request{Model: "sd_xl_base_1.0.safetensors", Prompt: "a red kite over a grey lake", NegativePrompt: "text, watermark", Size: "768x512",
			Images: 2, Steps: new(25), CFGScale: new(6.5), Seed: new(int64(-1)), Parameters: map[string]string{"sampler_name": "DPM++ 2M", "scheduler": "Karras", "enable_hr": "false"}}},
		{"From a picture", fromPicture, "img2img-request.json", provider.Request{Prompt: "冬天", Images: 1, Inputs: []string{"data:image/png;base64,iVBORw0KGgo="},
			Parameters: map[string]string{"denoising_percent": "60", "mask": "data:image/png;base64,AAAA"}}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t, "").Prepare(c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(providertest.Example(t, c.want))), string(call.Body)); diff != "" || call.Endpoint != c.endpoint {
				t.Errorf("%s: body (-want +got):\n%s", call.Endpoint, diff)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	params := func(kv ...string) func(*provider.Request) {
		return func(r *provider.Request) { r.Parameters = map[string]string{kv[0]: kv[1]} }
	}
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"Nine pictures", "image_count is 9", func(r *provider.Request) { r.Images = 9 }},
		{"A size off the grid", "multiples of 8", func(r *provider.Request) { r.Size = "1001x512" }},
		{"A size that is too large", "size is", func(r *provider.Request) { r.Size = "8192x8192" }},
		{"A ratio", `size is "3:2"`, func(r *provider.Request) { r.Size = "3:2" }},
		{"A thousand steps", "steps is 1000", func(r *provider.Request) { r.Steps = new(1000) }},
		{"An address", "takes bytes", func(r *provider.Request) { r.Inputs = []string{"https://a.test/1.png"} }},
		{"Two inputs", "takes one", func(r *provider.Request) { r.Inputs = make([]string, 2) }},
		{"A mask without a picture", "need an input picture", params("mask", "data:image/png;base64,AAAA")},
		{"A script", `"script_name" is not known`, params("script_name", "x")},
		{"An infinite scale", "cfg_scale is", func(r *provider.Request) { r.CFGScale = new(1e300) }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "").Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(200, providertest.Example(f, "answer.json"))
	f.Add(500, providertest.Example(f, "memory.json"))
	f.Add(200, []byte(`{"images":[""],"info":"{\"index_of_first_image\":-9,\"all_seeds\":[1]}"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a, err := read(provider.Reply{Status: status, Body: body}, 2)
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
