package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func TestConformanceOfGatewaysWithJobs(t *testing.T) {
	for claim, listed := range map[string]bool{"One object": false, "A list": true} {
		t.Run(claim, func(t *testing.T) {
			failed := `{"id":"x","status":"failed","http_status":400,"error":{"message":"blocked","code":"moderation_blocked"}}`
			providertest.Run(t, providertest.Suite{
				New: func(base string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
					return New(Config{BaseURL: base + "/v1/", Key: key, Async: "on", Client: c})
				},
				Service: providertest.OpenAIJobs(listed),
				Request: provider.Request{Model: "gpt-image-2", Prompt: "a red kite", Images: 2},
				Faults:  faults,
				ErrorBody: func(code, message string) []byte {
					b, _ := json.Marshal(map[string]any{"error": map[string]any{"message": message, "type": "", "param": nil, "code": code}})
					return b
				},
				Refusals: []providertest.Ending{
					{Claim: "A gateway that has no jobs", Status: 404, Body: `{"error":{"message":"async image tasks are not enabled"}}`, Kind: task.Unsupported, Executed: task.NotExecuted},
				},
				Endings: []providertest.Ending{
					{Claim: "A job that was blocked", Status: 200, Body: failed, Kind: task.Moderated, Executed: task.Executed, Code: "moderation_blocked"},
					{Claim: "A job that ended without a picture", Status: 200, Body: `{"id":"x","status":"completed","result":{"data":[]}}`, Kind: task.BadAnswer, Executed: task.Executed},
				},
			})
		})
	}
}

// gateway is an account at a gateway of that service.
func gateway(t *testing.T, service providertest.Service, c Config) (*providertest.Server, *Adapter) {
	t.Helper()
	s := providertest.Start(service)
	t.Cleanup(s.Close)
	c.BaseURL, c.Key, c.Client = s.URL+"/v1", "sk-test", &provider.Client{}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

func TestAnAnswerThatNamesAJobIsPolledUnasked(t *testing.T) {
	s, a := gateway(t, providertest.OpenAIJobs(true), Config{})
	call, err := a.Prepare(provider.Request{Model: "m", Prompt: "a kite", Images: 1})
	if err != nil || call.Endpoint != generations {
		t.Fatalf("%+v, %v", call, err)
	}
	ans, err := a.Submit(t.Context(), call)
	if err != nil || ans.Done || ans.JobID != "job-1" {
		t.Fatalf("%+v, %v", ans, err)
	}
	for range 3 {
		if ans, err = a.Poll(t.Context(), ans.Handle); err != nil || ans.Done {
			break
		}
		ans.Handle = provider.WriteHandle(handle{Version: version, Jobs: []string{"job-1"}, Listed: true})
	}
	if err != nil || len(ans.Outputs) != 1 || !strings.HasPrefix(ans.Outputs[0].URL, s.URL) {
		t.Errorf("%+v, %v", ans, err)
	}
}

func TestPicturesBesideAJob(t *testing.T) {
	_, a := gateway(t, providertest.OpenAIJobs(false), Config{})
	for _, c := range []struct {
		claim, body string
		job         string // empty if the pictures are the answer
	}{
		{"A preview is none", `{"task_id":"t1","status":"processing","image_url":"https://cdn.test/preview.png"}`, "t1"},
		{"What the call was given is none", `{"task_id":"t1","status":"Submitted","images":["https://me.test/input.png"]}`, "t1"},
		{"A preview in a list is none", `{"data":[{"task_id":"t1","status":"queued","url":"https://cdn.test/preview.png"}]}`, "t1"},
		{"Those of a job that has ended are", `{"task_id":"t1","status":"completed","images":["https://cdn.test/1.png"]}`, ""},
		{"Those of a job without a state are", `{"task_id":"t1","images":["https://cdn.test/1.png"]}`, ""},
		{"Those beside a state of the answer are", `{"id":"r1","status":200,"data":[{"url":"https://cdn.test/1.png"}]}`, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			ans, err := a.read(provider.Reply{Status: 200, Body: []byte(c.body)})
			if err != nil || ans.JobID != c.job || ans.Done != (c.job == "") {
				t.Errorf("%+v, %v", ans, err)
			}
		})
	}
}

func TestEventsThatNameNoPictureAddNone(t *testing.T) {
	_, a := gateway(t, providertest.OpenAIJobs(false), Config{})
	const progress = `data: {"type":"progress","data":{"percent":10}}` + "\n\n"
	ans, err := a.read(provider.Reply{Status: 200, Body: []byte(progress + `data: {"data":[{"url":"https://cdn.test/1.png"}]}` + "\n\n" + progress)})
	if err != nil || len(ans.Outputs) != 1 || ans.Outputs[0].Err != nil {
		t.Errorf("%+v, %v", ans.Outputs, err)
	}
	if _, err := a.read(provider.Reply{Status: 200, Body: []byte(progress)}); task.AsFailure(err) == nil {
		t.Error("progress alone is an answer")
	}
}

func TestTheAddressToPollIsTheGatewaysOwn(t *testing.T) {
	_, a := gateway(t, providertest.OpenAIJobs(false), Config{Async: "on"})
	base := a.api.BaseURL
	for given, want := range map[string]string{
		base + "/images/tasks/t":        "/images/tasks/t",
		"/v1/images/tasks/t":            "/images/tasks/t",
		"https://thief.test/v1/tasks/t": "",
		"//thief.test/v1/tasks/t":       "",
		"http://127.0.0.1:1/v1/tasks/t": "",
		"http://x@127.0.0.1/v1/tasks/t": "",
		strings.TrimSuffix(base, "/v1"): strings.TrimSuffix(base, "/v1"),
		"images/tasks/t?with=%zz&a=雪":   "/images/tasks/t?with=%25zz&a=%E9%9B%AA",
	} {
		said, err := a.read(provider.Reply{Status: 202, Body: []byte(`{"task_id":"t","status":"processing","poll_url":"` + given + `"}`)})
		var h handle
		if json.Unmarshal(said.Handle, &h); err != nil || h.Poll != want {
			t.Errorf("%s: %q, %v; want %q", given, h.Poll, err, want)
		}
	}
}

func TestPollsOfAJob(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	poll := func(t *testing.T, status int, body string, header ...string) (provider.Answer, error) {
		s, a := gateway(t, providertest.Service{Asks: map[string]providertest.Ask{"/": providertest.Said(status, body)}}, Config{})
		a.api.Client.Now = func() time.Time { return now }
		how := providertest.Answers(status, body, header...)
		s.Asks(&how)
		return a.Poll(t.Context(), provider.WriteHandle(handle{Version: version, Jobs: []string{"t"}, Submitted: now.Add(-time.Hour)}))
	}
	t.Run("A Retry-After is the least pause", func(t *testing.T) {
		ans, err := poll(t, 200, `{"status":"in_progress","progress":"45%"}`, "Retry-After", "17")
		if err != nil || ans.Done || ans.PollAfter != 17*time.Second || ans.Progress != 45 {
			t.Errorf("%+v, %v", ans, err)
		}
	})
	t.Run("A state that nobody knows is one on the way", func(t *testing.T) {
		if ans, err := poll(t, 200, `{"status":"polishing"}`); err != nil || ans.Done {
			t.Errorf("%+v, %v", ans, err)
		}
	})
	t.Run("A job that is not known any more may have been drawn", func(t *testing.T) {
		if _, err := poll(t, 404, `{}`); task.AsFailure(err).Executed != task.Unknown {
			t.Errorf("%v", err)
		}
	})
	for name, body := range map[string]string{
		"image_url":           `{"status":"completed","image_url":"https://h.test/1.png"}`,
		"result":              `{"status":"completed","image_url":"https://h.test/1.png","result":{"data":[{"url":"https://h.test/1.png"}]}}`,
		"output.image_urls":   `{"status":"succeeded","output":{"image_urls":["https://h.test/1.png"]}}`,
		"result.images":       `{"status":"SUCCESS","result":{"images":[{"url":"https://h.test/1.png"}]}}`,
		"result.images, list": `{"code":200,"data":{"status":"completed","result":{"images":[{"url":["https://h.test/1.png"]}]}}}`,
	} {
		t.Run("Pictures are found in "+name, func(t *testing.T) {
			ans, err := poll(t, 200, body)
			if err != nil || !ans.Done || len(ans.Outputs) != 1 || ans.Outputs[0].URL != "https://h.test/1.png" {
				t.Errorf("%+v, %v", ans, err)
			}
		})
	}
	t.Run("The bill of the synchronous answer is read", func(t *testing.T) {
		ans, err := poll(t, 200, `{"status":"completed","result":{"data":[{"url":"https://h.test/1.png"}],"usage":{"input_tokens":10.5,"output_tokens":"20"}}}`)
		if err != nil || ans.Usage == nil || *ans.Usage != (provider.Usage{InputTokens: 11, OutputTokens: 20}) {
			t.Errorf("%+v, %v", ans.Usage, err)
		}
	})
}

func TestOneJobOfSeveralThatIsLost(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		claim   string
		jobs    map[string]string // what is said of each; the others are not known
		old     time.Duration
		done    bool
		outputs int
		unknown bool
	}{
		{"It is waited for while it may only be late", map[string]string{"a": "completed", "c": "completed"}, 2 * time.Minute, false, 0, false},
		{"It is waited for while another is drawn", map[string]string{"a": "completed", "c": "in_progress"}, time.Hour, false, 0, false},
		{"Then the others are the answer without it", map[string]string{"a": "completed", "c": "completed"}, time.Hour, true, 3, false},
		{"If the others have failed nobody knows", map[string]string{"a": "failed", "c": "failed"}, time.Hour, false, 0, true},
		{"If all are lost nobody knows", nil, time.Hour, false, 0, true},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				status, known := c.jobs[r.URL.Path[len(r.URL.Path)-1:]]
				if !known {
					w.WriteHeader(http.StatusNotFound)
				}
				address := "https://h.test/1.png"
				if status == "failed" {
					address = ""
				}
				_, _ = fmt.Fprintf(w, `{"status":%q,"image_url":%q}`, status, address)
			}))
			defer s.Close()
			a, err := New(Config{BaseURL: s.URL, Key: "k", Client: &provider.Client{HTTP: s.Client(), Now: func() time.Time { return now }}})
			if err != nil {
				t.Fatal(err)
			}
			ans, err := a.Poll(t.Context(), provider.WriteHandle(handle{Version: version, Jobs: []string{"a", "b", "c"}, Submitted: now.Add(-c.old)}))
			if c.unknown {
				if f := task.AsFailure(err); f == nil || f.Executed != task.Unknown || f.Kind != task.Expired {
					t.Fatalf("got %+v, %v", ans, err)
				}
				return
			}
			if err != nil || ans.Done != c.done || len(ans.Outputs) != c.outputs || !ans.Done && ans.PollAfter <= 0 {
				t.Fatalf("got %+v, %v", ans, err)
			}
			for i, o := range ans.Outputs {
				if lost := i == 1; o.Position != i || (o.Err != nil) != lost || lost && o.Err.Executed != task.Executed {
					t.Errorf("picture %d is %+v", i, o)
				}
			}
		})
	}
}

func TestEditsBecomeFormsWhereTheServiceWantsThem(t *testing.T) {
	request := provider.Request{Model: "m", Prompt: "winter", Images: 1, Inputs: []string{"data:image/png;base64,iVBORw0KGgo="}}
	for _, status := range []int{http.StatusUnsupportedMediaType, http.StatusBadRequest} {
		s, a := gateway(t, providertest.Service{Submits: map[string]providertest.Endpoint{"/": providertest.OpenAI}}, Config{})
		s.Behave(providertest.WantsForms(status))
		call, err := a.Prepare(request)
		if err != nil || a.Capabilities("").Inputs != provider.ByEither {
			t.Fatal(err)
		}
		_, err = a.Submit(t.Context(), call)
		f := task.AsFailure(err)
		if f == nil || f.Executed != task.NotExecuted || f.Kind != task.RateLimited || f.RetryAfter > time.Second {
			t.Fatalf("%d: %+v", status, f)
		}
		waiting := task.Task{Request: task.Request{MaxAttempts: 1}}
		if v := waiting.Fail(f, task.Retry{}, time.Now(), func() float64 { return 1 }); v.Status != task.Pending || v.FailedTries != 0 {
			t.Errorf("%d: the refusal spends a try: %+v", status, v)
		}
		if a.Capabilities("").Inputs != provider.ByData {
			t.Error("inputs are still given as addresses, which a form cannot carry")
		}
		if call, err = a.Prepare(request); err != nil {
			t.Fatal(err)
		}
		ans, err := a.Submit(t.Context(), call)
		if err != nil || len(ans.Outputs) != 1 {
			t.Errorf("%d: %+v, %v", status, ans, err)
		}
		if submits, billed := s.Count(""); submits != 2 || billed != 1 {
			t.Errorf("%d: %d submits, %d billed; want 2 and 1", status, submits, billed)
		}
		if body := string(s.Ledger()[1].Body); !strings.Contains(body, `name="image"; filename=`) || !strings.Contains(body, "winter") {
			t.Errorf("the form is %q", body)
		}
	}
	t.Run("Unless the account says JSON", func(t *testing.T) {
		s, a := gateway(t, providertest.Service{Submits: map[string]providertest.Endpoint{"/": providertest.OpenAI}}, Config{Edits: "json"})
		s.Behave(providertest.WantsForms(415))
		call, err := a.Prepare(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Submit(t.Context(), call); task.AsFailure(err).Kind != task.Invalid {
			t.Errorf("got %v", err)
		}
	})
}

func TestOptionsNameWhatIsAccepted(t *testing.T) {
	_, err := New(Config{Key: "sk-test", Async: "soon", Edits: "xml", Client: &provider.Client{}})
	for _, says := range []string{`async: is "soon"; accepted are on and off`, `edits: is "xml"; accepted are json and multipart`} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New: %v; want %s", err, says)
		}
	}
}
