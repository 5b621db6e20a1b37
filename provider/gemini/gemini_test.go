package gemini

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func adapter(t testing.TB) *Adapter {
	t.Helper()
	a, err := New(Config{Key: "g-test", Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	finished := func(reason string, kind task.Kind) providertest.Ending {
		return providertest.Ending{Claim: "No picture because of " + reason, Status: 200, Body: `{"candidates":[{"finishReason":"` + reason + `","content":{"parts":[{"text":"no"}]}}]}`,
			Kind: kind, Executed: task.Executed, Code: reason}
	}
	refusals := []providertest.Ending{
		{Claim: "A prompt that is blocked", Status: 200, Body: `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}`, Kind: task.Moderated, Executed: task.NotExecuted, Code: "PROHIBITED_CONTENT"},
		{Claim: "A prompt that is blocked for a new reason", Status: 200, Body: `{"promptFeedback":{"blockReason":"JAILBREAK"}}`, Kind: task.Moderated, Executed: task.NotExecuted, Code: "JAILBREAK"},
		{Claim: "A sketch that is no picture", Status: 200, Body: `{"candidates":[{"content":{"parts":[{"thought":true,"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}}]}`,
			Kind: task.BadAnswer, Executed: task.Unknown},
		{Claim: "Text alone", Status: 200, Body: `{"candidates":[{"content":{"parts":[{"text":"I cannot"}]}}]}`, Kind: task.BadAnswer, Executed: task.Unknown},
		{Claim: "A quota of the day", Status: 429, Body: string(providertest.Example(t, "daily-quota.json")), Kind: task.Billing, Executed: task.NotExecuted, Code: "daily_quota_of_model"},
	}
	for _, row := range finishes {
		refusals = append(refusals, finished(row.Code, row.Kind))
	}
	providertest.Run(t, providertest.Suite{
		New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
			return New(Config{BaseURL: base + "/v1beta", Key: key, Client: c})
		},
		Service: providertest.Gemini(),
		Shapes: []providertest.Shape{
			{Claim: "names in snake case", Change: func(_ *providertest.Server, answer []byte) []byte {
				return []byte(strings.NewReplacer("inlineData", "inline_data", "mimeType", "mime_type", "finishReason", "finish_reason").Replace(string(answer)))
			}},
			{Claim: "a list of documents", Change: func(_ *providertest.Server, answer []byte) []byte {
				return []byte("[" + string(answer) + `,{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}]`)
			}},
			{Claim: "a stream of events", Change: func(_ *providertest.Server, answer []byte) []byte {
				return []byte("data: " + string(answer) + "\n\n" + `data: {"candidates":[{"content":{"parts":[{"text":"done"}]},"finishReason":"STOP"}]}` + "\n\n")
			}},
		},
		Request: provider.Request{Model: "gemini-2.5-flash-image", Prompt: "a red kite", Images: 1},
		Faults:  faults,
		ErrorBody: func(code, message string) []byte {
			b, _ := json.Marshal(map[string]any{"error": map[string]any{"code": 0, "message": message, "status": code}})
			return b
		},
		Refusals: refusals,
	})
}

func TestRead(t *testing.T) {
	t.Run("The usage is kept and the picture is not", func(t *testing.T) {
		a, err := read(provider.Reply{Status: 200, Body: providertest.Example(t, "answer.json")})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Outputs) != 1 || string(a.Outputs[0].Bytes) != "\x89PNG\r\n\x1a\n" || a.Outputs[0].ContentType != "image/png" || a.RequestID != "x1" || *a.Usage != (provider.Usage{InputTokens: 268, OutputTokens: 1120}) {
			t.Errorf("%+v", a)
		}
		if raw := string(a.Raw); !strings.Contains(raw, `"candidatesTokenCount":1120`) || strings.Contains(raw, "iVBOR") {
			t.Errorf("kept %s", raw)
		}
	})
	t.Run("A wait that stands in the body is passed on", func(t *testing.T) {
		for said, want := range map[string]time.Duration{"27s": 27 * time.Second, "1.5s": 1500 * time.Millisecond, "-3s": 0, "9000h": time.Hour, "soon": 0} {
			body := fmt.Sprintf(`{"error":{"status":"RESOURCE_EXHAUSTED","message":"m","details":[{"@type":"x/google.rpc.RetryInfo","retryDelay":%q}]}}`, said)
			_, err := read(provider.Reply{Status: 429, Body: []byte(body)})
			if f := task.AsFailure(err); f.Kind != task.RateLimited || f.RetryAfter != want {
				t.Errorf("%s: %s, %s", said, f.Kind, f.RetryAfter)
			}
		}
	})
}

func TestPrepareWritesTheCall(t *testing.T) {
	call, err := adapter(t).Prepare(provider.Request{Model: "gemini-2.5-flash-image", Prompt: "make it <winter> & 冬天", Size: "3:2 1k", Images: 1, Seed: new(int64(42)),
		Inputs: []string{"data:image/png;base64,iVBORw0KGgo="}, Parameters: map[string]string{"safety_threshold": "BLOCK_ONLY_HIGH"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(providertest.Example(t, "request.json"))), string(call.Body)); diff != "" || call.Endpoint != "/models/gemini-2.5-flash-image:generateContent" {
		t.Errorf("%s: body (-want +got):\n%s", call.Endpoint, diff)
	}
}

func TestPrepareRefuses(t *testing.T) {
	large := "data:image/png;base64," + strings.Repeat("AAAA", 5<<20/3)
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A model that is a path", "model is", func(r *provider.Request) { r.Model = "a/b" }},
		{"A model that calls something else", "model is", func(r *provider.Request) { r.Model = "a:countTokens" }},
		{"Two pictures", "image_count is 2", func(r *provider.Request) { r.Images = 2 }},
		{"A size in pixels", `size is "1024x1024"`, func(r *provider.Request) { r.Size = "1024x1024" }},
		{"Two ratios", `size is "1:1 2:3"`, func(r *provider.Request) { r.Size = "1:1 2:3" }},
		{"An address", "takes bytes", func(r *provider.Request) { r.Inputs = []string{"https://a.test/1.png"} }},
		{"Inputs that are too large together", "bytes together", func(r *provider.Request) { r.Inputs = []string{large, large, large} }},
		{"A seed beyond 31 bits", "seed is", func(r *provider.Request) { r.Seed = new(int64(1 << 31)) }},
		{"A threshold that there is not", "safety_threshold is", func(r *provider.Request) { r.Parameters = map[string]string{"safety_threshold": "LOW"} }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Model: "gemini-2.5-flash-image", Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t).Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(200, providertest.Example(f, "answer.json"))
	f.Add(429, providertest.Example(f, "daily-quota.json"))
	f.Add(200, []byte(`{"candidates":[{"finishReason":""},{}],"promptFeedback":{"blockReason":"x"}}`))
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
	const ofModel, ofAll = `{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}`, `{"quotaId":"GenerateRequestsPerDayPerProject"}`
	for violations, want := range map[string]bool{ofModel: true, ofAll: false, ofModel + "," + ofAll: false, ofAll + "," + ofModel: false} {
		body := `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m","details":[{"violations":[` + violations + `]}]}}`
		if f := refusal(provider.Reply{Status: 429, Body: []byte(body)}); f.Kind != task.Billing || f.Executed != task.NotExecuted || f.OfModel != want {
			t.Errorf("%s is %+v", violations, f)
		}
	}
}

func TestAStreamThatBreaksOffKeepsWhatHasCome(t *testing.T) {
	finished := `data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo` + strings.Repeat("AAAA", 1000) + `="}}]}}]}` + "\n\n"
	for body, want := range map[string]int{finished + finished + "data: {": 2, finished[:len(finished)-10]: 0} {
		a, err := New(Config{BaseURL: providertest.Breaks(t, body), Key: "a-key", Client: &provider.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		ans, err := a.Submit(t.Context(), provider.Call{Endpoint: "/models/m:generateContent", Body: []byte(`{}`)})
		if len(ans.Outputs) != want || want == 0 && task.AsFailure(err).Executed != task.Unknown {
			t.Errorf("%q gives %d pictures, %v", body, len(ans.Outputs), err)
		}
	}
}
