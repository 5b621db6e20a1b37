package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func (a *program) dlqCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "dlq", Short: "Show the dead-letter queue: failed tasks by reason, and the newest of them", Args: cli.Takes(0, 0),
		Example: "  easel dlq\n  easel dlq --limit 100\n  easel retry --status failed --kind auth      after the key was mended",
	}
	c.Flags().IntVar(&limit, "limit", 20, "how many of the newest, 1 to 1000")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 || limit > 1000 {
			return cli.Usage("--limit is %d; accepted are 1 to 1000", limit)
		}
		return a.dlq(c.Context(), limit)
	}
	return c
}

// deadLetters is the answer of dlq.
type deadLetters struct {
	Total  int           `json:"total"`
	Given  int           `json:"given_up"` // of them, as charged: nobody has to decide about these
	Groups []store.Tally `json:"groups"`   // the largest first
	Newest []task.Task   `json:"newest"`

	services provider.Services
}

func (a *program) dlq(ctx context.Context, limit int) error {
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	d := deadLetters{services: cfg.Services}
	var now time.Time
	err = s.ForPerson(ctx, func(ctx context.Context) (err error) {
		now, err = d.read(ctx, s, limit)
		return err
	})
	if err != nil {
		return err
	}
	return a.out.Answer(d, func(w io.Writer) { a.out.deadLetters(w, d, now) })
}

// read reads the queue, and returns the time by the database's clock.
func (d *deadLetters) read(ctx context.Context, s *store.Store, limit int) (now time.Time, err error) {
	failed := store.Filter{Statuses: []task.Status{task.Failed}, Ours: true, Limit: limit}
	if d.Groups, err = s.Tally(ctx, failed); err != nil {
		return now, err
	}
	for _, g := range d.Groups {
		d.Total += g.Tasks
		if g.ErrorKind == task.Charged {
			d.Given += g.Tasks
		}
	}
	slices.SortStableFunc(d.Groups, func(x, y store.Tally) int { return y.Tasks - x.Tasks })
	newest, err := s.List(ctx, failed)
	if err != nil {
		return now, err
	}
	d.Newest = make([]task.Task, 0, len(newest))
	for _, t := range newest {
		d.Newest = append(d.Newest, brief(t))
	}
	return s.Now(ctx)
}

func (o *output) deadLetters(w io.Writer, d deadLetters, now time.Time) {
	if d.Total == 0 {
		fmt.Fprintln(w, "the dead-letter queue is empty")
		return
	}
	groups := o.Table("tasks", "kind", "provider", "retry them with")
	for _, g := range d.Groups {
		groups.AppendRow(table.Row{g.Tasks, string(g.ErrorKind), cli.OneLine(g.Provider, 20), retryHint(g, d.services)})
	}
	fmt.Fprintln(w, waitingFor(d))
	fmt.Fprintln(w, groups.Render())
	newest := o.Table("id", "kind", "provider", "age", "prompt", "error", "next")
	for _, t := range d.Newest {
		newest.AppendRow(table.Row{t.ID, string(t.ErrorKind), cli.OneLine(t.Provider, 20), human.English.Span(now.Sub(t.CreatedAt)),
			cli.OneLine(t.Prompt, 30), cli.OneLine(t.ErrorMsg, 160), nextStep(&t)})
	}
	fmt.Fprintln(w, "\n"+newest.Render())
}

// waitingFor counts what a person has to decide about, and the rest.
func waitingFor(d deadLetters) string {
	text := human.Count(d.Total-d.Given, "failed task") + " to decide about"
	if d.Given > 0 {
		text += fmt.Sprintf(", and %d charged and given up", d.Given)
	}
	return text
}

// nextStep is what a person types for a failed task.
func nextStep(t *task.Task) string {
	switch command := advised(t); {
	case command != "":
		return command
	case t.ErrorKind == task.OutcomeUnknown, t.ErrorAdvice == task.Wait: // what was given up may be on its way
		return fmt.Sprintf("easel show %d", t.ID)
	case t.ErrorKind == task.Charged:
		return fmt.Sprintf("easel retry %d --buy-again", t.ID)
	case slices.Contains(inVain, t.ErrorKind):
		return "enqueue another"
	}
	return fmt.Sprintf("easel retry %d", t.ID)
}

// inVain are the kinds of which a retry of the same request fails again.
var inVain = []task.Kind{task.Invalid, task.Unsupported, task.Moderated}

func retryHint(g store.Tally, services provider.Services) string {
	if g.ErrorKind == task.OutcomeUnknown && !services.Asks(g.Provider) {
		return "look each up at the provider, then as easel show ID says"
	}
	if g.ErrorKind == task.Charged {
		return "each pays again: easel retry ID --buy-again"
	}
	if slices.Contains(inVain, g.ErrorKind) {
		return "a retry fails again: enqueue them anew, as the error says"
	}
	return fmt.Sprintf("easel retry --status failed --kind %s --provider %s", g.ErrorKind, cli.OneLine(g.Provider, 20))
}
