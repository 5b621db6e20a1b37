package comfyui

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// numbered is a workflow whose numbers no float64 holds, or writes otherwise.
const numbered = `{"1":{"class_type":"KSampler","inputs":{"text":"{{prompt}}","noise_seed":18446744073709551615,"eta":1e-5,"cfg":7.0,"seed":"{{seed=9007199254740993}}","strength":"{{strength=0.10}}"}}}`

func TestNumbersOfAWorkflowPassUnchanged(t *testing.T) {
	call, err := adapter(t, "", numbered).Prepare(provider.Request{Prompt: "x", Images: 1, Parameters: map[string]string{"strength": "1e-3"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"noise_seed":18446744073709551615`, `"eta":1e-5`, `"cfg":7.0`, `"strength":1e-3`} {
		if !strings.Contains(string(call.Body), want) {
			t.Errorf("%s is not in %s", want, call.Body)
		}
	}
}

func TestTheWorkflowsOwnSeedIsUsed(t *testing.T) {
	for _, c := range []struct {
		claim, want string
		request     provider.Request
	}{
		{"Where the task says none", `"seed":9007199254740993`, provider.Request{Prompt: "x", Images: 1}},
		{"And the next one for a further call of the task", `"seed":9007199254740995`, provider.Request{Prompt: "x", Images: 1, Before: 2}},
		{"Unless the task says one", `"seed":5`, provider.Request{Prompt: "x", Images: 1, Seed: new(int64(5))}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			call, err := adapter(t, "", numbered).Prepare(c.request)
			if err != nil || !strings.Contains(string(call.Body), c.want) || strings.Contains(string(call.Body), anySeed) {
				t.Errorf("%s is not in %s (%v)", c.want, call.Body, err)
			}
		})
	}
}

func TestAWrappedWorkflowIsRead(t *testing.T) {
	call, err := adapter(t, "", "\xef\xbb\xbf"+`{"client_id":"c","prompt":`+numbered+`,"extra_data":{}}`).Prepare(provider.Request{Prompt: "x", Images: 1})
	if err != nil || !strings.HasPrefix(string(call.Body), `{"prompt":{"1":`) {
		t.Errorf("%s, %v", call.Body, err)
	}
}

func TestAWorkflowOfThePagesSaysHowToExportIt(t *testing.T) {
	_, err := New(Config{Workflow: []byte(`{"last_node_id":9,"nodes":[{"id":1,"type":"KSampler"}],"links":[[1,2]],"version":0.4}`), Client: &provider.Client{}})
	if err == nil || !strings.Contains(err.Error(), "Export (API)") || strings.Contains(err.Error(), "class_type") {
		t.Errorf("New: %v", err)
	}
}

func TestAJobWithoutOutputIsFinalAndSaysWhy(t *testing.T) {
	ended := func(class, outputs string) string {
		return `{"prompt":[1,"x",{"1":{"class_type":"` + class + `"}},{},["1"]],"outputs":` + outputs + `,"status":{"status_str":"success","completed":true,"messages":[]}}`
	}
	answer := func(t *testing.T, text string) (provider.Answer, error) {
		var e entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		return e.answer(provider.Reply{Status: 200}, "http://h.test", handle{ID: "x"})
	}
	for _, c := range []struct{ claim, says, entry string }{
		{"A preview", "preview", ended("PreviewImage", `{"1":{"images":[{"filename":"a.png","subfolder":"","type":"temp"}]}}`)},
		{"A websocket", "websocket", ended("SaveImageWebsocket", `{}`)},
		{"A video", "video", ended("VHS_VideoCombine", `{"1":{"gifs":[{"filename":"a.mp4","type":"output","format":"video/h264-mp4"}]}}`)},
		{"Nothing at all", "saved no picture", ended("VAEDecode", `{}`)},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := answer(t, c.entry)
			final(t, err, c.says)
		})
	}
	t.Run("But an animation that is saved is a picture", func(t *testing.T) {
		for _, outputs := range []string{`{"1":{"images":[{"filename":"a.webp","subfolder":"","type":"output"}],"animated":[true]}}`,
			`{"1":{"gifs":[{"filename":"a.gif","subfolder":"","type":"output","format":"image/gif"}]}}`} {
			if a, err := answer(t, ended("SaveAnimatedWEBP", outputs)); err != nil || len(a.Outputs) != 1 {
				t.Errorf("%s: %+v, %v", outputs, a, err)
			}
		}
	})
}

// final reports an error after which the same call would be made again, or that
// does not say why.
func final(t *testing.T, err error, says string) {
	t.Helper()
	f := task.AsFailure(err)
	if f == nil || !strings.Contains(f.Message, says) || f.Advice == "" {
		t.Fatalf("got %v; want %q and what to do", err, says)
	}
	waiting := task.Task{Request: task.Request{MaxAttempts: 5}}
	if v := waiting.Fail(f, task.Retry{OnUnknown: task.Resend}, time.Now(), func() float64 { return 0 }); v.Status != task.Failed {
		t.Errorf("%v is tried again", f)
	}
}
