package task_test

import (
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
			`{"outputs":"?sig=s"}`: "",
			"no JSON ?sig=s":       "",
		} {
			a := task.Attempt{Answer: given}
			if a.HideSignatures(); a.Answer != want {
				t.Errorf("%q is shown as %q, want %q", given, a.Answer, want)
			}
		}
	})
}
