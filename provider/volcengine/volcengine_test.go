package volcengine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func adapter(t *testing.T) *Adapter {
	t.Helper()
	a, err := New(Config{Key: "ark-test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base + "/api/v3", Key: key, Client: c})
		},
		Service: providertest.Service{Submits: map[string]providertest.Endpoint{"/": providertest.Ark}},
		Request: provider.Request{Model: DefaultModel, Prompt: "同一只猫", Images: 2},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": message, "param": "", "type": ""}})
			return b
		},
	})
}

func TestSubmitSendsOurKey(t *testing.T) {
	s := providertest.StartAll()
	defer s.Close()
	a, err := New(Config{BaseURL: s.ArkURL(), Key: "ark-test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	call, err := a.Prepare(provider.Request{Model: DefaultModel, Prompt: "a cat", Images: 1})
	if err != nil {
		t.Fatal(err)
	}
	call.Key = "our-own-id"
	answer, err := a.Submit(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	entry := s.Ledger()[0]
	if entry.Key != "our-own-id" || entry.Header.Get("Authorization") != "Bearer ark-test" {
		t.Errorf("the service received key %q and %q", entry.Key, entry.Header.Get("Authorization"))
	}
	if got, want := answer.Outputs[0].URL, s.PictureURL("a cat0"); got != want {
		t.Errorf("the signed URL came out as %q; want %q", got, want)
	}
}

func TestPrepareWritesTheCall(t *testing.T) {
	for _, c := range []struct {
		claim, want string
		request     provider.Request
	}{
		{"One picture is never sequential and has no watermark unless asked", "single-request.json",
			provider.Request{Model: DefaultModel, Prompt: "一只猫 <&>", Images: 1, Size: "2048x1024", Inputs: []string{"https://cdn.example.test/cat.png?a=%2F&b=1"}}},
		{"Several pictures are a bounded sequence", "sequence-request.json",
			provider.Request{Model: DefaultModel, Prompt: "同一只猫的春夏秋冬四张插画", Images: 4, Size: "2k", Watermark: new(true),
				Inputs:     []string{"https://cdn.example.test/cat.png", "data:image/png;base64,iVBORw0KGgo="},
				Parameters: map[string]string{"optimize_prompt_mode": "fast"}}},
		{"A 3.0 model takes seed and scale and no sequence", "tuned-request.json",
			provider.Request{Model: "doubao-seedream-3-0-t2i-250415", Prompt: "a cat", Images: 1, Size: "1024x1024", Seed: new(int64(-1)), CFGScale: new(2.5), Watermark: new(false)}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t).Prepare(c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(providertest.Example(t, c.want))), string(call.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheServicesOwnWordsMayRepeatTheRow(t *testing.T) {
	for _, c := range []struct {
		claim      string
		images     int
		parameters map[string]string
	}{
		{"One picture, as the documentation asks for it", 1, map[string]string{"sequential_image_generation": "disabled", "response_format": "url", "stream": "false",
			"watermark": "false", "size": "2k", "model": DefaultModel}},
		{"In base64", 1, map[string]string{"response_format": "b64_json"}},
		{"Several", 3, map[string]string{"sequential_image_generation": "auto", "sequential_image_generation_options": `{"max_images": 3}`, "n": "3"}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: DefaultModel, Prompt: "a cat", Size: "2K", Images: c.images}
			want, err := adapter(t).Prepare(r)
			if err != nil {
				t.Fatal(err)
			}
			r.Parameters = c.parameters
			got, err := adapter(t).Prepare(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want.Body), string(got.Body)); diff != "" {
				t.Errorf("they change the call (-without +with):\n%s", diff)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	with := func(name, value string, images int) func(*provider.Request) {
		return func(r *provider.Request) { r.Images, r.Parameters = images, map[string]string{name: value} }
	}
	size := func(model, s string) func(*provider.Request) {
		return func(r *provider.Request) { r.Model, r.Size = model, s }
	}
	for _, c := range []struct {
		claim, says string
		kind        task.Kind
		change      func(*provider.Request)
	}{
		{"No model", "model is empty", task.Invalid, func(r *provider.Request) { r.Model = "" }},
		{"Sixteen pictures", "image_count is 16", task.Invalid, func(r *provider.Request) { r.Images = 16 }},
		{"Inputs and pictures above fifteen", "together they may be at most 15", task.Invalid, func(r *provider.Request) {
			r.Images, r.Inputs = 14, []string{"https://a.test/1.png", "https://a.test/2.png"}
		}},
		{"Eleven inputs of 4.0", "takes at most 10", task.Invalid, func(r *provider.Request) { r.Inputs = make([]string, 11) }},
		{"An input that is no URL", "input picture is no http", task.Invalid, func(r *provider.Request) { r.Inputs = []string{"cat.png"} }},
		{"Two pictures of a 3.0 model", "image_count is 2", task.Invalid, func(r *provider.Request) { r.Model, r.Images = "doubao-seedream-3-0-t2i-250415", 2 }},
		{"An aspect ratio", `size is "16:9"`, task.Invalid, size(DefaultModel, "16:9")},
		{"3K of 4.0", `accepts 1K, 2K, 4K`, task.Invalid, size(DefaultModel, "3K")},
		{"1K of 4.5", `accepts 2K, 4K`, task.Invalid, size("doubao-seedream-4-5-251128", "1K")},
		{"Fewer pixels than 4.0 draws", "draws 921600 to", task.Invalid, size(DefaultModel, "1279x720")},
		{"Fewer pixels than 4.5 draws", "draws 3686400 to", task.Invalid, size("seedream-4-5-251128", "1024x1024")},
		{"More pixels than any draws", "draws 921600 to 16777216", task.Invalid, size(DefaultModel, "4097x4096")},
		{"A strip", "at most 16 times", task.Invalid, size(DefaultModel, "16400x1000")},
		{"A seed of 4.0", "takes no seed", task.Unsupported, func(r *provider.Request) { r.Seed = new(int64(7)) }},
		{"A scale of 4.0", "takes no seed and no cfg_scale", task.Unsupported, func(r *provider.Request) { r.CFGScale = new(2.0) }},
		{"A seed out of range", "seed is -2", task.Invalid, func(r *provider.Request) { r.Model, r.Seed = "ep-1", new(int64(-2)) }},
		{"A scale out of range", "cfg_scale is 11", task.Invalid, func(r *provider.Request) { r.Model, r.CFGScale = "ep-1", new(11.0) }},
		{"A sequence of one", `"auto" and the row's image_count is 1`, task.Invalid, with("sequential_image_generation", "auto", 1)},
		{"Three that shall be no sequence", `"disabled", which draws one picture, and the row's image_count is 3`, task.Invalid, with("sequential_image_generation", "disabled", 3)},
		{"Another bound than the row's", `accepted is {"max_images": 3}`, task.Invalid, with("sequential_image_generation_options", `{"max_images": 4}`, 3)},
		{"An option that the service does not have", `accepted is {"max_images": 3}`, task.Invalid, with("sequential_image_generation_options", `{"max": 3}`, 3)},
		{"A picture as a parameter", "the row's input_image_url", task.Invalid, with("image", "https://a.test/1.png", 1)},
		{"A stream", "parameter stream", task.Invalid, with("stream", "true", 1)},
		{"A format of answers that is none", "url, b64_json", task.Invalid, with("response_format", "svg", 1)},
		{"An unknown format", "jpeg, png", task.Invalid, func(r *provider.Request) { r.Parameters = map[string]string{"output_format": "webp"} }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: DefaultModel, Prompt: "a cat", Images: 1}
			c.change(&r)
			_, err := adapter(t).Prepare(r)
			f := task.AsFailure(err)
			if f == nil || f.Kind != c.kind || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want %s with %q", err, c.kind, c.says)
			}
		})
	}
}

func TestPrepareAccepts(t *testing.T) {
	for _, size := range []string{"", "1K", "4k", "1280x720", "4096x4096", "16000x1000", "1000x16000"} {
		if _, err := adapter(t).Prepare(provider.Request{Model: DefaultModel, Prompt: "a cat", Images: 15, Size: size}); err != nil {
			t.Errorf("size %q: %v", size, err)
		}
	}
}

func TestCapabilitiesFollowTheModel(t *testing.T) {
	a := adapter(t)
	for model, seed := range map[string]bool{DefaultModel: false, "seedream-4-0-250828": false, "doubao-seedream-5-0-260128": false,
		"doubao-seedream-3-0-t2i-250415": true, "doubao-seededit-3-0-i2i-250628": true, "ep-20260101-abcde": true, "": true} {
		if c := a.Capabilities(model); c.Seed != seed || c.CFGScale != seed || !c.Watermark || c.NegativePrompt {
			t.Errorf("%q: %+v", model, c)
		}
	}
}

func TestReadAnswers(t *testing.T) {
	t.Run("A blocked picture does not lose the others", func(t *testing.T) {
		a, err := read(provider.Reply{Status: 200, Body: providertest.Example(t, "partial.json")})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Outputs) != 3 || a.Outputs[0].URL != "https://ark-content.example.test/0.jpeg?sig=a%2Fb&x=1" || a.Outputs[2].Position != 2 {
			t.Fatalf("outputs: %+v", a.Outputs)
		}
		f := a.Outputs[1].Err
		if f == nil || f.Kind != task.Moderated || f.Executed != task.Executed || f.Code != "OutputImageSensitiveContentDetected" || !strings.Contains(f.Message, "picture 2") {
			t.Errorf("the missing picture: %#v", f)
		}
		if raw := string(a.Raw); !strings.Contains(raw, `"generated_images":2`) || strings.Contains(raw, "ark-content") {
			t.Errorf("Raw is %s", raw)
		}
	})
	t.Run("When every picture is blocked, so is the task", func(t *testing.T) {
		_, err := read(provider.Reply{Status: 200, Body: []byte(`{"data":[{"error":{"code":"OutputImageSensitiveContentDetected.DeepFake","message":"m"}}]}`)})
		if f := task.AsFailure(err); f == nil || f.Kind != task.Moderated || f.Executed != task.Executed {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("An error in a 200 is the service's own", func(t *testing.T) {
		_, err := read(provider.Reply{Status: 200, Body: []byte(`{"error":{"code":"ServerOverloaded","message":"m"}}`)})
		if f := task.AsFailure(err); f == nil || f.Kind != task.Unavailable || f.Executed != task.NotExecuted {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("An error beside pictures does not lose them", func(t *testing.T) {
		a, err := read(provider.Reply{Status: 200, Body: []byte(`{"data":[{"url":"https://h.test/1"}],"error":{"code":"InternalServiceError","message":"m"}}`)})
		if err != nil || len(a.Outputs) != 1 || !strings.Contains(string(a.Raw), "InternalServiceError") {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("A picture without address or error is bad", func(t *testing.T) {
		_, err := read(provider.Reply{Status: 200, Body: []byte(`{"data":[{"size":"1x1"}]}`)})
		if f := task.AsFailure(err); f == nil || f.Kind != task.BadAnswer || f.Executed != task.Unknown {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("The rate limit in pictures per minute is a wait", func(t *testing.T) {
		_, err := read(provider.Reply{Status: 429, Body: providertest.Example(t, "limited.json")})
		if f := task.AsFailure(err); f == nil || f.Kind != task.RateLimited || f.Code != "ModelAccountIpmRateLimitExceeded" {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("A used-up plan is money, a full queue is not", func(t *testing.T) {
		for code, kind := range map[string]task.Kind{"QuotaExceeded.AgentPlanQuotaExceeded": task.Billing, "QuotaExceeded": task.Unavailable} {
			_, err := read(provider.Reply{Status: 429, Body: []byte(`{"error":{"code":"` + code + `"}}`)})
			if f := task.AsFailure(err); f == nil || f.Kind != kind {
				t.Errorf("%s: %#v", code, f)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"partial.json", "limited.json"} {
		f.Add(200, providertest.Example(f, name))
		f.Add(400, providertest.Example(f, name))
	}
	f.Add(200, []byte(`{"data":[{"url":"x","error":{}},{},null],"error":null,"usage":{"generated_images":1e3}}`))
	f.Add(500, []byte(`{"error":{"code":5}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a, err := read(provider.Reply{Status: status, Body: body})
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

func TestAQuotaOfOneModelIsNotTheAccounts(t *testing.T) {
	for code, ofModel := range map[string]bool{"SetLimitExceeded": true, "AccountOverdueError": false} {
		if f := faults.Failure(provider.Reply{Status: 403}, "m", code); f.Kind != task.Billing || f.Executed != task.NotExecuted || f.OfModel != ofModel {
			t.Errorf("%s is %+v", code, f)
		}
	}
}

func TestAStreamThatBreaksOffKeepsWhatHasCome(t *testing.T) {
	finished := `data: {"type":"image_generation.partial_succeeded","image_index":0,"url":"https://cdn.test/0.png"}` + "\n\n"
	for body, want := range map[string]int{finished + finished + "data: {": 2, finished[:len(finished)-10]: 0} {
		a, err := New(Config{BaseURL: providertest.Breaks(t, body) + "/api/v3", Key: "a-key", Client: &provider.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		ans, err := a.Submit(t.Context(), provider.Call{Body: []byte(`{}`)})
		if len(ans.Outputs) != want || want == 0 && task.AsFailure(err).Executed != task.Unknown {
			t.Errorf("%q gives %d pictures, %v", body, len(ans.Outputs), err)
		}
	}
}
