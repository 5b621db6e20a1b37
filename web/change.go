package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// retry brings one task back. The form says which delivery the reader saw, so
// that a second click, or a page from before, retries nothing twice.
func (s *Site) retry(r *http.Request) (answer, error) {
	ref, err := seen(r)
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("buy_again") == "yes" {
		_, err = s.Actions.BuyAgain(r.Context(), ref)
	} else {
		_, err = s.Actions.Retry(r.Context(), ref, r.PostForm.Get("not_charged") == "yes")
	}
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("from") == "failed" {
		return redirect("/failed?retried=1"), nil
	}
	return storyOf(ref.Task), nil
}

// seen is the task of a form, with the delivery that the reader saw.
func seen(r *http.Request) (task.Ref, error) {
	id, err := parseID("the task", r.PathValue("id"))
	if err != nil {
		return task.Ref{}, err
	}
	text := r.PostForm.Get("delivery")
	delivery, err := strconv.Atoi(text)
	if err != nil || delivery < 0 {
		return task.Ref{}, badRequest("delivery is %q; accepted is the number that the task's page sends.", human.Shorten(text, 40))
	}
	return task.Ref{Task: id, Delivery: delivery}, nil
}

// giveUp ends the doubt about a call that a person says was charged.
func (s *Site) giveUp(r *http.Request) (answer, error) {
	ref, err := seen(r)
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("charged") != "yes" {
		return nil, badRequest("charged is missing; accepted is yes, from somebody who has looked the call up.")
	}
	if _, err := s.Actions.GiveUp(r.Context(), ref); err != nil {
		return nil, err
	}
	return storyOf(ref.Task), nil
}

func (s *Site) cancel(r *http.Request) (answer, error) {
	id, err := parseID("the task", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if _, err := s.Actions.Cancel(r.Context(), id); err != nil {
		return nil, err
	}
	return storyOf(id), nil
}

func storyOf(id int64) redirect { return redirect("/tasks/" + strconv.FormatInt(id, 10)) }

// confirmPage asks before many tasks are retried.
type confirmPage struct {
	kindWords
	Kind     task.Kind
	Provider string
	Count    int
}

// Unknown says that the tasks may have been billed already.
func (c confirmPage) Unknown() bool { return c.Kind == task.OutcomeUnknown }

// retryKind retries all failed tasks of a kind, of one provider if the form
// names one, once the reader has seen how many they are. A reader who leaves
// meanwhile stops it; what is retried by then stays so.
func (s *Site) retryKind(r *http.Request) (answer, error) {
	p, err := parsePick(url.Values{"kind": r.PostForm["kind"], "provider": r.PostForm["provider"]})
	if err != nil {
		return nil, err
	}
	if p.Kind == "" {
		return nil, badRequest("kind is missing; accepted are %v.", task.Kinds)
	}
	p.Status = task.Failed
	if r.PostForm.Get("confirmed") == "yes" {
		n, err := s.Actions.RetryAll(r.Context(), p.filter(0), false, nil)
		if err != nil {
			return nil, err
		}
		return redirect("/failed?retried=" + strconv.Itoa(n)), nil
	}
	tally, err := s.Tasks.Tally(r.Context(), store.Filter{Statuses: []task.Status{task.Failed}, Ours: true})
	if err != nil {
		return nil, err
	}
	c := confirmPage{kindWords: wordsFor(p.Kind), Kind: p.Kind, Provider: p.Provider, Count: p.count(tally)}
	return view{name: "confirm", Title: "Retry " + strconv.Itoa(c.Count) + " tasks?", Here: "failed", Data: c}, nil
}
