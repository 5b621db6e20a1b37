package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/pause"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// databaseGrace is how long a wait outlasts a database that does not answer.
const databaseGrace = time.Minute

// waiter waits for tasks to end and shows how far they are.
type waiter struct {
	out   *output
	tasks *store.Store
}

// wait returns the tasks, in the order of their ids, when all have ended. They go on
// by themselves if ctx ends first.
func (w *waiter) wait(ctx context.Context, ids []int64) ([]task.Task, error) {
	bar := w.out.Progress(waitTitle(ids), 100*len(ids))
	defer bar.Stop()
	open, ended := slices.Clone(ids), map[int64]task.Task{}
	lastAnswer, warned := time.Now(), false
	for {
		var tasks []task.Task
		err := w.tasks.ForPerson(ctx, func(ctx context.Context) (err error) {
			tasks, err = w.look(ctx, open)
			return err
		})
		switch {
		case ctx.Err() != nil:
			bar.Stop()
			w.out.Say("%s; `easel show %d` tells how it goes, `easel cancel %d` ends it", stayQueued(ids, len(open)), open[0], open[0])
			return nil, ctx.Err()
		case err != nil && time.Since(lastAnswer) > databaseGrace:
			return nil, err
		case err == nil:
			lastAnswer = time.Now()
			open = note(tasks, ended)
			bar.Set(done(tasks, ended), waitMessage(ids, tasks, len(ended), w.now(tasks)))
			if !warned && idle(tasks) {
				warned = w.warnIfAlone(ctx, bar)
			}
		}
		if len(open) == 0 {
			return inOrder(ids, ended), nil
		}
		// An ended ctx is seen at the top, where it is told.
		_ = pause.For(ctx, lookEvery)
	}
}

// now is the time for those who look at a bar; who reads lines has one for each change, of
// the time of that change.
func (w *waiter) now(tasks []task.Task) time.Time {
	if w.out.ErrTerminal {
		return time.Now()
	}
	return tasks[0].UpdatedAt
}

func waitTitle(ids []int64) string {
	if len(ids) == 1 {
		return fmt.Sprintf("task %d", ids[0])
	}
	return fmt.Sprintf("%d tasks", len(ids))
}

func stayQueued(ids []int64, open int) string {
	if len(ids) == 1 {
		return fmt.Sprintf("task %d goes on without you", ids[0])
	}
	return fmt.Sprintf("%d of %d tasks go on without you", open, len(ids))
}

// look reads the tasks, a bounded number at a time.
func (w *waiter) look(ctx context.Context, ids []int64) ([]task.Task, error) {
	var all []task.Task
	for chunk := range slices.Chunk(ids, maxWatched) {
		tasks, err := w.tasks.List(ctx, store.Filter{IDs: chunk, Limit: len(chunk)})
		if err != nil {
			return nil, err
		}
		if len(tasks) < len(chunk) {
			return nil, fmt.Errorf("%d of the tasks that were waited for: %w", len(chunk)-len(tasks), store.ErrNotFound)
		}
		all = append(all, tasks...)
	}
	return all, nil
}

// note moves tasks that are final to ended and returns the ids of the others.
func note(tasks []task.Task, ended map[int64]task.Task) (open []int64) {
	for _, t := range tasks {
		if t.Status.Final() {
			ended[t.ID] = t
		} else {
			open = append(open, t.ID)
		}
	}
	return open
}

// done is how far all tasks are, in percent of one.
func done(tasks []task.Task, ended map[int64]task.Task) int {
	percent := 100 * len(ended)
	for _, t := range tasks {
		if !t.Status.Final() {
			percent += min(t.Progress, 99)
		}
	}
	return percent
}

// waitMessage counts down to what is due only where now goes on.
func waitMessage(ids []int64, tasks []task.Task, ended int, now time.Time) string {
	if len(ids) > 1 {
		return fmt.Sprintf("%d of %d ended", ended, len(ids))
	}
	message := string(tasks[0].Status)
	if more := outcome(&tasks[0], nil, now); more != "" && !tasks[0].Status.Final() {
		message += ", " + cli.OneLine(more, 80)
	}
	return message
}

func idle(tasks []task.Task) bool {
	return slices.ContainsFunc(tasks, func(t task.Task) bool { return t.Status == task.Pending && !t.RunAt.After(time.Now()) })
}

// warnIfAlone says that nobody works. It reports whether that was so.
func (w *waiter) warnIfAlone(ctx context.Context, b cli.Bar) bool {
	workers, err := w.tasks.Workers(ctx)
	if err != nil || len(workers) > 0 {
		return false
	}
	b.Say("no worker is running: start `easel up`; waiting for one")
	return true
}

func inOrder(ids []int64, ended map[int64]task.Task) []task.Task {
	all := make([]task.Task, len(ids))
	for i, id := range ids {
		all[i] = ended[id]
	}
	return all
}

// paths says where the pictures of t lie: files on this machine, else URLs.
func paths(cfg config.Config, t *task.Task, results []task.Result) []string {
	var all []string
	for i, r := range results {
		path, err := filepath.Abs(filepath.Join(cfg.Pictures, filepath.FromSlash(r.StorageKey)))
		if i == 0 && t.LocalPath != "" {
			path = t.LocalPath
		}
		if _, missing := os.Stat(path); err != nil || r.StorageKey == "" || errors.Is(missing, fs.ErrNotExist) {
			path = r.GeneratedImageURL
		}
		all = append(all, path)
	}
	return all
}
