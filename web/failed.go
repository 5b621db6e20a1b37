package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

const failedPerPage = 50

// failedPage is the failed tasks.
type failedPage struct {
	Open   int // that wait for a decision
	Given  int // that were charged and given up, which nobody has to decide about
	Groups []group
	Kind   task.Kind // the only one that is listed; empty is all
	Title  string    // of that kind
	List   []card
	Newest string
	Older  string
	Done   string // what the reader has just done, in a sentence
	Left   string // and what stayed as it was
}

// group is the failed tasks of one kind.
type group struct {
	kindWords
	Kind      task.Kind
	Count     int
	Providers []store.Tally // the largest first
	Retried   []store.Tally // those of them for which a retry of all does something
}

// Retries is how many tasks a retry of all is about.
func (g group) Retries() int {
	n := 0
	for _, t := range g.Retried {
		n += t.Tasks
	}
	return n
}

// Unknown says that each of the group's tasks wants a decision of its own.
func (g group) Unknown() bool { return g.Kind == task.OutcomeUnknown }

// Vain says that a retry of the same requests fails again.
func (g group) Vain() bool { return vain(g.Kind) }

// URL is the page with this group's tasks only.
func (g group) URL() string { return pick{Kind: g.Kind}.at("/failed") }

func (s *Site) failed(r *http.Request) (answer, error) {
	q := r.URL.Query()
	p, err := parsePick(url.Values{"kind": q["kind"], "before": q["before"]})
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	tally, err := s.Tasks.Tally(ctx, store.Filter{Statuses: []task.Status{task.Failed}, Ours: true})
	if err != nil {
		return nil, err
	}
	failed := p.filter(failedPerPage + 1)
	failed.Statuses, failed.Ours = []task.Status{task.Failed}, true
	list, err := s.Tasks.List(ctx, failed)
	if err != nil {
		return nil, err
	}
	given := pick{Kind: task.Charged}.count(tally)
	d := failedPage{Open: pick{}.count(tally) - given, Given: given, Groups: s.groups(tally), Kind: p.Kind, Title: wordsFor(p.Kind).Title,
		Done: done(q.Get("retried")), Left: left(q.Get("left"))}
	if p.Before > 0 {
		d.Newest = pick{Kind: p.Kind}.at("/failed")
	}
	if len(list) > failedPerPage {
		list = list[:failedPerPage]
		d.Older = pick{Kind: p.Kind, Before: list[failedPerPage-1].ID}.at("/failed")
	}
	now := time.Now()
	for i := range list {
		clipTask(&list[i])
		d.List = append(d.List, card{Task: &list[i], Now: now})
	}
	return view{name: "failed", Title: "Failed", Here: "failed", Data: d}, nil
}

// groups gathers a count by kind, the largest first.
func (s *Site) groups(tally []store.Tally) []group {
	var all []group
	for _, c := range tally {
		i := slices.IndexFunc(all, func(g group) bool { return g.Kind == c.ErrorKind })
		if i < 0 {
			i = len(all)
			all = append(all, group{kindWords: wordsFor(c.ErrorKind), Kind: c.ErrorKind})
		}
		all[i].Count += c.Tasks
		all[i].Providers = append(all[i].Providers, c)
	}
	for i := range all {
		g := &all[i]
		slices.SortStableFunc(g.Providers, func(x, y store.Tally) int { return cmp.Compare(y.Tasks, x.Tasks) })
		g.Retried = slices.DeleteFunc(slices.Clone(g.Providers), s.leftAlone)
		for _, list := range [][]store.Tally{g.Providers, g.Retried} {
			for i := range list {
				clip(task.MaxText, &list[i].Provider)
			}
		}
	}
	slices.SortStableFunc(all, func(x, y group) int { return cmp.Compare(y.Count, x.Count) })
	return all
}

// leftAlone says that a retry of all does nothing for these: each wants a word of its own.
func (s *Site) leftAlone(t store.Tally) bool {
	return t.ErrorKind == task.Charged || t.ErrorKind == task.OutcomeUnknown && s.Asks != nil && !s.Asks(t.Provider)
}

func done(retried string) string {
	n, err := strconv.Atoi(retried)
	switch {
	case err != nil || n < 0:
		return ""
	case n == 1:
		return "One task is on its way again."
	}
	return strconv.Itoa(n) + " tasks are on their way again."
}

// left says why tasks stayed as they were of those that were to be retried.
func left(number string) string {
	n, err := strconv.Atoi(number)
	switch {
	case err != nil || n < 1:
		return ""
	case n == 1:
		return "One task stayed as it was: somebody else was faster, or its page asks for a decision."
	}
	return strconv.Itoa(n) + " tasks stayed as they were: somebody else was faster, or the page of each asks for a decision."
}
