package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// filterFlags are the flags by which commands pick tasks.
type filterFlags struct {
	statuses, kinds []string
	provider        string
	user            int64
	since           string
	before          int64
	limit           int
}

func (f *filterFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVar(&f.statuses, "status", nil, "only these: "+joined(task.Statuses))
	flags.StringSliceVar(&f.kinds, "kind", nil, "only these kinds of failure: "+joined(task.Kinds))
	flags.StringVar(&f.provider, "provider", "", "only this provider")
	flags.Int64Var(&f.user, "user", 0, "only this user's")
	flags.StringVar(&f.since, "since", "", "only created since: 2h, 2026-01-31, or 2026-01-31T09:00:00Z")
}

func joined[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}

// filter checks the flags and returns what they pick.
func (f *filterFlags) filter(c *cobra.Command, now time.Time) (store.Filter, error) {
	picked := store.Filter{Provider: f.provider, Before: f.before, Limit: f.limit}
	var err error
	if picked.Statuses, err = words("--status", f.statuses, task.Statuses); err != nil {
		return picked, err
	}
	if picked.Kinds, err = words("--kind", f.kinds, task.Kinds); err != nil {
		return picked, err
	}
	if c.Flags().Changed("user") {
		picked.UserID = &f.user
	}
	if f.since != "" {
		picked.Since, err = parseSince(f.since, now)
	}
	return picked, err
}

func (f *filterFlags) changed(c *cobra.Command) bool {
	return slices.ContainsFunc([]string{"status", "kind", "provider", "user", "since"}, c.Flags().Changed)
}

func words[T ~string](flag string, given []string, known []T) ([]T, error) {
	var all []T
	for _, w := range given {
		if !slices.Contains(known, T(w)) {
			meant := ""
			if near := human.Nearest(w, strings.Split(joined(known), ", ")); near != "" {
				meant = "; did you mean " + near + "?"
			}
			return nil, cli.Usage("%s is %q; accepted are %s%s", flag, human.Shorten(w, 60), joined(known), meant)
		}
		all = append(all, T(w))
	}
	return all, nil
}

// parseSince reads a duration before now, a day or a moment.
func parseSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, ok := parseMoment(text); ok {
		return t, nil
	}
	return time.Time{}, cli.Usage("--since is %q; accepted are a duration such as 2h, a day such as 2026-01-31 and a moment such as 2026-01-31T09:00:00Z", human.Shorten(text, 60))
}

// parseMoment reads a moment; without a zone it is the reader's own.
func parseMoment(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

const listExamples = `  easel list                                  the newest tasks
  easel list --status failed --kind moderated
  easel list --provider openai --since 2h --limit 500
  easel list --json | jq '.tasks[].id'`

func (a *program) listCommand() *cobra.Command {
	var f filterFlags
	c := &cobra.Command{Use: "list", Short: "List tasks, the newest first", Example: listExamples, Args: cli.Takes(0, 0), Aliases: []string{"ls"}}
	f.add(c)
	c.Flags().Int64Var(&f.before, "before", 0, "only ids below this one, for the next page")
	c.Flags().IntVar(&f.limit, "limit", 50, fmt.Sprintf("how many at most, 1 to %d", store.MaxPage))
	c.RunE = func(c *cobra.Command, _ []string) error { return a.list(c, &f) }
	return c
}

// listedTask is a task with what it waits for, if it does.
type listedTask struct {
	task.Task
	WaitsFor *waiting.Reason `json:"waits_for,omitempty"`
}

// page is the answer of list.
type page struct {
	Tasks      []listedTask `json:"tasks"`
	NextBefore int64        `json:"next_before,omitempty"` // --before of the next page; missing on the last one
}

func (a *program) list(c *cobra.Command, f *filterFlags) error {
	if f.limit < 1 || f.limit > store.MaxPage {
		return cli.Usage("--limit is %d; accepted are 1 to %d", f.limit, store.MaxPage)
	}
	if c.Flags().Changed("before") && f.before < 1 {
		return cli.Usage("--before is %d; accepted is the id of a task, from 1 on", f.before)
	}
	picked, err := f.filter(c, time.Now())
	if err != nil {
		return err
	}
	cfg, s, err := a.open(c.Context())
	if err != nil {
		return err
	}
	defer s.Close()
	waits := app.NewWatcher(cfg, s, a.out.Say)
	defer waits.Close()
	picked.Limit = f.limit + 1 // one more tells whether there is a next page
	var now time.Time
	var tasks []task.Task
	err = s.ForPerson(c.Context(), func(ctx context.Context) (err error) {
		if now, err = s.Now(ctx); err == nil {
			tasks, err = s.List(ctx, picked)
		}
		return err
	})
	if err != nil {
		return err
	}
	p, why := page{Tasks: make([]listedTask, 0, len(tasks))}, waits.ReasonsFor(c.Context(), tasks)
	for i, t := range tasks {
		if i == f.limit {
			p.NextBefore = tasks[i-1].ID
			break
		}
		p.Tasks = append(p.Tasks, listedTask{brief(t), why[t.ID]})
	}
	if name := f.provider; len(tasks) == 0 && name != "" && !slices.Contains(cfg.Services.Names(), name) {
		a.out.Say("%s", notServed(cfg.Services, name))
	}
	return a.out.Answer(p, func(w io.Writer) { a.out.tasks(w, p, now) })
}

// notServed says that the services lack a provider, and which was meant.
func notServed(services provider.Services, name string) string {
	return strings.Replace(services.Unknown(name).Message, "provider", "the provider", 1)
}

func (o *output) tasks(w io.Writer, p page, now time.Time) {
	if len(p.Tasks) == 0 {
		fmt.Fprintln(w, "no tasks")
		return
	}
	t := o.Table("id", "status", "provider", "age", "prompt", "outcome")
	for _, row := range p.Tasks {
		t.AppendRow(table.Row{row.ID, o.status(row.Status), cli.OneLine(row.Provider, 20), human.English.Span(now.Sub(row.CreatedAt)),
			cli.OneLine(row.Prompt, 40), cli.OneLine(outcome(&row.Task, row.WaitsFor, now), 160)})
	}
	fmt.Fprintln(w, t.Render())
	if p.NextBefore > 0 {
		fmt.Fprintln(w, cli.Paint(o.Color, cli.Grey, fmt.Sprintf("more with --before %d", p.NextBefore)))
	}
}

func (o *output) status(s task.Status) string { return cli.Paint(o.Color, statusColor(s), string(s)) }
