package stability

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func adapter(t testing.TB) *Adapter {
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
			return New(Config{BaseURL: base, Key: key, Client: c})
		},
		Service: providertest.Stability(),
		Request: provider.Request{Model: "core", Prompt: "a red kite", Images: 1},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]any{"id": "1", "name": code, "errors": []string{message}})
			return b
		},
		Refusals: []providertest.Ending{
			{Claim: "A picture that was filtered", Status: 200, Body: string(providertest.Example(t, "filtered.json")), Kind: task.Moderated, Executed: task.Executed, Code: "CONTENT_FILTERED"},
			{Claim: "A picture that is no base64", Status: 200, Body: `{"image":"%%","finish_reason":"SUCCESS"}`, Kind: task.BadAnswer, Executed: task.Unknown},
			{Claim: "A reason under its other name", Status: 403, Body: `{"name":"content_moderation","message":"flagged"}`, Kind: task.Moderated, Executed: task.NotExecuted, Code: "content_moderation"},
		},
	})
}

// parts is a form as "name: value" and, of a file, "name: type, size".
func parts(t *testing.T, c provider.Call) (all []string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(c.ContentType)
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(bytes.NewReader(c.Body), params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(p)
		if p.FileName() != "" {
			content = []byte(p.Header.Get("Content-Type") + " " + p.FileName())
		}
		all = append(all, p.FormName()+": "+string(content))
	}
}

func TestPrepareWritesTheForm(t *testing.T) {
	for _, c := range []struct {
		claim, endpoint string
		request         provider.Request
		want            []string
	}{
		{"Core", "/v2beta/stable-image/generate/core", provider.Request{Model: "core", Prompt: "冬天", NegativePrompt: "text", Size: "3:2", Images: 1, Seed: new(int64(0)), Style: "anime",
			Parameters: map[string]string{"output_format": "webp"}},
			[]string{"prompt: 冬天", "negative_prompt: text", "aspect_ratio: 3:2", "seed: 0", "style_preset: anime", "output_format: webp"}},
		{"A picture from a picture", "/v2beta/stable-image/generate/sd3", provider.Request{Model: "sd3.5-large", Prompt: "winter", Images: 1, CFGScale: new(4.5),
			Inputs: []string{"data:image/png;base64,iVBORw0KGgo="}, Parameters: map[string]string{"strength": "0.6"}},
			[]string{"prompt: winter", "mode: image-to-image", "strength: 0.6", "image: image/png 4c4b6a3be1314ab8.png", "model: sd3.5-large", "cfg_scale: 4.5"}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t).Prepare(c.request)
			if err != nil {
				t.Fatal(err)
			}
			if call.Endpoint != c.endpoint {
				t.Errorf("endpoint %q", call.Endpoint)
			}
			if diff := cmp.Diff(c.want, parts(t, call)); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	picture := []string{"data:image/png;base64,iVBORw0KGgo="}
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A model that there is not", `model is "sdxl"`, func(r *provider.Request) { r.Model = "sdxl" }},
		{"Two pictures", "image_count is 2", func(r *provider.Request) { r.Images = 2 }},
		{"A size in pixels", `size is "1024x1024"`, func(r *provider.Request) { r.Size = "1024x1024" }},
		{"An input for a model that takes none", "at most 0", func(r *provider.Request) { r.Inputs = picture }},
		{"An input without its strength", "strength is", func(r *provider.Request) { r.Model, r.Inputs = "ultra", picture }},
		{"A strength above one", "strength is", func(r *provider.Request) {
			r.Model, r.Inputs, r.Parameters = "ultra", picture, map[string]string{"strength": "1.5"}
		}},
		{"A strength without an input", "needs an input picture", func(r *provider.Request) { r.Parameters = map[string]string{"strength": "0.5"} }},
		{"An address", "takes bytes", func(r *provider.Request) {
			r.Model, r.Inputs, r.Parameters = "ultra", []string{"https://a.test/1.png"}, map[string]string{"strength": "0.5"}
		}},
		{"A shape beside an input", "keeps the picture's own shape", func(r *provider.Request) {
			r.Model, r.Inputs, r.Size, r.Parameters = "sd3.5-medium", picture, "1:1", map[string]string{"strength": "0.5"}
		}},
		{"A style that there is not", "style is", func(r *provider.Request) { r.Style = "baroque" }},
		{"A scale for a model that takes none", "cfg_scale is 4", func(r *provider.Request) { r.CFGScale = new(4.0) }},
		{"A seed beyond 32 bits", "seed is", func(r *provider.Request) { r.Seed = new(int64(1 << 32)) }},
		{"A format that the model has not", "output_format is", func(r *provider.Request) {
			r.Model, r.Parameters = "sd3.5-large", map[string]string{"output_format": "webp"}
		}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: "core", Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t).Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func TestRead(t *testing.T) {
	a, err := read(provider.Reply{Status: 200, Body: providertest.Example(t, "answer.json")})
	if err != nil || string(a.Outputs[0].Bytes) != "\x89PNG\r\n\x1a\n" || *a.Outputs[0].Seed != 343940597 || strings.Contains(string(a.Raw), "iVBOR") {
		t.Errorf("%+v, %v", a, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(200, providertest.Example(f, "answer.json"))
	f.Add(200, providertest.Example(f, "filtered.json"))
	f.Add(403, []byte(`{"name":"content_moderation","errors":[1]}`))
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
