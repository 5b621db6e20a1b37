package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// retry brings one task back. The form says how the reader saw it, so that a second
// click, or a page from before, says nothing of what came after.
func (s *Site) retry(r *http.Request) (answer, error) {
	seen, err := seenTask(r)
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("buy_again") == "yes" {
		_, err = s.buyAgain(r, seen)
	} else {
		_, err = s.Actions.Retry(r.Context(), seen, r.PostForm.Get("not_charged") == "yes")
	}
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("from") == "failed" {
		return redirect("/failed?retried=1"), nil
	}
	return storyOf(seen.Task), nil
}

// maxTaken is how many calls one form can give up.
const maxTaken = 1_000

// buyAgain pays once more, and gives up the calls that the reader saw.
func (s *Site) buyAgain(r *http.Request, seen task.Seen) (*task.Task, error) {
	text := r.PostForm.Get("taken")
	var taken []task.SeenCall
	for _, word := range strings.Fields(text) {
		number, state, _ := strings.Cut(word, ".")
		n, err := strconv.Atoi(number)
		if err != nil || len(taken) == maxTaken {
			return nil, notSent("taken", text)
		}
		taken = append(taken, task.SeenCall{Number: n, State: task.AttemptState(state)})
	}
	return s.Actions.BuyAgain(r.Context(), seen, taken...)
}

// seenTask is the task of a form as the reader saw it.
func seenTask(r *http.Request) (task.Seen, error) {
	id, err := parseID("the task", r.PathValue("id"))
	if err != nil {
		return task.Seen{}, err
	}
	seen := task.Seen{Task: id, Status: task.Status(r.PostForm.Get("status"))}
	delivery, err := seenNumber(r, "delivery", math.MinInt32, math.MaxInt32) // below zero where an app has written it
	if err != nil {
		return task.Seen{}, err
	}
	if seen.Fence, err = seenNumber(r, "fence", 0, math.MaxInt64); err != nil {
		return task.Seen{}, err
	}
	if seen.Delivery = int(delivery); !seen.Status.Valid() {
		return task.Seen{}, notSent("status", string(seen.Status))
	}
	return seen, nil
}

func seenNumber(r *http.Request, name string, least, most int64) (int64, error) {
	text := r.PostForm.Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, notSent(name, text)
	}
	return n, nil
}

func notSent(name, text string) error {
	return badRequest("%s is %q; accepted is what the task's page sends. Open the page again.", name, human.Shorten(text, 40))
}

// giveUp settles a call of unknown outcome that a person says was charged.
func (s *Site) giveUp(r *http.Request) (answer, error) {
	seen, err := seenTask(r)
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("charged") != "yes" {
		return nil, badRequest("charged is missing; accepted is yes, from somebody who has looked the call up.")
	}
	if _, err := s.Actions.GiveUp(r.Context(), seen); err != nil {
		return nil, err
	}
	return storyOf(seen.Task), nil
}

func (s *Site) cancel(r *http.Request) (answer, error) {
	seen, err := seenTask(r)
	if err != nil {
		return nil, err
	}
	if _, err := s.Actions.Cancel(r.Context(), seen); err != nil {
		return nil, err
	}
	return storyOf(seen.Task), nil
}

func storyOf(id int64) redirect { return redirect("/tasks/" + strconv.FormatInt(id, 10)) }
