package enqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// UnknownOutcome says that a task was not retried: nobody can say whether its last call was
// billed, and its provider cannot be asked. Nothing was changed.
type UnknownOutcome struct {
	Task     int64
	Attempt  int // the number of the call
	Provider string
	Console  string // the provider's page to look the call up on; empty if none is known
}

func (e *UnknownOutcome) Error() string {
	where := ""
	if e.Console != "" {
		where = " (" + e.Console + ")"
	}
	return fmt.Sprintf("task %d was not retried: nobody can say whether its last call was billed, and %s cannot be asked by easel. "+
		"Look the call up at the provider%s, and say whether it was charged", e.Task, e.Provider, where)
}

// ForPage is what a page says of it.
func (e *UnknownOutcome) ForPage() (task int64, title, text string) {
	return e.Task, "Nobody can be asked", fmt.Sprintf("Nothing was changed: %s cannot be asked about the call. Look it up there, and say on the task's page whether it was charged.", e.Provider)
}

// unknownOutcome is an UnknownOutcome if the last call of the task waits for a person's word.
func (c *Client) unknownOutcome(l *store.Looked) error {
	if !c.Services.Undecided(l.Attempts) {
		return nil
	}
	last := l.Attempts[len(l.Attempts)-1]
	return &UnknownOutcome{Task: l.Task.ID, Attempt: last.Number, Provider: last.Provider, Console: c.Services.Console(last.Provider)}
}

// GiveUp settles a failed task of unknown outcome whose last call was charged: a person has
// looked it up. The task stays failed, by that reason, and costs what the price table
// says of the call. It is not retried by that. See store.GiveUp.
func (c *Client) GiveUp(ctx context.Context, seen task.Seen) (*task.Task, error) {
	l, err := c.Tasks.Look(ctx, seen.Task)
	if err != nil {
		return nil, err
	}
	t := l.Task
	var cost *task.Money
	if svc := c.Services[t.Provider]; svc != nil && len(l.Attempts) > 0 {
		last := l.Attempts[len(l.Attempts)-1]
		model, images := t.Model, max(last.Images, 1)
		if model == "" {
			model = svc.DefaultModel
		}
		if last.Images == 0 {
			images = max(t.ImageCount, 1)
		}
		cost = svc.Prices.Cost(model, t.Size, t.Quality, images, nil, last.SentAt)
	}
	return c.Tasks.GiveUp(ctx, seen, cost)
}

// leftAlone reports whether err says that a task cannot be retried, or not by a word for many.
func leftAlone(err error) bool {
	return errors.As(err, new(*UnknownOutcome)) || errors.As(err, new(*store.BuysAgain)) || errors.As(err, new(*store.NothingUnknown)) || refused(err)
}
