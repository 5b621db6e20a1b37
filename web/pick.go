package web

import (
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// pick is which tasks the reader wants to see, as the address of the page says it.
type pick struct {
	Status   task.Status
	Provider string
	Kind     task.Kind
	Before   int64 // ids below this one
}

// parsePick reads the query of an address; its errors are for the reader.
func parsePick(q url.Values) (pick, error) {
	p := pick{Status: task.Status(q.Get("status")), Provider: q.Get("provider"), Kind: task.Kind(q.Get("kind"))}
	if p.Status != "" && !p.Status.Valid() {
		return p, badRequest("status is %q; accepted are %v.", human.Shorten(string(p.Status), 40), task.Statuses)
	}
	if n := utf8.RuneCountInString(p.Provider); n > task.MaxText {
		return p, badRequest("provider has %d characters; at most %d are accepted.", n, task.MaxText)
	}
	if p.Kind != "" && !slices.Contains(task.Kinds, p.Kind) {
		return p, badRequest("kind is %q; accepted are %v.", human.Shorten(string(p.Kind), 40), task.Kinds)
	}
	if before := q.Get("before"); before != "" {
		id, err := parseID("before", before)
		if err != nil {
			return p, err
		}
		p.Before = id
	}
	return p, nil
}

func parseID(field, text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, badRequest("%s is %q; accepted are the ids of tasks, whole numbers from 1 on.", field, human.Shorten(text, 40))
	}
	return id, nil
}

// at is the address of the page under path that shows p.
func (p pick) at(path string) string {
	q := url.Values{}
	for name, value := range map[string]string{"status": string(p.Status), "provider": p.Provider, "kind": string(p.Kind)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if p.Before > 0 {
		q.Set("before", strconv.FormatInt(p.Before, 10))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (p pick) filter(limit int) store.Filter {
	f := store.Filter{Provider: p.Provider, Before: p.Before, Limit: limit}
	if p.Status != "" {
		f.Statuses = []task.Status{p.Status}
	}
	if p.Kind != "" {
		f.Kinds = []task.Kind{p.Kind}
	}
	return f
}

// counts says whether p picks the tasks of a line, wherever the page begins.
func (p pick) counts(c store.Tally) bool {
	return (p.Status == "" || p.Status == c.Status) && (p.Provider == "" || p.Provider == c.Provider) &&
		(p.Kind == "" || p.Kind == c.ErrorKind)
}

func (p pick) count(tally []store.Tally) int {
	n := 0
	for _, c := range tally {
		if p.counts(c) {
			n += c.Tasks
		}
	}
	return n
}

// chip is a link that narrows what is shown, or widens it again if it is On.
type chip struct {
	Name  string
	Class string
	Count int
	URL   string
	On    bool
}

// chips returns the links for status, provider and kind. Each counts what it
// would show, given the other two.
func (p pick) chips(tally []store.Tally) (statuses, providers, kinds []chip) {
	all := p
	all.Status, all.Before = "", 0
	statuses = append(statuses, newChip(tally, "all", all, all, p.Status == ""))
	for _, st := range task.Statuses {
		with := all
		with.Status = st
		c := newChip(tally, string(st), with, all, p.Status == st)
		c.Class = string(st)
		statuses = append(statuses, c)
	}
	all = p
	all.Provider, all.Before = "", 0
	for _, name := range distinct(tally, p.Provider, func(c store.Tally) string { return c.Provider }) {
		with := all
		with.Provider = name
		providers = append(providers, newChip(tally, name, with, all, p.Provider == name))
	}
	all = p
	all.Kind, all.Before = "", 0
	for _, name := range distinct(tally, string(p.Kind), func(c store.Tally) string { return string(c.ErrorKind) }) {
		with := all
		with.Kind = task.Kind(name)
		if c := newChip(tally, wordsFor(with.Kind).Title, with, all, p.Kind == with.Kind); c.Count > 0 || c.On {
			kinds = append(kinds, c)
		}
	}
	return statuses, providers, kinds
}

func newChip(tally []store.Tally, name string, with, without pick, on bool) chip {
	c := chip{Name: name, Count: with.count(tally), URL: with.at("/"), On: on}
	if on {
		c.URL = without.at("/")
	}
	return c
}

// distinct returns the values of a column in order, and the one that is picked
// even if no task has it. A value that parsePick refuses is left out.
func distinct(tally []store.Tally, picked string, column func(store.Tally) string) []string {
	values := []string{picked}
	for _, c := range tally {
		values = append(values, column(c))
	}
	slices.Sort(values)
	return slices.DeleteFunc(slices.Compact(values), func(v string) bool { return v == "" || utf8.RuneCountInString(v) > task.MaxText })
}
