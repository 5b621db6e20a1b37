package web

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/task"
)

// fullDesk has tasks 1 to 3 refused by their keys at two providers, 4 unknown, 5 waiting.
func fullDesk(t *testing.T) *bench {
	b := newBench(t)
	for _, p := range []string{"openai", "openai", "fal"} {
		b.fail(b.add(task.Task{Request: task.Request{Provider: p}}), task.Auth, "no key at "+p)
	}
	b.fail(b.add(task.Task{Request: task.Request{Provider: "openai"}}), task.OutcomeUnknown, "the line was cut")
	b.add(task.Task{})
	return b
}

func (b *bench) statuses(n int64) []task.Status {
	var all []task.Status
	for id := int64(1); id <= n; id++ {
		all = append(all, b.status(id))
	}
	return all
}

var groupHead = regexp.MustCompile(`<h2><a href="([^"]*)">([^<]*)</a> <b>(\d+)</b></h2>`)

func TestFailed(t *testing.T) {
	const failed, pending = task.Failed, task.Pending
	t.Run("An empty page says so", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		b.has(b.get("/failed"), "Nothing has failed")
	})
	t.Run("Groups come by size, each with who has to act", func(t *testing.T) {
		b := fullDesk(t)
		page := b.get("/failed")
		var got []string
		for _, m := range groupHead.FindAllStringSubmatch(page, -1) {
			got = append(got, m[2]+" "+m[3])
		}
		if d := cmp.Diff([]string{"Key refused 3", "Outcome unknown 1"}, got); d != "" {
			t.Error(d)
		}
		b.has(page, "4 tasks failed and wait for a decision", "Put a working key", "<bdi>openai</bdi> 2", "<bdi>fal</bdi> 1")
	})
	t.Run("Every failed task is listed with its reason and a way on", func(t *testing.T) {
		b := fullDesk(t)
		page := b.get("/failed")
		b.has(page, "no key at openai", "no key at fal", "the line was cut", `action="/tasks/1/retry"`, `action="/tasks/3/retry"`, `<a class="button" href="/tasks/4">Decide…`)
		b.hasNot(page, `action="/tasks/4/retry"`, "/tasks/5")
	})
	t.Run("What was given up as charged waits for nobody", func(t *testing.T) {
		b := fullDesk(t)
		_, err := b.site.Actions.GiveUp(t.Context(), seenNow(b, 4))
		b.check(err)
		b.has(b.get("/failed"), "3 tasks failed and wait for a decision; 1 charged and given up")
		b.exec("DELETE FROM image_generations WHERE id < 4")
		b.has(b.get("/failed"), "nothing waits for a decision; 1 charged and given up")
	})
	t.Run("What a retry does not help is retried anyway, and it says so", func(t *testing.T) {
		b := newBench(t)
		for range 3 {
			b.fail(b.add(task.Task{}), task.Moderated, "refused")
		}
		page := b.get("/failed")
		b.has(page, "Retry anyway: all 3…")
		b.hasNot(page, "Retry all")
		asked := b.post("/failed/retry", url.Values{"kind": {"moderated"}}).Body.String()
		b.has(asked, "A retry is refused again", `<button class="button">Retry anyway: all 3</button>`)
	})
	t.Run("What stayed as it was is told beside what was retried", func(t *testing.T) {
		b := fullDesk(t)
		form := b.looked(url.Values{"kind": {"auth"}})
		b.post("/tasks/1/retry", b.seen(1, nil))
		w := b.post("/failed/retry", form)
		if got := w.Header().Get("Location"); got != "/failed?retried=2&left=1" {
			t.Fatalf("it goes to %q", got)
		}
		b.has(b.get("/failed?retried=2&left=1"), "2 tasks are on their way again. One task stayed as it was: somebody else was faster")
		b.hasNot(b.get("/failed?retried=2&left=x"), "stayed")
	})
	t.Run("One kind can be looked at alone", func(t *testing.T) {
		b := fullDesk(t)
		page := b.get("/failed?kind=outcome_unknown")
		b.has(page, `href="/tasks/4"`, "All kinds")
		b.hasNot(page, "/tasks/1")
		b.refuses(b.do(httptest.NewRequest("GET", "/failed?kind=oops", nil)), 400, "kind is")
	})
	t.Run("The list goes on on further pages", func(t *testing.T) {
		b := newBench(t)
		b.addMany(failedPerPage + 1)
		b.exec("UPDATE image_generations SET status = 'failed', error_kind = 'auth'")
		b.has(b.get("/failed?kind=auth"), `href="/failed?before=2&amp;kind=auth" rel="next"`)
		page := b.get("/failed?before=2&kind=auth")
		b.has(page, `href="/tasks/1"`, `href="/failed?kind=auth">← Newest`)
		b.hasNot(page, `href="/tasks/2"`, `rel="next"`)
	})
	t.Run("A row that says failed but not why is shown and can be retried", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		b.exec("UPDATE image_generations SET status = 'failed'")
		b.has(b.get("/failed"), "Without a reason", `action="/tasks/1/retry"`)
		b.hasNot(b.get("/failed"), `action="/failed/retry"`)
	})
	t.Run("A retry from the page of failed tasks returns to it", func(t *testing.T) {
		b := fullDesk(t)
		w := b.post("/tasks/1/retry", b.seen(1, url.Values{"from": {"failed"}}))
		if got := w.Header().Get("Location"); w.Code != 303 || got != "/failed?retried=1" {
			t.Errorf("got %d to %q", w.Code, got)
		}
		b.has(b.get("/failed?retried=1"), "One task is on its way again.")
	})
	t.Run("Retry of a kind asks first and says how many", func(t *testing.T) {
		b := fullDesk(t)
		w := b.post("/failed/retry", url.Values{"kind": {"auth"}})
		b.refuses(w, 200, "Retry 3 tasks?")
		b.has(w.Body.String(), `name="kind" value="auth"`, `name="confirmed" value="yes"`, "may cost money")
		if d := cmp.Diff([]task.Status{failed, failed, failed, failed, pending}, b.statuses(5)); d != "" {
			t.Error(d)
		}
	})
	t.Run("Retry of a kind, once confirmed, retries that kind", func(t *testing.T) {
		b := fullDesk(t)
		form := b.looked(url.Values{"kind": {"auth"}, "provider": {""}})
		b.fail(b.add(task.Task{}), task.Auth, "no key") // joins them
		w := b.post("/failed/retry", form)
		if got := w.Header().Get("Location"); w.Code != 303 || got != "/failed?retried=3" {
			t.Errorf("got %d to %q", w.Code, got)
		}
		if d := cmp.Diff([]task.Status{pending, pending, pending, failed, pending, failed}, b.statuses(6)); d != "" {
			t.Error(d)
		}
	})
	t.Run("Retry of a kind can mean one provider", func(t *testing.T) {
		b := fullDesk(t)
		b.refuses(b.post("/failed/retry", url.Values{"kind": {"auth"}, "provider": {"fal"}}), 200, "Retry 1 task?")
		b.post("/failed/retry", b.looked(url.Values{"kind": {"auth"}, "provider": {"fal"}}))
		if d := cmp.Diff([]task.Status{failed, failed, pending, failed, pending}, b.statuses(5)); d != "" {
			t.Error(d)
		}
	})
	t.Run("Only providers that can be asked are offered to be asked", func(t *testing.T) {
		b := fullDesk(t)
		for _, p := range []string{"comfyui", "fal"} {
			b.fail(b.add(task.Task{Request: task.Request{Provider: p}}), task.OutcomeUnknown, "the line was cut")
		}
		const all = `name="kind" value="outcome_unknown"><button`
		b.has(b.get("/failed"), all, "Ask the provider about all 3")
		b.site.Asks = func(provider string) bool { return provider != "openai" }
		page := b.get("/failed")
		b.has(page, all, "Ask the provider about 2 of them", "<bdi>openai</bdi> 1", `value="outcome_unknown"><input type="hidden" name="provider" value="fal"`)
		b.hasNot(page, `value="outcome_unknown"><input type="hidden" name="provider" value="openai"`)
		b.refuses(b.post("/failed/retry", url.Values{"kind": {"outcome_unknown"}}), 200, "Ask about 2 tasks?")
		b.has(b.post("/failed/retry", url.Values{"kind": {"outcome_unknown"}}).Body.String(), "1 more stay as they are: nobody can be asked about them")
		b.refuses(b.post("/failed/retry", url.Values{"kind": {"outcome_unknown"}, "provider": {"openai"}}), 200, "Decide on the page of each task")
		b.site.Asks = func(string) bool { return false }
		page = b.get("/failed")
		b.has(page, "Decide on the page of each task", "Retry all 3")
		b.hasNot(page, all, "Ask the provider")
	})
	t.Run("A picture that could not be had is looked for again, and nothing says that a retry buys it", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Expired, "404")
		page := b.get("/failed")
		b.has(page, "looks for it again and does not pay for it twice")
		b.hasNot(page, "A retry draws, and pays for")
	})
	t.Run("Unknown outcomes are asked about and not sent again", func(t *testing.T) {
		b := fullDesk(t)
		form := url.Values{"kind": {"outcome_unknown"}}
		b.refuses(b.post("/failed/retry", form), 200, "only if it certainly did not happen")
		form = b.looked(form)
		form.Set("not_charged", "yes")
		b.post("/failed/retry", form)
		attempts, err := b.store.Attempts(t.Context(), 4)
		b.check(err)
		if got := attempts[0].State; b.status(4) != pending || got != task.AttemptUnknown {
			t.Errorf("the task is %s, its attempt %s", b.status(4), got)
		}
	})
	t.Run("A kind with nothing left says so", func(t *testing.T) {
		b := fullDesk(t)
		b.refuses(b.post("/failed/retry", url.Values{"kind": {"billing"}}), 200, "Nothing to retry")
	})
	t.Run("A kind that is none, or missing, is refused", func(t *testing.T) {
		b := fullDesk(t)
		b.refuses(b.post("/failed/retry", url.Values{"confirmed": {"yes"}}), 400, "kind is missing")
		b.refuses(b.post("/failed/retry", url.Values{"kind": {"oops"}, "confirmed": {"yes"}}), 400, "kind is &#34;oops&#34;")
	})
	t.Run("A note that nobody wrote is not shown", func(t *testing.T) {
		b := fullDesk(t)
		for _, n := range []string{"x", "-1", "<b>"} {
			b.hasNot(b.get("/failed?retried="+url.QueryEscape(n)), "on their way")
		}
	})
}

func TestKinds(t *testing.T) {
	t.Run("Every kind says who has to act and how", func(t *testing.T) {
		titles := map[string]task.Kind{}
		for _, k := range task.Kinds {
			a, ok := wordsOf[k]
			if !ok || a.Title == "" || a.Who == "" || !strings.HasSuffix(a.What, ".") {
				t.Errorf("%s: %+v", k, a)
			}
			if other, taken := titles[a.Title]; taken {
				t.Errorf("%s and %s are both called %q", k, other, a.Title)
			}
			titles[a.Title] = k
		}
	})
}

// looked is the form that the page sends which asks whether to retry what form says.
func (b *bench) looked(form url.Values) url.Values {
	b.Helper()
	page := b.post("/failed/retry", form).Body.String()
	_, rest, ok := strings.Cut(page, `name="looked" value="`)
	if !ok {
		b.Fatalf("the page asks nothing\n%s", page)
	}
	looked, _, _ := strings.Cut(rest, `"`)
	form.Set("looked", looked)
	form.Set("confirmed", "yes")
	return form
}
