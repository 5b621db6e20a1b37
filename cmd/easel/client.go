package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// personClient says a person's words, and sees what tasks wait for.
type personClient struct {
	*enqueue.Client
	store *store.Store // that of Client
	waits *app.Watcher
}

// withClient does something with the tasks of the database.
func (a *program) withClient(ctx context.Context, do func(*personClient) error) error {
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	client, done := app.OpenClient(ctx, cfg, s, a.out.Say)
	defer done()
	waits := app.NewWatcher(cfg, s, func(string, ...any) {}) // what cannot be seen is not said
	defer waits.Close()
	return do(&personClient{client, s, waits})
}

// resting says of a task that is to make a call until when its account makes none; empty if it does.
func (c *personClient) resting(ctx context.Context, t *task.Task) string {
	why := c.waits.ReasonsFor(ctx, []task.Task{*t})[t.ID]
	if why == nil || why.Kind != waiting.Closed {
		return ""
	}
	return "; it " + why.Brief(human.English)
}

// moveEach does one thing to each task. What is refused does not keep the
// others from being done, but the command fails. Two that are locked, one after the other,
// are more than a row: the others are left.
func (a *program) moveEach(ctx context.Context, args []string, done func(id int64) string, move func(*personClient, int64) (*task.Task, error)) error {
	ids, err := parseIDs(args)
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(c *personClient) error {
		answer, locked := moved{Tasks: []task.Task{}}, 0
		for _, id := range ids {
			if locked == 2 {
				answer.Refused = append(answer.Refused, refusal{id, fmt.Sprintf("task %d was left as it is: the two before it are locked", id)})
				continue
			}
			t, err := move(c, id)
			switch {
			case ctx.Err() != nil:
				return cmp.Or(err, ctx.Err())
			case err == nil:
				answer.Tasks = append(answer.Tasks, brief(*t))
			default:
				answer.Refused = append(answer.Refused, refusal{id, reason(id, err)})
			}
			if locked++; !errors.As(err, new(*store.Locked)) {
				locked = 0
			}
		}
		return a.answerMoved(answer, done)
	})
}
