package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

const (
	perPage    = 60
	cardPrompt = 300 // characters; more do not fit on a card
	cardReason = 300

	// refreshBusy and refreshIdle are how many seconds the gallery waits before it
	// looks again, while tasks are unfinished and when a new one would be the only news.
	refreshBusy = 4
	refreshIdle = 15
)

// galleryPage is what the gallery shows.
type galleryPage struct {
	Statuses, Providers, Kinds []chip

	Cards  []card
	Newest string // address of the first page, if this is not it
	Older  string // address of the next page, if there is one
	Picked bool   // something is filtered
}

// card is one task in the gallery.
type card struct {
	*task.Task
	Now      time.Time
	Why      *why   // what it waits for; nil if for nothing, or if that is not known
	Cover    string // address of a small picture
	Pictures int
}

// Words is the prompt, as much of it as fits; empty if it says nothing.
func (c card) Words() string { return human.Shorten(strings.TrimSpace(c.Prompt), cardPrompt) }

// Reason is why the task failed, or why it waits.
func (c card) Reason() string { return human.Shorten(c.Task.Reason(), cardReason) }

// Age is how old the task is, in as few characters as can be.
func (c card) Age() string { return human.English.Span(max(c.Now.Sub(c.CreatedAt), 0)) }

// Standing says why the task is where it is, without what Reason says.
func (c card) Standing() string {
	if c.Why != nil && c.Why.Said != "" && strings.HasPrefix(c.ErrorMsg, c.Why.Said) {
		return brief(c.Task, c.Why, c.Now)
	}
	return standingOf(c.Task, c.Why, c.Now)
}

// Vain says that a retry of the same request fails again.
func (c card) Vain() bool { return vain(c.ErrorKind) }

// KindTitle names the kind of failure.
func (c card) KindTitle() string { return wordsFor(c.ErrorKind).Title }

func (s *Site) gallery(r *http.Request) (answer, error) {
	p, err := parsePick(r.URL.Query())
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	tally, err := s.all.tally(ctx, s.Tasks, pick{}.filter(0))
	if err != nil {
		return nil, err
	}
	list, err := s.Tasks.List(ctx, p.filter(perPage+1)) // one more shows that there is a next page
	if err != nil {
		return nil, err
	}
	g := galleryPage{Picked: p != pick{}}
	g.Statuses, g.Providers, g.Kinds = p.chips(tally)
	if p.Status != task.Failed && p.Kind == "" {
		g.Kinds = nil // of interest only to those who look at failures
	}
	if p.Before > 0 {
		newest := p
		newest.Before = 0
		g.Newest = newest.at("/")
	}
	if len(list) > perPage {
		list = list[:perPage]
		older := p
		older.Before = list[perPage-1].ID
		g.Older = older.at("/")
	}
	if g.Cards, err = s.cards(ctx, list, s.reasons(r, list)); err != nil {
		return nil, err
	}
	unfinished := pick{Status: task.Pending}.count(tally) + pick{Status: task.Processing}.count(tally)
	return view{name: "gallery", Title: "Gallery", Here: "gallery", Refresh: refresh(p, unfinished, list), Data: g}, nil
}

// refresh says after how many seconds the gallery may look different. Older
// pages stand still unless something on them is unfinished.
func refresh(p pick, unfinished int, list []task.Task) int {
	open := func(t task.Task) bool { return !t.Status.Final() }
	switch {
	case slices.ContainsFunc(list, open), p.Before == 0 && unfinished > 0:
		return refreshBusy
	case p.Before == 0:
		return refreshIdle
	}
	return 0
}

func (s *Site) cards(ctx context.Context, list []task.Task, reasons map[int64]*why) ([]card, error) {
	now := time.Now()
	cards := make([]card, len(list))
	var completed []int64
	for i := range list {
		clipTask(&list[i])
		cards[i] = card{Task: &list[i], Now: now, Why: reasons[list[i].ID]}
		if list[i].Status == task.Completed {
			completed = append(completed, list[i].ID)
		}
	}
	results, err := s.Tasks.ResultsOf(ctx, completed)
	if err != nil {
		return nil, err
	}
	for i := range cards {
		shown, _ := split(cards[i].Task, results[cards[i].ID])
		cards[i].Pictures = len(shown)
		if len(shown) > 0 {
			cards[i].Cover = shown[0].Small()
		}
	}
	return cards, nil
}
