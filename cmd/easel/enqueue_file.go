package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/internal/request"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

const (
	batchTasks = 500
	batchBytes = 32 << 20
)

// checkFile reads the whole file and returns how many tasks are in it.
func checkFile(cfg config.Config, l *request.File) (int, error) {
	count, mistakes, err := l.Check(func(t *task.Task) error { return check(cfg, t) })
	switch {
	case err != nil:
		return 0, ofFile(err)
	case len(mistakes) > 0:
		return 0, cli.Usage("nothing was enqueued:\n  %s", strings.Join(mistakes, "\n  "))
	case count == 0:
		return 0, cli.Usage("%s holds no tasks from line %d on", human.Quoted(l.Path), l.From)
	}
	return count, nil
}

// ofFile makes a file that cannot be read a mistake of whoever named it.
func ofFile(err error) error {
	var unreadable *request.Unreadable
	if errors.As(err, &unreadable) {
		return cli.Usage("--file %v", err)
	}
	return err
}

// manyEnqueued is the answer of enqueue --file.
type manyEnqueued struct {
	Tasks     int     `json:"tasks"`
	Created   int     `json:"created"` // less than Tasks if keys were known
	IDs       []int64 `json:"ids"`
	Completed int     `json:"completed,omitempty"` // with --wait, as the next two
	Failed    int     `json:"failed,omitempty"`
	Cancelled int     `json:"cancelled,omitempty"`
}

func (a *program) enqueueFile(c *cobra.Command, o *order) error {
	ctx := c.Context()
	if o.fromLine < 1 {
		return cli.Usage("--from-line is %d; accepted are numbers from 1 on", o.fromLine)
	}
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	base, err := o.task(c)
	if err != nil {
		return err
	}
	l := &request.File{Path: o.file, From: o.fromLine, Base: base}
	count, err := checkFile(cfg, l)
	if err != nil {
		return err
	}
	s, err := openToAdd(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := o.times(ctx, base, s); err != nil {
		return err
	}
	client, done := app.OpenClient(ctx, cfg, s, a.out.Say)
	defer done()
	answer, err := a.enqueueLines(ctx, s, client, l, count)
	if err != nil {
		return ofFile(err)
	}
	if o.wait {
		return a.waitForMany(ctx, cfg, s, answer)
	}
	return a.out.Answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n", answer.stored(), idRange(answer.IDs))
	})
}

// stored says how many of the tasks are new.
func (m manyEnqueued) stored() string {
	known := m.Tasks - m.Created
	switch {
	case known == 0:
		return human.Count(m.Tasks, "task") + " enqueued"
	case m.Created == 0:
		return "nothing new is enqueued: the keys stand for " + human.Count(known, "task") + " of before"
	}
	return fmt.Sprintf("%s enqueued, and %s of before by their keys", human.Count(m.Created, "new task"), human.Count(known, "task"))
}

func idRange(ids []int64) string {
	if len(ids) == 1 {
		return fmt.Sprint(ids[0])
	}
	return fmt.Sprintf("%d to %d", slices.Min(ids), slices.Max(ids))
}

// enqueueLines stores the tasks batch by batch; its error says where to go on.
func (a *program) enqueueLines(ctx context.Context, s *store.Store, client *enqueue.Client, l *request.File, count int) (manyEnqueued, error) {
	var answer manyEnqueued
	bar := a.out.Progress("enqueueing", count)
	defer bar.Stop()
	var batch []*task.Task
	size, first := 0, l.From
	flush := func(next int) error {
		var created []bool
		err := s.ForPerson(ctx, func(ctx context.Context) (err error) {
			created, err = client.EnqueueMany(ctx, batch)
			return err
		})
		if err != nil {
			return fmt.Errorf("%d tasks are enqueued; go on with --from-line %d: %w", answer.Tasks, first, err)
		}
		for i, t := range batch {
			answer.Tasks++
			answer.IDs = append(answer.IDs, t.ID)
			if created[i] {
				answer.Created++
			}
		}
		batch, size, first = nil, 0, next
		bar.Set(answer.Tasks, fmt.Sprintf("%d of %d", answer.Tasks, count))
		return nil
	}
	err := l.Each(func(n, length int, t *task.Task, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", l.Line(n), err)
		}
		batch, size = append(batch, t), size+length
		if len(batch) < batchTasks && size < batchBytes {
			return nil
		}
		return flush(n + 1)
	})
	if err == nil && len(batch) > 0 {
		err = flush(0)
	}
	return answer, err
}

func (a *program) waitForMany(ctx context.Context, cfg config.Config, s *store.Store, answer manyEnqueued) error {
	w := waiter{out: a.out, tasks: s}
	ended, err := w.wait(ctx, slices.Compact(slices.Sorted(slices.Values(answer.IDs))))
	if err != nil {
		return err
	}
	var bad error
	for i := range ended {
		t := &ended[i]
		switch t.Status {
		case task.Completed:
			answer.Completed++
			a.printPicture(t)
			continue
		case task.Failed:
			answer.Failed++
		default:
			answer.Cancelled++
		}
		bad = cmp.Or(bad, ending(t))
		a.out.Say("task %d %s%s", t.ID, t.Status, because(t))
	}
	if a.out.JSON {
		if err := a.out.Answer(answer, nil); err != nil {
			return err
		}
	}
	return bad
}

func (a *program) printPicture(t *task.Task) {
	if !a.out.JSON {
		fmt.Fprintln(a.out.Stdout, cli.Clean(picturePath(t)))
	}
}
