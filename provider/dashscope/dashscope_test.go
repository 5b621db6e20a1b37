package dashscope

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
	a, err := New(Config{BaseURL: base, Key: "sk-test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	ended := func(claim, output string, kind task.Kind, executed task.Execution, code string) providertest.Ending {
		return providertest.Ending{Claim: claim, Status: 200, Body: `{"request_id":"r","output":{"task_id":"t",` + output + `}}`, Kind: kind, Executed: executed, Code: code}
	}
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base + "/api/v1", Key: key, Client: c})
		},
		Service: providertest.DashScope(),
		Request: provider.Request{Model: "wan2.2-t2i-flash", Prompt: "雪地", Images: 2},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]string{"code": code, "message": message, "request_id": "r-1"})
			return b
		},
		Refusals: []providertest.Ending{
			{Claim: "A task without an id", Status: 200, Body: `{"output":{"task_status":"PENDING"}}`, Kind: task.BadAnswer, Executed: task.Unknown},
		},
		Endings: []providertest.Ending{
			ended("A task that failed", `"task_status":"FAILED","code":"InternalError.Algo","message":"m"`, task.ProviderError, task.Executed, "InternalError.Algo"),
			ended("A task that was held back", `"task_status":"FAILED","code":"DataInspectionFailed","message":"m"`, task.Moderated, task.Executed, "DataInspectionFailed"),
			ended("An input that could not be fetched", `"task_status":"FAILED","code":"InvalidURL.ConnectionRefused","message":"m"`, task.Invalid, task.Executed, "InvalidURL.ConnectionRefused"),
			ended("A task that somebody cancelled", `"task_status":"CANCELED"`, task.Stopped, task.Executed, ""),
			ended("A task that is not known any more", `"task_status":"UNKNOWN"`, task.Expired, task.Unknown, ""),
			ended("A success of which no picture is one", `"task_status":"SUCCEEDED","results":[{"code":"DataInspectionFailed","message":"m"}]`, task.Moderated, task.Executed, "DataInspectionFailed"),
			ended("A success without pictures", `"task_status":"SUCCEEDED","results":[]`, task.BadAnswer, task.Executed, ""),
		},
	})
}

func TestPoll(t *testing.T) {
	s := providertest.Start(providertest.Service{Asks: map[string]providertest.Ask{"/": providertest.Said(200, string(providertest.Example(t, "partly.json")))}})
	defer s.Close()
	a, err := adapter(t, s.URL).Poll(t.Context(), provider.WriteHandle(handle{version, "t"}))
	if err != nil || len(a.Outputs) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	first, second := a.Outputs[0], a.Outputs[1]
	if first.URL != "https://dashscope-result.example.test/a1.png?Expires=1&Signature=a%2Fb" || first.RevisedPrompt != "雪地，柔和的光线" {
		t.Errorf("%+v", first)
	}
	if second.Err == nil || second.Err.Code != "InternalError.Timeout" || !strings.Contains(second.Err.Message, "picture 2") {
		t.Errorf("%+v", second)
	}
	if raw := string(a.Raw); !strings.Contains(raw, `"image_count":1`) || strings.Contains(raw, "Signature") {
		t.Errorf("kept %s", raw)
	}
}

func TestSubmitAsksForATask(t *testing.T) {
	s := providertest.Start(providertest.DashScope())
	defer s.Close()
	a := adapter(t, s.URL+"/api/v1")
	call, err := a.Prepare(provider.Request{Model: "qwen-image", Prompt: "x", Images: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Submit(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if got := s.Ledger()[0]; got.Header.Get("X-DashScope-Async") != "enable" || got.Header.Get("Authorization") != "Bearer sk-test" || got.Path != "/api/v1"+fromText {
		t.Errorf("%s, %v", got.Path, got.Header)
	}
}

func TestPrepareWritesTheCall(t *testing.T) {
	for _, c := range []struct {
		claim, endpoint, want string
		request               provider.Request
	}{
		{"Wan", fromText, "request.json", provider.Request{Model: "wan2.2-t2i-flash", Prompt: "雪地，白色小教堂，极光", NegativePrompt: "人物", Size: "1024x1024", Images: 2, Seed: new(int64(42)),
			Parameters: map[string]string{"prompt_extend": "true"}}},
		{"Qwen keeps its negative prompt elsewhere", fromText, "qwen-request.json", provider.Request{Model: "qwen-image-plus", Prompt: "雪地", NegativePrompt: "人物", Size: "1664×928", Images: 1, Watermark: new(true)}},
		{"A picture that is changed", fromPictures, "edit-request.json", provider.Request{Model: "wanx2.1-imageedit", Prompt: "冬天", Images: 1,
			Inputs: []string{"https://cdn.example.test/in.png?a=%2F&b=<1>"}, Parameters: map[string]string{"function": "description_edit_with_mask", "mask": "https://a.test/m.png"}}},
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
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A model that is a path", "model is", func(r *provider.Request) { r.Model = "../x" }},
		{"Five pictures", "image_count is 5", func(r *provider.Request) { r.Images = 5 }},
		{"Two pictures of a model that draws one", "draws 1 to 1", func(r *provider.Request) { r.Model, r.Images = "qwen-image", 2 }},
		{"A side that is too long", "512 to 1440", func(r *provider.Request) { r.Size = "1441x512" }},
		{"A size that is not in the list", "1328x1328", func(r *provider.Request) { r.Model, r.Size = "qwen-image", "1000x1000" }},
		{"A size by name", `size is "2K"`, func(r *provider.Request) { r.Size = "2K" }},
		{"A prompt of 2,001 characters", "2001 characters", func(r *provider.Request) { r.Prompt = strings.Repeat("雪", 2001) }},
		{"An input for a model that draws from text", "at most 0", func(r *provider.Request) { r.Inputs = []string{"https://a.test/1.png"} }},
		{"Nothing to change", "none was given", func(r *provider.Request) { r.Model = "wanx2.1-imageedit" }},
		{"A function of another model", `parameter "function" is not known`, func(r *provider.Request) { r.Parameters = map[string]string{"function": "expand"} }},
		{"A negative seed", "seed is -1", func(r *provider.Request) { r.Seed = new(int64(-1)) }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: "wan2.2-t2i-flash", Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "").Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(providertest.Example(f, "partly.json"))
	f.Add([]byte(`{"output":{"task_status":"SUCCEEDED","results":[{}]},"usage":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := provider.Reply{Status: 200, Body: body}
		var said reply
		err := r.JSON(&said)
		var a provider.Answer
		if err == nil {
			a, err = said.answer(r, handle{version, "t"})
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

func TestAQuotaOfOneModelIsNotTheAccounts(t *testing.T) {
	for code, ofModel := range map[string]bool{"AllocationQuota.FreeTierOnly": true, "Arrearage": false} {
		if f := faults.Failure(provider.Reply{Status: 403}, "m", code); f.Kind != task.Billing || f.Executed != task.NotExecuted || f.OfModel != ofModel {
			t.Errorf("%s is %+v", code, f)
		}
	}
}
