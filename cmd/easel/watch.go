package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/pause"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// lookEvery is how often a command that waits looks at the database.
const lookEvery = 300 * time.Millisecond

// maxWatched bounds how many tasks a watch follows at a time.
const maxWatched = 1000

func (a *program) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "watch [ID]", Short: "Print each change of tasks as it happens", Args: cli.Takes(0, 1),
		Long: "Print a line for each change: of all tasks until ^C, or of one task until it ends.\n" +
			"With an ID the exit code is 3 if the task failed or was cancelled.",
		Example: "  easel watch\n  easel watch 42\n  easel watch --json | jq -c 'select(.task.status == \"failed\")'",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.watchAll(c.Context())
			}
			return a.watchOne(c.Context(), args[0])
		},
	}
}

// change is one line of watch.
type change struct {
	At       time.Time       `json:"at"`
	From     task.Status     `json:"from,omitempty"` // missing when the task is seen for the first time
	Task     task.Task       `json:"task"`
	WaitsFor *waiting.Reason `json:"waits_for,omitempty"`
}

// whyEvery is how often a watch looks why tasks wait.
const whyEvery = 2 * time.Second

// observer knows why the watched tasks wait, and what its reader has been told of it.
type observer struct {
	waits  *app.Watcher
	looked time.Time
	why    map[int64]*waiting.Reason
	told   map[int64]waiting.Kind
}

func newObserver(out *output, cfg config.Config, s *store.Store) *observer {
	return &observer{waits: app.NewWatcher(cfg, s, out.Say), told: map[int64]waiting.Kind{}}
}

func (o *observer) look(ctx context.Context, tasks ...task.Task) {
	if time.Since(o.looked) >= whyEvery {
		o.looked, o.why = time.Now(), o.waits.ReasonsFor(ctx, tasks)
	}
}

// news reports whether somebody has to act on what the task waits for, and has not
// been told.
func (o *observer) news(id int64) bool {
	r := o.why[id]
	return r != nil && r.Who != waiting.Nobody && o.told[id] != r.Kind
}

func (a *program) watchOne(ctx context.Context, arg string) error {
	id, err := parseID(arg)
	if err != nil {
		return err
	}
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	eye := newObserver(a.out, cfg, s)
	defer eye.waits.Close()
	var before task.Task
	for {
		var t *task.Task
		err := s.ForPerson(ctx, func(ctx context.Context) (err error) {
			t, err = get(ctx, s, id)
			return err
		})
		if err != nil {
			return err
		}
		eye.look(ctx, *t)
		if err := a.report(eye, before, before.ID != 0, *t); err != nil {
			return err
		}
		if t.Status.Final() {
			return ending(t)
		}
		before = *t
		if err := pause.For(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// ending is nil for a completed task.
func ending(t *task.Task) error {
	if t.Status == task.Completed {
		return nil
	}
	return &endedBadly{t}
}

func (a *program) watchAll(ctx context.Context) error {
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	eye := newObserver(a.out, cfg, s)
	defer eye.waits.Close()
	a.out.Say("waiting for changes; ^C ends it")
	var seen map[int64]task.Task
	for {
		var now map[int64]task.Task
		err := s.ForPerson(ctx, func(ctx context.Context) (err error) {
			now, err = latest(ctx, s, seen)
			return err
		})
		if err == nil {
			eye.look(ctx, slices.Collect(maps.Values(now))...)
			err = a.reportAll(eye, seen, now)
		}
		if err == nil {
			seen, err = now, pause.For(ctx, lookEvery)
		}
		switch {
		case ctx.Err() != nil:
			return nil // ^C is how one leaves
		case err != nil:
			return err
		}
	}
}

// reportAll prints what is different now. At the first look, when nothing has
// been seen, tasks that have ended are no news.
func (a *program) reportAll(eye *observer, seen, now map[int64]task.Task) error {
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if seen == nil && now[id].Status.Final() {
			continue
		}
		before, known := seen[id]
		if err := a.report(eye, before, known, now[id]); err != nil {
			return err
		}
	}
	return nil
}

// latest returns the newest tasks, those that are not done, and those of before
// that were not done then: their end must not be missed.
func latest(ctx context.Context, s *store.Store, before map[int64]task.Task) (map[int64]task.Task, error) {
	filters := []store.Filter{
		{Limit: 100},
		{Statuses: []task.Status{task.Pending, task.Processing}, Limit: maxWatched},
	}
	var open []int64
	for id, t := range before {
		if !t.Status.Final() {
			open = append(open, id)
		}
	}
	if len(open) > 0 {
		filters = append(filters, store.Filter{IDs: open, Limit: len(open)})
	}
	all := map[int64]task.Task{}
	for _, f := range filters {
		tasks, err := s.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			all[t.ID] = t
		}
	}
	return all, nil
}

// report prints t if it looks different from when it was last seen, or waits for
// somebody who has to act.
func (a *program) report(eye *observer, before task.Task, known bool, t task.Task) error {
	if known && !eye.news(t.ID) && before.Status == t.Status && before.Progress == t.Progress && before.FailedTries == t.FailedTries && before.Waits == t.Waits {
		return nil
	}
	now := time.Now()
	why := eye.why[t.ID]
	if why != nil {
		eye.told[t.ID] = why.Kind
	}
	return a.out.Line(change{now.UTC(), before.Status, brief(t), why}, a.out.changed(before.Status, t, why, now))
}

func (o *output) changed(from task.Status, t task.Task, why *waiting.Reason, now time.Time) string {
	status := o.status(t.Status)
	if from != "" && from != t.Status {
		status = o.status(from) + " → " + status
	}
	parts := []string{now.Format(time.TimeOnly), fmt.Sprint(t.ID), status, cli.OneLine(t.Provider, 20), cli.OneLine(t.Prompt, 40), cli.OneLine(outcome(&t, why, now), 200)}
	return strings.TrimRight(strings.Join(parts, "  "), " ")
}
