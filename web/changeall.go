package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// maxLooked is how many tasks one form can be about, and lookedBytes is what one takes in it.
const (
	maxLooked   = 5_000
	lookedBytes = 53
)

// confirmPage asks before many tasks are retried.
type confirmPage struct {
	kindWords
	Kind     task.Kind
	Provider string
	Count    int    // of the tasks that it is about
	All      int    // that there are of these
	Left     int    // that are not among them, since nobody can be asked about them
	Looked   string // those that it is about, as they stand
}

// Unknown says that the tasks may have been billed already.
func (c confirmPage) Unknown() bool { return c.Kind == task.OutcomeUnknown }

// Vain says that a retry of the same requests fails again.
func (c confirmPage) Vain() bool { return vain(c.Kind) }

// retryKind retries the failed tasks of a kind, of one provider if the form names one, once
// the reader has seen how many they are: those that he saw, as far as they have not moved on.
// A reader who leaves meanwhile stops it; what is retried by then stays so.
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
		return s.retryLooked(r)
	}
	return s.bounded(func(r *http.Request) (answer, error) { return s.confirm(r, p) })(r)
}

// confirm asks whether the tasks of p are to be retried.
func (s *Site) confirm(r *http.Request, p pick) (answer, error) {
	tally, err := s.Tasks.Tally(r.Context(), store.Filter{Statuses: []task.Status{task.Failed}, Ours: true})
	if err != nil {
		return nil, err
	}
	c := confirmPage{kindWords: wordsFor(p.Kind), Kind: p.Kind, Provider: p.Provider}
	var looked []task.Seen
	for _, one := range s.pickFrom(p, tally, &c) {
		more, _, err := s.Actions.Retryable(r.Context(), one.filter(maxLooked-len(looked)))
		if err != nil {
			return nil, err
		}
		if looked = append(looked, more...); len(looked) == maxLooked {
			break
		}
	}
	c.Count, c.Looked = len(looked), lookedText(looked)
	return view{name: "confirm", Title: "Retry " + strconv.Itoa(c.Count) + " tasks?", Here: "failed", Data: c}, nil
}

// pickFrom returns what of p is retried, and counts that and the rest: all of p at once, or
// provider by provider where some are left alone.
func (s *Site) pickFrom(p pick, tally []store.Tally, c *confirmPage) (all []pick) {
	for _, t := range tally {
		one := p
		one.Provider = t.Provider
		switch {
		case t.ErrorKind != p.Kind, p.Provider != "" && p.Provider != t.Provider:
		case s.leftAlone(t):
			c.Left += t.Tasks
		default:
			c.All += t.Tasks
			all = append(all, one)
		}
	}
	if c.Left == 0 {
		return []pick{p}
	}
	return all
}

func (s *Site) retryLooked(r *http.Request) (answer, error) {
	looked, err := parseLooked(r.PostForm.Get("looked"))
	if err != nil {
		return nil, err
	}
	n, err := s.Actions.RetryEach(r.Context(), looked, false, nil)
	if locked := new(store.Locked); errors.As(err, &locked) {
		return nil, othersLocked(locked, n, len(looked))
	}
	if err != nil {
		return nil, err
	}
	to := "/failed?retried=" + strconv.Itoa(n)
	if left := len(looked) - n; left > 0 {
		to += "&left=" + strconv.Itoa(left)
	}
	return redirect(to), nil
}

// othersLocked says that some of the tasks were retried, and that the others could not be.
func othersLocked(l *store.Locked, done, all int) error {
	r := &refusal{Status: http.StatusConflict, Title: "Locked by somebody else"}
	held := "holds rows of others"
	if l.Table != "" || l.Unnamed || l.File {
		r.Status, r.Later = http.StatusServiceUnavailable, true
		held = "holds what the others need"
	}
	if l.Table != "" {
		held = "holds the table " + l.Table
	}
	r.Text = fmt.Sprintf("%d of the %d tasks are pending again. Another transaction, of an app or of a person, %s locked; they were left as they are. Go back and try again when it has ended.", done, all, held)
	return r
}

// lookedText is failed tasks as a form sends them back: ID.DELIVERY.FENCE, with a space between.
func lookedText(looked []task.Seen) string {
	var text strings.Builder
	for i, seen := range looked {
		if i > 0 {
			text.WriteByte(' ')
		}
		fmt.Fprintf(&text, "%d.%d.%d", seen.Task, seen.Delivery, seen.Fence)
	}
	return text.String()
}

func parseLooked(text string) ([]task.Seen, error) {
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > maxLooked {
		return nil, badRequest("looked names %d tasks; accepted are the 1 to %d that the page sends. Open the page of failed tasks again.", len(words), maxLooked)
	}
	looked := make([]task.Seen, len(words))
	for i, word := range words {
		seen := task.Seen{Status: task.Failed}
		if n, err := fmt.Sscanf(word, "%d.%d.%d", &seen.Task, &seen.Delivery, &seen.Fence); n != 3 || err != nil || lookedText([]task.Seen{seen}) != word {
			return nil, badRequest("looked holds %q; accepted is what the page sends. Open the page of failed tasks again.", human.Shorten(word, 40))
		}
		looked[i] = seen
	}
	return looked, nil
}
