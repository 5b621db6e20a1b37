package comfyui

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func adapter(t testing.TB, base string, flow string) *Adapter {
	t.Helper()
	a, err := New(Config{BaseURL: base, Workflow: []byte(flow), Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// flow has a place for everything, in each of the ways in which a place is written.
const flow = `{"1":{"class_type":"Any","inputs":{"text":"a photo of {{prompt}}, {{mood=calm}}","negative":"{{negative_prompt}}","seed":"{{seed}}","steps":"{{steps=20}}",
	"cfg":"{{cfg_scale=7.5}}","w":"{{width=512}}","h":"{{height=512}}","image":"{{input_1}}","list":["{{denoise=1}}",["4",0]],"on":"{{tiled=false}}"}}}`

func TestConformance(t *testing.T) {
	ended := func(status string) string {
		return `{"0198c0de-0000-7000-8000-000000000001":{"outputs":{},"status":` + status + `}}`
	}
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base, Key: key, Client: c})
		},
		Service: providertest.ComfyUI(),
		Request: provider.Request{Model: "v1-5.safetensors", Prompt: "a red kite", Images: 2},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]any{"error": map[string]string{"type": code, "message": message, "details": ""}, "node_errors": map[string]any{}})
			return b
		},
		Refusals: []providertest.Ending{
			{Claim: "A workflow that the server does not take, with the node's reason", Status: 400, Body: string(providertest.Example(t, "invalid.json")), Kind: task.Invalid, Executed: task.NotExecuted, Code: "prompt_outputs_failed_validation"},
			{Claim: "A job without an id", Status: 200, Body: `{"number":1}`, Kind: task.BadAnswer, Executed: task.Unknown},
		},
		Endings: []providertest.Ending{
			{Claim: "Too little memory", Status: 200, Body: ended(string(providertest.Example(t, "memory.json"))), Kind: task.Unsupported, Executed: task.Executed, Code: "OutOfMemoryError"},
			{Claim: "A node that broke", Status: 200, Body: ended(`{"status_str":"error","completed":false,"messages":[["execution_error",{"node_type":"VAEDecode","exception_type":"ValueError","exception_message":"bad"}]]}`),
				Kind: task.ProviderError, Executed: task.Executed, Code: "ValueError"},
			{Claim: "A job that somebody interrupted", Status: 200, Body: ended(`{"status_str":"error","completed":false,"messages":[["execution_start",{}],["execution_interrupted",{}]]}`),
				Kind: task.Stopped, Executed: task.Executed},
			{Claim: "A workflow that saves nothing", Status: 200, Body: ended(`{"status_str":"success","completed":true,"messages":[]}`), Kind: task.Unsupported, Executed: task.Executed},
		},
	})
}

func TestPollOfAJobThatIsNowhere(t *testing.T) {
	s := providertest.Start(providertest.ComfyUI())
	defer s.Close()
	_, err := adapter(t, s.URL, "").Poll(t.Context(), provider.WriteHandle(handle{Version: version, ID: "gone"}))
	if f := task.AsFailure(err); f == nil || f.Kind != task.Expired || f.Executed != task.Unknown {
		t.Errorf("got %v", err)
	}
}

func TestAJobThatEndsBetweenTheTwoLooksIsFound(t *testing.T) {
	const id = "0198c0de-0000-7000-8000-000000000001"
	for name, find := range map[string]func(*Adapter) (provider.Answer, error){
		"Poll": func(a *Adapter) (provider.Answer, error) {
			return a.Poll(t.Context(), provider.WriteHandle(handle{Version: version, ID: id}))
		},
		"Recover": func(a *Adapter) (provider.Answer, error) { return a.Recover(t.Context(), provider.Lost{Key: id}) },
	} {
		t.Run(name, func(t *testing.T) {
			ended := false
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/queue":
					ended = true
					io.WriteString(w, `{"queue_running":[],"queue_pending":[]}`)
				case ended:
					io.WriteString(w, `{"`+id+`":{"outputs":{"9":{"images":[{"filename":"a.png","subfolder":"","type":"output"}]}},"status":{"status_str":"success","completed":true}}}`)
				default:
					io.WriteString(w, `{}`)
				}
			}))
			defer srv.Close()
			ans, err := find(adapter(t, srv.URL, flow))
			if err != nil || !ans.Done || len(ans.Outputs) != 1 {
				t.Errorf("got %+v, %v", ans, err)
			}
		})
	}
}

func TestAJobAtTheEndOfALongQueueIsFound(t *testing.T) {
	flow := `{"1":{"class_type":"Any","inputs":{` + strings.Repeat(`"a":[1,2],`, 80) + `"text":"` + strings.Repeat("a word ", 1500) + `"}}}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/queue" {
			io.WriteString(w, "{}")
			return
		}
		io.WriteString(w, `{"queue_running":[],"queue_pending":[`+strings.Repeat(`[1,"other",`+flow+`,{},["9"]],`, 1500)+`[2,"ours",{},{},["9"]]]}`)
	}))
	defer s.Close()
	ans, err := adapter(t, s.URL, "").Poll(t.Context(), provider.WriteHandle(handle{Version: version, ID: "ours"}))
	if err != nil || ans.Done || !ans.Queued {
		t.Errorf("%+v, %v", ans, err)
	}
}

func TestAJobThatRunsIsNotQueuedAnyMore(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/queue" {
			io.WriteString(w, "{}")
			return
		}
		io.WriteString(w, `{"queue_running":[[2,"ours",{},{},["9"]]],"queue_pending":[]}`)
	}))
	defer s.Close()
	ans, err := adapter(t, s.URL, "").Poll(t.Context(), provider.WriteHandle(handle{Version: version, ID: "ours"}))
	if err != nil || ans.Done || ans.Queued {
		t.Errorf("%+v, %v", ans, err)
	}
}

func TestAnswer(t *testing.T) {
	var all map[string]entry
	if err := json.Unmarshal(providertest.Example(t, "history.json"), &all); err != nil {
		t.Fatal(err)
	}
	a, err := all["6f1f6b1e-0000-4000-8000-00000000000a"].answer(provider.Reply{Status: 200}, "http://gpu.test:8188", handle{ID: "x", Seed: new(int64(5))})
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, o := range a.Outputs {
		urls = append(urls, o.URL)
		if *o.Seed != 5 {
			t.Errorf("seed %d", *o.Seed)
		}
	}
	want := []string{"http://gpu.test:8188/view?filename=a+b%26c.png&subfolder=x%2Fy&type=output", "http://gpu.test:8188/view?filename=job_00001_.png&subfolder=&type=output"}
	if diff := cmp.Diff(want, urls); diff != "" {
		t.Errorf("pictures, of node 9 before node 10 and without previews (-want +got):\n%s", diff)
	}
}

func TestPrepareFillsTheWorkflow(t *testing.T) {
	for _, c := range []struct {
		claim, want string
		request     provider.Request
	}{
		{"With all that a task can say", `{"prompt":{"1":{"class_type":"Any","inputs":{"cfg":6,"h":480,"image":"up.png","list":[0.6,["4",0]],"negative":"text","on":true,"seed":5,"steps":30,` +
			`"text":"a photo of {{seed}} & \"冬天\", wild","w":640}}}}`, provider.Request{Prompt: `{{seed}} & "冬天"`, NegativePrompt: "text", Size: "640x480", Steps: new(30),
			CFGScale: new(6.0), Seed: new(int64(5)), Images: 1, Inputs: []string{"up.png"}, Parameters: map[string]string{"mood": "wild", "denoise": "0.6", "tiled": "true"}}},
		{"With what it has defaults for", `{"prompt":{"1":{"class_type":"Any","inputs":{"cfg":7.5,"h":512,"image":"up.png","list":[1,["4",0]],"negative":"","on":false,"seed":"easel: any seed",` +
			`"steps":20,"text":"a photo of x, calm","w":512}}}}`, provider.Request{Prompt: "x", Images: 1, Inputs: []string{"up.png"}}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t, "", flow).Prepare(c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(call.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubmitDrawsASeed(t *testing.T) {
	s := providertest.Start(providertest.ComfyUI())
	defer s.Close()
	a := adapter(t, s.URL, "")
	call, err := a.Prepare(provider.Request{Model: "m", Prompt: "x", Images: 1})
	if err != nil {
		t.Fatal(err)
	}
	var seeds []int64
	for _, key := range []string{"k-1", "k-2", "k-1"} {
		call.Key = key
		ans, err := a.Submit(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		var h handle
		if err := h.read(ans.Handle); err != nil || h.ID != key {
			t.Fatalf("%+v, %v", h, err)
		}
		seeds = append(seeds, *h.Seed)
	}
	if seeds[0] == seeds[1] || seeds[0] != seeds[2] || seeds[0] < 0 {
		t.Errorf("seeds %v", seeds)
	}
	if body := string(s.Ledger()[0].Body); !strings.HasPrefix(body, `{"prompt_id":"k-1","client_id":"k-1",`) || strings.Contains(body, anySeed) {
		t.Errorf("sent %s", body)
	}
}

func TestPrepareRefuses(t *testing.T) {
	bare := `{"1":{"class_type":"Any","inputs":{"text":"{{prompt}}","mood":"{{mood}}"}}}`
	for _, c := range []struct {
		claim, says, flow string
		kind              task.Kind
		change            func(*provider.Request)
	}{
		{"A parameter that the workflow needs", "the workflow needs mood", bare, task.Invalid, func(*provider.Request) {}},
		{"A seed that it has no place for", "no place for seed", bare, task.Unsupported, func(r *provider.Request) { r.Seed = new(int64(1)) }},
		{"A size that it has no place for", "no place for a size", bare, task.Unsupported, func(r *provider.Request) { r.Size = "64x64" }},
		{"A model that it has no place for", "no place for model", bare, task.Unsupported, func(r *provider.Request) { r.Model = "m" }},
		{"An input that it has no place for", "has places for 0", bare, task.Invalid, func(r *provider.Request) { r.Inputs = []string{"a.png"} }},
		{"A parameter that it has no place for", `"other" is not known`, bare, task.Invalid, func(r *provider.Request) { r.Parameters = map[string]string{"mood": "x", "other": "x"} }},
		{"A field said twice", "parameter prompt is \"x\" and the row", bare, task.Invalid, func(r *provider.Request) { r.Parameters = map[string]string{"mood": "x", "prompt": "x"} }},
		{"More pictures than it draws", "image_count is 2", bare, task.Invalid, func(r *provider.Request) { r.Images = 2 }},
		{"A size by name", `size is "2K"`, "", task.Invalid, func(r *provider.Request) { r.Model, r.Size = "m", "2K" }},
		{"No checkpoint for the plain workflow", "the workflow needs model", "", task.Invalid, func(*provider.Request) {}},
		{"A name that climbs", "not uploaded", flow, task.Invalid, func(r *provider.Request) { r.Inputs = []string{"../../x.png"} }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "", c.flow).Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != c.kind || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want %s with %q", err, c.kind, c.says)
			}
		})
	}
}

func TestCapabilitiesFollowFromTheWorkflow(t *testing.T) {
	got := adapter(t, "", flow).Capabilities("")
	if !got.Seed || !got.Steps || !got.CFGScale || !got.NegativePrompt || got.MaxInputs != 1 || got.MaxImages != 1 || got.Sizes == "" {
		t.Errorf("%+v", got)
	}
	if plain := adapter(t, "", "").Capabilities(""); plain.MaxImages != maxImages || plain.MaxInputs != 0 {
		t.Errorf("%+v", plain)
	}
}

func TestNewRefusesWorkflows(t *testing.T) {
	for text, says := range map[string]string{
		`[]`: "not JSON of the API format", `{}`: "0 nodes", `{"1":{"inputs":{}}}`: "class_type", `{"1":{"class_type":"A","inputs":{}}}`: "no {{prompt}}",
		`{"nodes":[],"links":[]}`: "Save (API Format)", `{"1":` + strings.Repeat(" ", 1<<20): "bytes",
	} {
		if _, err := New(Config{Workflow: []byte(text), Client: &provider.Client{}}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: %v; want %q", text, err, says)
		}
	}
}

func TestUploadNamesByContent(t *testing.T) {
	s := providertest.Start(providertest.ComfyUI())
	defer s.Close()
	a := adapter(t, s.URL, "")
	first, err := a.Upload(t.Context(), "data:image/png;base64,iVBORw0KGgo=")
	if err != nil || !strings.HasSuffix(first, ".png") {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := a.Upload(t.Context(), "data:image/png;base64,iVBORw0KGgo="); err != nil || again != first {
		t.Errorf("%q, %v", again, err)
	}
	if got := s.Asked()[0]; got.Method != http.MethodPost || !strings.Contains(string(got.Body), "\x89PNG") {
		t.Errorf("%s %q", got.Method, got.Body)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(providertest.Example(f, "history.json"))
	f.Add([]byte(`{"x":{"outputs":{"a":{"images":[{"filename":"","type":""}]}},"status":{"messages":[[1],["execution_error"]]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := provider.Reply{Status: 200, Body: body}
		var all map[string]entry
		if r.JSON(&all) != nil {
			return
		}
		for id, e := range all {
			a, err := e.answer(r, "http://h.test", handle{ID: id})
			if err != nil {
				if fail, ok := err.(*task.Failure); !ok || fail.Kind == "" || fail.Message == "" {
					t.Fatalf("%#v", err)
				}
				continue
			}
			if !a.Done || len(a.Outputs) == 0 || a.Raw != nil && !json.Valid(a.Raw) {
				t.Fatalf("%+v", a)
			}
		}
	})
}

func FuzzWorkflow(f *testing.F) {
	f.Add([]byte(flow), "a {{seed}}")
	f.Add(plain, "x")
	f.Fuzz(func(t *testing.T, text []byte, prompt string) {
		w, err := readWorkflow(text)
		if err != nil {
			return
		}
		w.capabilities()
		nodes, err := w.fill(map[string]any{"prompt": prompt})
		if err != nil {
			return
		}
		if _, err := provider.NewCall("/prompt", "", nodes); err != nil {
			t.Fatal(err)
		}
	})
}
