package task_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/easelqueue/easel/task"
)

func TestHide(t *testing.T) {
	t.Run("What is shown of a result has an address without its signature", func(t *testing.T) {
		for given, want := range map[string]string{"": "", "https://cdn.example/x.png": "https://cdn.example/x.png", "https://cdn.example/x.png?sig=s&e=1": "https://cdn.example/x.png"} {
			r := task.Result{SourceURL: given}
			if r.HideSignature(); r.SourceURL != want {
				t.Errorf("%q is shown as %q, want %q", given, r.SourceURL, want)
			}
		}
	})
	t.Run("What is shown of an answer has neither signatures nor pictures", func(t *testing.T) {
		for given, want := range map[string]string{
			"": "",
			`{"outputs":[{"position":0,"url":"https://cdn.example/x.png?sig=s"},{"bytes":"aGk=","position":1}],"raw":{"job":"7"}}`: `{"outputs":[{"position":0,"url":"https://cdn.example/x.png"},{"position":1}],"raw":{"job":"7"}}`,
			`{"outputs":[{"seed":18446744073709551615,"url":"https://cdn.example/x.png?sig=s"}]}`:                                  `{"outputs":[{"seed":18446744073709551615,"url":"https://cdn.example/x.png"}]}`,
			`{"outputs":"?sig=s"}`: "",
			"no JSON ?sig=s":       "",
		} {
			a := task.Attempt{Answer: given}
			if a.HideSignatures(); a.Answer != want {
				t.Errorf("%q is shown as %q, want %q", given, a.Answer, want)
			}
		}
	})
	t.Run("What is shown of a task has addresses without user names, in every spelling", func(t *testing.T) {
		for given, want := range map[string]string{
			"":                                                           "",
			"https://cdn.example/@me/a@2x.png?b@":                        "https://cdn.example/@me/a@2x.png?b@",
			"http://user:SECRET@cdn.example/a@b":                         "http://***@cdn.example/a@b",
			"http://SECRET@cdn.example":                                  "http://***@cdn.example",
			"HTTPS://user:SEC@RET@cdn.example/":                          "HTTPS://***@cdn.example/",
			"http://user:SEC%20RET@cdn.example":                          "http://***@cdn.example",
			"http://user:SEC RET@cdn.example/x":                          "http://***@cdn.example/x",
			" http://user:SECRET@cdn.example/x":                          " http://***@cdn.example/x",
			"http://user:SEC/RET@cdn.example/x":                          "http://***@cdn.example/x",
			"http://user:SEC#RET@cdn.example/x":                          "http://***@cdn.example/x",
			`http:\\user:SECRET@cdn.example/x`:                           "http://***@cdn.example/x",
			"http:/user:SECRET@cdn.example/x":                            "http://***@cdn.example/x",
			"http:user:SECRET@cdn.example/x":                             "***@cdn.example/x",
			"user:SECRET@cdn.example/x":                                  "***@cdn.example/x",
			"//user:SECRET@cdn.example/x":                                "//***@cdn.example/x",
			"ftp://user:SECRET@cdn.example/x":                            "ftp://***@cdn.example/x",
			"https://cdn.example/?from=http://user:SECRET@other":         "https://cdn.example/?from=http://***@other",
			"https://cdn.example/?from=http%3A%2F%2Fuser:SECRET%40other": "https://cdn.example/?from=http%3A%2F%2F***%40other",
		} {
			quoted, err := json.Marshal([]string{given, "https://cdn.example/b.png"})
			if err != nil {
				t.Fatal(err)
			}
			shown := task.Task{Request: task.Request{InputImageURL: given, WebhookURL: given, ReferenceImages: string(quoted), Parameters: map[string]string{"a": "b"}}}
			shown.HideUsers()
			if shown.InputImageURL != want || shown.WebhookURL != want {
				t.Errorf("%q is shown as %q, want %q", given, shown.InputImageURL, want)
			}
			if strings.Contains(shown.ReferenceImages, "RET") || !strings.Contains(shown.ReferenceImages, "b.png") {
				t.Errorf("references %s are shown as %s", quoted, shown.ReferenceImages)
			}
			shown = task.Task{Request: task.Request{ReferenceImages: "[" + given, Metadata: "see http://user:SECRET@x", Parameters: map[string]string{"a": "http://user:SECRET@x"}}}
			shown.HideUsers()
			if text := fmt.Sprint(shown.ReferenceImages, shown.Metadata, shown.Parameters); strings.Contains(text, "RET") {
				t.Errorf("shown is %s", text)
			}
		}
	})
}
