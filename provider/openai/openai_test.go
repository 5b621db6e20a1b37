package openai

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
	a, err := New(Config{Key: "sk-test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base + "/v1/", Key: key, Client: c})
		},
		Service: providertest.Service{Submits: map[string]providertest.Endpoint{"/": providertest.OpenAI}},
		Shapes: []providertest.Shape{
			{Claim: "an event for each picture, with previews", Change: func(_ *providertest.Server, answer []byte) []byte { return events(answer) }},
			entries("an object named url", func(content string) any {
				return map[string]any{"url": map[string]any{"url": "data:image/png;base64," + content}}
			}),
			entries("an object named image_url", func(content string) any {
				return map[string]any{"image_url": map[string]any{"url": "data:image/png;base64," + content}}
			}),
			entries("a list named url", func(content string) any { return map[string]any{"url": []any{content}} }),
			entries("texts in the place of objects", func(content string) any { return "data:image/png;base64," + content }),
			entries("an empty address beside the content", func(content string) any { return map[string]any{"url": "", "b64_json": content} }),
			providertest.Changed("pictures without the object around them", func(_ *providertest.Server, v any) any { return v.(map[string]any)["data"] }),
			providertest.Changed("pictures named images", func(_ *providertest.Server, v any) any {
				return map[string]any{"images": v.(map[string]any)["data"]}
			}),
			providertest.Changed("an error that is none", func(_ *providertest.Server, v any) any {
				v.(map[string]any)["error"] = map[string]any{}
				return v
			}),
		},
		Request: provider.Request{Model: "gpt-image-2", Prompt: "a red kite", Images: 2, Inputs: []string{"https://cdn.example.test/in.png"}},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]any{"error": map[string]any{"message": message, "type": "", "param": nil, "code": code}})
			return b
		},
	})
}

func TestPrepareWritesTheCall(t *testing.T) {
	for _, c := range []struct {
		claim, endpoint, want string
		request               provider.Request
	}{
		{"A generation", generations, "generation-request.json", provider.Request{Model: "gpt-image-2.6-flare", Prompt: "a red kite over a grey lake",
			Images: 2, Size: "1536×1024", Quality: "medium", Parameters: map[string]string{"output_format": "webp", "output_compression": "90",
				"background": "opaque", "moderation": "auto", "safety_identifier": "u_9f2c"}}},
		{"An edit keeps its URLs byte for byte", edits, "edit-request.json", provider.Request{Model: "gpt-image-2.6-sunburst", Prompt: "make it winter",
			Images: 1, Size: "1024x1024", Quality: "high", Inputs: []string{"https://cdn.example.test/in.png?a=%2F&b=<1>", "data:image/png;base64,iVBORw0KGgo="},
			Parameters: map[string]string{"input_fidelity": "high", "mask": "https://cdn.example.test/mask.png"}}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t).Prepare(c.request)
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
	params := func(kv ...string) func(*provider.Request) {
		return func(r *provider.Request) {
			r.Parameters = map[string]string{}
			for i := 0; i < len(kv); i += 2 {
				r.Parameters[kv[i]] = kv[i+1]
			}
		}
	}
	size := func(s string) func(*provider.Request) { return func(r *provider.Request) { r.Size = s } }
	inputs := func(u ...string) func(*provider.Request) { return func(r *provider.Request) { r.Inputs = u } }
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"No model", "model is empty", func(r *provider.Request) { r.Model = "" }},
		{"A prompt of 32,001 characters", "32001 characters", func(r *provider.Request) { r.Prompt = strings.Repeat("é", 32_001) }},
		{"No picture", "image_count is 0", func(r *provider.Request) { r.Images = 0 }},
		{"Eleven pictures", "image_count is 11", func(r *provider.Request) { r.Images = 11 }},
		{"Seventeen inputs", "17 input pictures", inputs(make([]string, 17)...)},
		{"A quality of former models", `quality is "hd"`, func(r *provider.Request) { r.Quality = "hd" }},
		{"A size by name", `size is "2K"`, size("2K")},
		{"A signed size", `size is "+1024x1024"`, size("+1024x1024")},
		{"A size off the grid", "divisible by 16", size("1000x1024")},
		{"A size that is too wide", "at most 3 times", size("3088x1024")},
		{"A size with a side that is too long", "at most 3840x2160", size("3856x1600")},
		{"A size with too many pixels", "at most 3840x2160", size("3072x3072")},
		{"An input that is no picture's address", "input picture is no http", inputs("file:///etc/passwd")},
		{"A second input that is wrong", "input picture 2", inputs("https://a.test/1.png", "data:image/svg+xml;base64,AAAA")},
		{"An unknown parameter", `parameter "sampler" is not known`, params("sampler", "1")},
		{"A seed, which the service does not take and which has a column", `say it in the column seed`, params("seed", "1")},
		{"Another count than the row's", `parameter n is "3" and the row's image_count is "1"`, params("n", "3")},
		{"Compression of a PNG", "output_compression needs", params("output_compression", "50")},
		{"Compression above 100", "from 0 to 100", params("output_compression", "101", "output_format", "webp")},
		{"A transparent JPEG", "transparent needs", params("background", "transparent", "output_format", "jpeg")},
		{"Frames of a PNG", "need output_format gif", params("frame_count", "3")},
		{"A mask without a picture", "mask needs", params("mask", "https://a.test/m.png")},
		{"A mask that is a JPEG", "parameter mask is a data URL", params("mask", "data:image/jpeg;base64,AAAA")},
		{"Fidelity without a picture", "input_fidelity needs", params("input_fidelity", "high")},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: "gpt-image-2", Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t).Prepare(r)
			f := task.AsFailure(err)
			if f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func TestPrepareAccepts(t *testing.T) {
	for _, size := range []string{"", "auto", "1024x1024", "1024x1536", "3840x2160", "2160x3840", "3072x1024"} {
		if _, err := adapter(t).Prepare(provider.Request{Model: "m", Prompt: strings.Repeat("é", 32_000), Images: 10, Size: size}); err != nil {
			t.Errorf("size %q: %v", size, err)
		}
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := New(Config{BaseURL: "ftp://host.test", Key: "has space"})
	for _, field := range []string{"base_url", "key", "client"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("New: %v; want it to name %s", err, field)
		}
	}
	if err != nil && strings.Contains(err.Error(), "has space") {
		t.Errorf("New shows the key: %v", err)
	}
}

func TestReadAnswers(t *testing.T) {
	t.Run("The usage is kept and the pictures are not", func(t *testing.T) {
		a, err := reading(provider.Reply{Status: 200, Body: providertest.Example(t, "answer.json"), RequestID: "req_1"})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Outputs) != 2 || string(a.Outputs[1].Bytes) != "RIFF" || a.Outputs[1].Position != 1 || a.Outputs[1].ContentType != "image/webp" {
			t.Errorf("outputs: %+v", a.Outputs)
		}
		if raw := string(a.Raw); !strings.Contains(raw, `"output_tokens":3136`) || strings.Contains(raw, "UklGRg") {
			t.Errorf("Raw is %s", raw)
		}
		if !a.Done || a.RequestID != "req_1" || a.HTTPStatus != 200 {
			t.Errorf("answer: %+v", a)
		}
	})
	t.Run("One picture that is no base64 does not lose the others", func(t *testing.T) {
		a, err := reading(provider.Reply{Status: 200, Body: []byte(`{"data":[{"b64_json":"%%"},{"b64_json":"UklGRg=="},{}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Outputs) != 3 || a.Outputs[0].Err == nil || string(a.Outputs[1].Bytes) != "RIFF" || a.Outputs[2].Err == nil {
			t.Errorf("outputs: %+v", a.Outputs)
		}
	})
	t.Run("An answer with nothing but bad pictures may have been paid for", func(t *testing.T) {
		for _, body := range []string{`{"data":[]}`, `{"data":[{"b64_json":"%%"}]}`, `{"data":[{"b64_json":""}]}`} {
			_, err := reading(provider.Reply{Status: 200, Body: []byte(body)})
			if f := task.AsFailure(err); f == nil || f.Kind != task.BadAnswer || f.Executed != task.Unknown {
				t.Errorf("%s: %v", body, err)
			}
		}
	})
	t.Run("A block by moderation says so", func(t *testing.T) {
		_, err := reading(provider.Reply{Status: 400, Body: providertest.Example(t, "moderated.json")})
		f := task.AsFailure(err)
		if f == nil || f.Kind != task.Moderated || f.Executed != task.Executed || f.Code != "moderation_blocked" || !strings.Contains(f.Detail, "safety_violations=[violence]") {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("A type decides where the code is unknown", func(t *testing.T) {
		_, err := reading(provider.Reply{Status: 429, Body: []byte(`{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"new_limit"}}`)})
		if f := task.AsFailure(err); f == nil || f.Kind != task.Billing || f.Code != "new_limit" {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("An error in a 200 is the service's own", func(t *testing.T) {
		_, err := reading(provider.Reply{Status: 200, Body: []byte(`{"error":{"message":"m","code":"slow_down"}}`)})
		if f := task.AsFailure(err); f == nil || f.Kind != task.RateLimited {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("An error beside work in a 200 proves nothing", func(t *testing.T) {
		for _, body := range []string{
			`{"error":{"message":"internal","code":"rate_limit_exceeded"},"created":1,"data":[],"usage":{"input_tokens":10,"output_tokens":4160}}`,
			"data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"iVBORw0KGgo=\"}\n\ndata: {\"type\":\"error\",\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n",
			`{"error":{"message":"no","code":"invalid_api_key"},"data":[],"usage":{"output_tokens":1}}`,
		} {
			_, err := reading(provider.Reply{Status: 200, Body: []byte(body)})
			if f := task.AsFailure(err); f == nil || f.Executed != task.Unknown || f.Kind != task.ProviderError {
				t.Errorf("%s: %#v", body, f)
			}
		}
	})
	t.Run("An imitator's URL is taken", func(t *testing.T) {
		a, err := reading(provider.Reply{Status: 200, Body: []byte(`{"data":[{"url":"https://h.test/1.png?a=%2F&b"}]}`)})
		if err != nil || a.Outputs[0].URL != "https://h.test/1.png?a=%2F&b" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"answer.json", "moderated.json"} {
		f.Add(200, providertest.Example(f, name))
		f.Add(400, providertest.Example(f, name))
	}
	f.Add(200, []byte(`{"data":[{"b64_json":"AA==","url":"x"}],"error":{"code":"server_error"},"usage":[1]}`))
	f.Add(200, []byte("\xef\xbb\xbf{}"))
	f.Add(503, []byte(`{"error":"overloaded"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a, err := reading(provider.Reply{Status: status, Body: body})
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

// reading reads an answer as the adapter of api.openai.com does.
func reading(r provider.Reply) (provider.Answer, error) {
	a, err := New(Config{Key: "sk-test", Client: &provider.Client{}})
	if err != nil {
		return provider.Answer{}, err
	}
	return a.read(r)
}

// entries is a shape of what names each picture.
func entries(claim string, change func(content string) any) providertest.Shape {
	return providertest.Changed(claim, func(_ *providertest.Server, v any) any {
		data := v.(map[string]any)["data"].([]any)
		for i := range data {
			data[i] = change(data[i].(map[string]any)["b64_json"].(string))
		}
		return v
	})
}

// events is the answer as a stream that nobody asked for.
func events(answer []byte) []byte {
	var said struct {
		Data []struct {
			Base64 string `json:"b64_json"`
		}
	}
	if json.Unmarshal(answer, &said) != nil {
		return answer
	}
	var b strings.Builder
	for _, p := range said.Data {
		b.WriteString("event: image_generation.partial_image\n" + `data: {"type":"image_generation.partial_image","b64_json":"iVBORw0KGgo="}` + "\n\n")
		b.WriteString("event: image_generation.completed\n" + `data: {"type":"image_generation.completed","b64_json":"` + p.Base64 + `","usage":{"input_tokens":1.5,"output_tokens":2}}` + "\n\n")
	}
	return []byte(b.String() + "data: [DONE]\n\n")
}
