package web

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// failAs fails a task, and its call, for f.
func (b *bench) failAs(t *task.Task, f *task.Failure) {
	b.Helper()
	held, a := b.begin(t)
	a.State, a.RowError = task.AttemptFailed, f.RowError()
	b.check(tables.Err(b.store.Finish(b.Context(), store.Decided{Held: held.Token(), Decision: task.Decision{Status: task.Failed, Failure: f}, Attempt: a})))
}

func TestAdvice(t *testing.T) {
	noModel := &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Code: "E404", Message: "no such model", Advice: task.NameModel, About: "flux-2-pro"}
	pages := []string{"/tasks/1", "/failed", "/"}
	in := func(b *bench, language, path string) string {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Language", language)
		return b.do(r).Body.String()
	}
	t.Run("What can be done is told in the reader's language", func(t *testing.T) {
		b := newBench(t)
		b.failAs(b.add(task.Task{}), noModel)
		for _, path := range pages {
			b.has(in(b, "en", path), "no such model (E404)", "Name a model of the provider, such as flux-2-pro.")
			b.has(in(b, "zh-CN", path), "no such model (E404)", "请写明服务商的模型，例如 flux-2-pro。")
			b.hasNot(in(b, "zh-CN", path), "Name a model")
		}
	})
	t.Run("A refusal because of the content is told once how to go on, and its call once more", func(t *testing.T) {
		b := newBench(t)
		b.failAs(b.add(task.Task{}), &task.Failure{Kind: task.Moderated, Executed: task.Executed, Message: "refused", Advice: task.Rephrase})
		if n := strings.Count(in(b, "en", "/tasks/1"), "Change the prompt or the input pictures."); n != 1 {
			t.Errorf("it is told %d times", n)
		}
		b.has(in(b, "en", "/failed"), "Change the prompt or the input pictures.")
	})
	t.Run("On a card, which has few lines, what can be done comes before the reason", func(t *testing.T) {
		b := newBench(t)
		b.failAs(b.add(task.Task{}), noModel)
		b.has(in(b, "zh-CN", "/"), `<span class="advice">请写明服务商的模型，例如 flux-2-pro。</span><span class="reason" dir="auto">no such model (E404)</span>`)
		b.exec("UPDATE image_generations SET status = 'pending', run_at = later(60000)")
		b.has(in(b, "en", "/"), `<span class="advice">Name a model of the provider, such as flux-2-pro.</span><span class="reason" dir="auto">no such model (E404)</span>`)
	})
	t.Run("Where a button does it no command is named", func(t *testing.T) {
		command := regexp.MustCompile("`easel|easel (retry|show|give-up)")
		for _, a := range task.AllAdvice() {
			b := newBench(t)
			b.failAs(b.add(task.Task{}), &task.Failure{Kind: task.Timeout, Executed: task.Executed, Message: "it took too long", Advice: a})
			for _, path := range pages {
				for _, language := range []string{"en", "zh-CN"} {
					if said := command.FindString(in(b, language, path)); said != "" {
						t.Errorf("%s in %s says %q for %s", path, language, said, a)
					}
				}
			}
		}
	})
	t.Run("A row of a release before is shown as it is", func(t *testing.T) {
		b := newBench(t)
		b.failAs(b.add(task.Task{}), noModel)
		b.exec("UPDATE image_generations SET error_msg = 'refused. Do as the model says', error_advice = NULL, error_about = NULL")
		b.has(in(b, "zh-CN", "/tasks/1"), "refused. Do as the model says</p>")
	})
	t.Run("Advice that another release has left beside a newer reason is not told", func(t *testing.T) {
		b := newBench(t)
		b.failAs(b.add(task.Task{}), noModel)
		b.exec("UPDATE image_generations SET error_msg = 'refused', error_kind = 'moderated'")
		for _, path := range pages[1:] {
			b.hasNot(in(b, "en", path), "Name a model")
		}
	})
}
