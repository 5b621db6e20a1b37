package midjourney

import (
	"encoding/json"
	"fmt"
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

func adapter(t testing.TB, base string, d Dialect) *Adapter {
	t.Helper()
	a, err := New(Config{BaseURL: base, Dialect: d, Client: &provider.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	refused := func(claim string, code int, text string, kind task.Kind, want string) providertest.Ending {
		return providertest.Ending{Claim: claim, Status: 200, Body: fmt.Sprintf(`{"code":%d,"description":%q,"result":null}`, code, text), Kind: kind, Executed: task.NotExecuted, Code: want}
	}
	ended := func(claim, said string, kind task.Kind, executed task.Execution, code string) providertest.Ending {
		return providertest.Ending{Claim: claim, Status: 200, Body: `{"id":"t",` + said + `}`, Kind: kind, Executed: executed, Code: code}
	}
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			providertest.Run(t, providertest.Suite{
				New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
					return New(Config{BaseURL: base + "/mj", Key: key, Dialect: d, Client: c})
				},
				Service: providertest.Midjourney(),
				Request: provider.Request{Prompt: "red kite", Images: 1},
				Faults:  codes(faults),
				ErrorBody: func(code, message string) []byte {
					if code == "" || strings.Contains(code, providertest.Canary) {
						b, _ := json.Marshal(map[string]any{"description": message + code})
						return b
					}
					return fmt.Appendf(nil, `{"code":%s,"description":%q}`, code, message)
				},
				Refusals: []providertest.Ending{
					refused("A full queue", 23, "队列已满", task.RateLimited, "23"),
					refused("A full queue under a general code", 9, "提交失败，队列已满，请稍后尝试", task.RateLimited, "queue_full"),
					refused("No account that is free", 3, "无可用的账号实例", task.Unavailable, "3"),
					refused("A banned word", 24, "可能包含敏感词", task.Moderated, "24"),
					refused("A request that is wrong", 4, "prompt_is_required", task.Invalid, "4"),
					refused("A gateway without credit", 4, "quota_not_enough", task.Billing, "quota_not_enough"),
					refused("A gateway that is asked too often", 30, "slow down", task.RateLimited, "30"),
					{Claim: "A code that nobody knows", Status: 200, Body: `{"code":77,"description":"?","result":null}`, Kind: task.BadAnswer, Executed: task.Unknown, Code: "77"},
					{Claim: "An acceptance without an id", Status: 200, Body: `{"code":1,"result":null}`, Kind: task.BadAnswer, Executed: task.Unknown},
				},
				Endings: []providertest.Ending{
					ended("A banned prompt", `"status":"FAILURE","failReason":"Banned prompt detected: blood"`, task.Moderated, task.Executed, "banned"),
					ended("A flag that is wrong", `"status":"FAILURE","failReason":"[Invalid parameter] --ar"`, task.Invalid, task.Executed, "invalid_parameter"),
					ended("A drawing that took too long", `"status":"FAILURE","failReason":"任务超时"`, task.Timeout, task.Executed, "timeout"),
					ended("A failure of which nothing is known", `"status":"FAILURE","failReason":"?"`, task.ProviderError, task.Executed, ""),
					ended("A task that somebody cancelled", `"status":"CANCEL"`, task.Stopped, task.Executed, ""),
					ended("A form that nobody fills in", `"status":"MODAL"`, task.Unsupported, task.Executed, "MODAL"),
					ended("A success without a picture", `"status":"SUCCESS","imageUrl":""`, task.BadAnswer, task.Executed, ""),
					{Claim: "A task that is not known", Status: 204, Kind: task.Expired, Executed: task.Unknown},
					{Claim: "A task that a gateway does not know", Status: 200, Body: `{"code":4,"description":"task_no_found"}`, Kind: task.Expired, Executed: task.Unknown},
				},
			})
		})
	}
}

// codes are the rows that an envelope's code names.
func codes(all provider.Faults) (rows provider.Faults) {
	for _, row := range all {
		if row.Code[0] >= '0' && row.Code[0] <= '9' {
			rows = append(rows, row)
		}
	}
	return rows
}

func TestKeysAreSentAsEachProxyTakesThem(t *testing.T) {
	for d, want := range map[Dialect][2]string{Novicezk: {"Mj-Api-Secret", "k"}, Trueai: {"Authorization", "k"}, Gateway: {"Authorization", "Bearer k"}, "": {"Mj-Api-Secret", "k"}} {
		s := providertest.Start(providertest.Midjourney())
		a, err := New(Config{BaseURL: s.URL + "/mj", Key: "k", Dialect: d, Client: &provider.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		call, err := a.Prepare(provider.Request{Prompt: "x", Images: 1})
		if err != nil {
			t.Fatal(err)
		}
		call.Key, call.CallbackURL = "key-1", "https://h.test/callbacks"
		if _, err := a.Submit(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		got := s.Ledger()[0]
		if got.Header.Get(want[0]) != want[1] || string(got.Body) != `{"state":"key-1","notifyHook":"https://h.test/callbacks","prompt":"x"}` {
			t.Errorf("%s: %v, %s", d, got.Header, got.Body)
		}
		s.Close()
	}
}

func TestAnswer(t *testing.T) {
	var j job
	if err := json.Unmarshal(providertest.Example(t, "success.json"), &j); err != nil {
		t.Fatal(err)
	}
	t.Run("A grid that is kept is one picture", func(t *testing.T) {
		a, err := j.answer(provider.Reply{Status: 200}, handle{ID: "t"})
		if err != nil || len(a.Outputs) != 1 || a.Outputs[0].URL != "https://cdn.example.test/a.png?ex=1&is=2&hm=3" || a.Outputs[0].Tiles != 0 || *a.Outputs[0].Seed != 99 {
			t.Fatalf("%+v, %v", a.Outputs, err)
		}
		if raw := string(a.Raw); !strings.Contains(raw, `"U1":"MJ::JOB::upsample::1::x"`) || strings.Contains(raw, "hm=3") {
			t.Errorf("kept %s", raw)
		}
	})
	t.Run("A grid that is split is cut", func(t *testing.T) {
		a, err := j.answer(provider.Reply{Status: 200}, handle{ID: "t", Split: true})
		if err != nil || len(a.Outputs) != 1 || a.Outputs[0].Tiles != 2 {
			t.Errorf("%+v, %v", a.Outputs, err)
		}
	})
	t.Run("Four pictures that the proxy has cut are taken as they are", func(t *testing.T) {
		four := j
		four.ImageURLs = provider.Images{{URL: "u1"}, {URL: "u2"}, {URL: "u3"}, {URL: "u4"}}
		a, err := four.answer(provider.Reply{Status: 200}, handle{ID: "t", Split: true})
		if err != nil || len(a.Outputs) != 4 || a.Outputs[3].URL != "u4" || a.Outputs[3].Tiles != 0 {
			t.Errorf("%+v, %v", a.Outputs, err)
		}
	})
	t.Run("A preview is no picture", func(t *testing.T) {
		preview := j
		preview.Status, preview.Progress = "IN_PROGRESS", "62%"
		if a, err := preview.answer(provider.Reply{Status: 200}, handle{ID: "t"}); err != nil || a.Done || a.Progress != 62 {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("Progress that is no number is none", func(t *testing.T) {
		for text, want := range map[string]int{"": 0, "Waiting to start": 0, "120%": 100, "-5%": 0, "7%": 7} {
			if got := (job{Progress: provider.Text(text)}).percent(); got != want {
				t.Errorf("%q: %d", text, got)
			}
		}
	})
}

func TestRecoverFindsOurState(t *testing.T) {
	s := providertest.Start(providertest.Midjourney())
	defer s.Close()
	a := adapter(t, s.URL+"/mj", Novicezk)
	call, err := a.Prepare(provider.Request{Prompt: "x", Images: 4, Parameters: map[string]string{"grid": "split"}})
	if err != nil {
		t.Fatal(err)
	}
	call.Key = "key-1"
	if _, err := a.Submit(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	ans, err := a.Recover(t.Context(), provider.Lost{Key: "key-1", Endpoint: call.Endpoint})
	if err != nil || ans.JobID != "job-1" || !strings.Contains(string(ans.Handle), `"split":true`) {
		t.Errorf("%+v, %v", ans, err)
	}
	if _, err := a.Recover(t.Context(), provider.Lost{Key: "key-2"}); task.AsFailure(err).Executed != task.Unknown {
		t.Errorf("a key that is not listed: %v", err)
	}
}

// A proxy keeps the tasks of a month.
func TestRecoverReadsALongList(t *testing.T) {
	other := `{"id":"1","action":"IMAGINE","prompt":"` + strings.Repeat("a word ", 150) + `","state":"other","submitTime":1,"startTime":2,"finishTime":3,` +
		`"imageUrl":"https://cdn.test/1.png","status":"SUCCESS","progress":"100%","failReason":"","properties":{"nonce":"1","messageId":"2","flags":0}},`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "["+strings.Repeat(other, 15_000)+`{"id":"17","state":"key-1","status":"SUCCESS"}]`)
	}))
	defer s.Close()
	ans, err := adapter(t, s.URL+"/mj", Novicezk).Recover(t.Context(), provider.Lost{Key: "key-1", Endpoint: "/submit/imagine"})
	if err != nil || ans.JobID != "17" {
		t.Errorf("%+v, %v", ans, err)
	}
}

func TestReadCallback(t *testing.T) {
	a := adapter(t, "http://proxy.test/mj", "")
	raw, id, err := a.ReadCallback(provider.Callback{Body: []byte(`{"id":"17","state":"key-1","status":"SUCCESS","imageUrl":"https://evil.test"}`), Of: provider.Lost{Key: "key-1", Endpoint: "/submit/imagine#split"}})
	if err != nil || id != "17" || string(raw) != `{"v":1,"id":"17","split":true}` {
		t.Errorf("%s, %s, %v", raw, id, err)
	}
	for body, kind := range map[string]task.Kind{`{"id":"17","state":"key-2"}`: task.Auth, `{"id":"17"}`: task.Auth, `{"state":"key-1"}`: task.BadAnswer, `<html>`: task.BadAnswer} {
		if _, _, err := a.ReadCallback(provider.Callback{Body: []byte(body), Of: provider.Lost{Key: "key-1"}}); task.AsFailure(err) == nil || task.AsFailure(err).Kind != kind {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestPrepareWritesTheCall(t *testing.T) {
	pictures := []string{"data:image/png;base64,iVBORw0KGgo=", "data:image/jpeg;base64,AAAA"}
	for _, c := range []struct {
		claim, endpoint, want string
		dialect               Dialect
		request               provider.Request
	}{
		{"Imagine", "/submit/imagine#split", `{"botType":"NIJI_JOURNEY","prompt":"red kite & <lake> --v 7 --ar 3:2 --seed 5 --q 2 --no text, people","base64Array":["data:image/png;base64,iVBORw0KGgo="]}`, "",
			provider.Request{Prompt: " red kite & <lake> --v 7", Size: "3:2", Seed: new(int64(5)), Quality: "2", NegativePrompt: "text, people", Images: 4, Inputs: pictures[:1],
				Parameters: map[string]string{"grid": "split", "bot": "NIJI_JOURNEY"}}},
		{"Blend", "/submit/blend", `{"base64Array":["data:image/png;base64,iVBORw0KGgo=","data:image/jpeg;base64,AAAA"],"dimensions":"PORTRAIT"}`, "",
			provider.Request{Prompt: "x", Size: "2:3", Images: 1, Inputs: pictures, Parameters: map[string]string{"action": "blend"}}},
		{"Upscale where there is a change", "/submit/change", `{"taskId":"17","action":"UPSCALE","index":2}`, Novicezk,
			provider.Request{Prompt: "x", Images: 1, Parameters: map[string]string{"action": "upscale", "task": "17", "index": "2"}}},
		{"Reroll", "/submit/change#split", `{"taskId":"17","action":"REROLL"}`, Gateway,
			provider.Request{Prompt: "x", Images: 4, Parameters: map[string]string{"action": "reroll", "task": "17", "grid": "split"}}},
		{"Variation where there are buttons", "/submit/action", `{"taskId":"17","customId":"MJ::V1"}`, Trueai,
			provider.Request{Prompt: "x", Images: 1, Parameters: map[string]string{"action": "variation", "task": "17", "custom_id": "MJ::V1"}}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t, "http://p.test/mj", c.dialect).Prepare(c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(call.Body)); diff != "" || call.Endpoint != c.endpoint {
				t.Errorf("%s: body (-want +got):\n%s", call.Endpoint, diff)
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
	for _, c := range []struct {
		claim, says string
		change      func(*provider.Request)
	}{
		{"A size in pixels", "aspect ratio", func(r *provider.Request) { r.Size = "1024x1024" }},
		{"A size said twice", "size is given", func(r *provider.Request) { r.Prompt, r.Size = "kite --ar 1:1", "3:2" }},
		{"A seed said twice", "seed is given", func(r *provider.Request) { r.Prompt, r.Seed = "kite --seed 1", new(int64(2)) }},
		{"A flag that hides in the negative prompt", "holds a flag", func(r *provider.Request) { r.NegativePrompt = "x --turbo" }},
		{"Four pictures of a grid that is kept", "grid=split makes four", func(r *provider.Request) { r.Images = 4 }},
		{"Two pictures of a grid that is split", "gives 4", func(r *provider.Request) { r.Images = 2; params("grid", "split")(r) }},
		{"An upscale that is split", "no grid", func(r *provider.Request) {
			r.Images = 4
			params("grid", "split", "action", "upscale", "task", "1", "index", "1")(r)
		}},
		{"An upscale of nothing", "needs parameter task", params("action", "upscale", "index", "1")},
		{"An upscale of no picture", "needs parameter index", params("action", "upscale", "task", "1")},
		{"A button that is none", "needs parameter custom_id", params("action", "button", "task", "1")},
		{"A blend of one picture", "blend takes 2 to 5", params("action", "blend")},
		{"A task for a new drawing", "belong to another action", params("task", "1")},
		{"A quality of other services", "quality is", func(r *provider.Request) { r.Quality = "high" }},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := provider.Request{Prompt: "a kite", Images: 1}
			c.change(&r)
			_, err := adapter(t, "http://p.test/mj", "").Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid || !strings.Contains(f.Message, c.says) {
				t.Errorf("Prepare: %v; want Invalid with %q", err, c.says)
			}
		})
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := New(Config{Dialect: "other"})
	for _, field := range []string{"base_url", "dialect", "client"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("New: %v; want it to name %s", err, field)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(providertest.Example(f, "success.json"), true)
	f.Add([]byte(`{"status":"FAILURE","failReason":"Banned"}`), false)
	f.Add([]byte(`{"code":22,"result":17}`), false)
	f.Fuzz(func(t *testing.T, body []byte, split bool) {
		r := provider.Reply{Status: 200, Body: body}
		var e envelope
		if r.JSON(&e) == nil {
			_ = e.id()
			refusal(r, e)
		}
		var j job
		err := r.JSON(&j)
		var a provider.Answer
		if err == nil {
			a, err = j.answer(r, handle{ID: "t", Split: split})
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
