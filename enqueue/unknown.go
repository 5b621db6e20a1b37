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

// Undecided is what a page says of it.
func (e *UnknownOutcome) Undecided() (task int64, text string) {
	return e.Task, fmt.Sprintf("Nothing was changed: %s cannot be asked about the call. Look it up there, and say on the task's page whether it was charged.", e.Provider)
}

// decided is an UnknownOutcome if a retry of the task would neither ask nor buy.
func (c *Client) decided(ctx context.Context, seen task.Seen) error {
	attempts, err := c.Tasks.Attempts(ctx, seen.Task)
	if err != nil || !c.Services.Undecided(attempts) {
		return err
	}
	t, err := c.Tasks.Get(ctx, seen.Task)
	if err != nil {
		return err
	}
	if !t.Status.Final() || t.Seen() != seen {
		return nil // which the retry says
	}
	last := attempts[len(attempts)-1]
	return &UnknownOutcome{Task: seen.Task, Attempt: last.Number, Provider: last.Provider, Console: c.Services.Console(last.Provider)}
}

// GiveUp settles a failed task of unknown outcome whose last call was charged: a person has
// looked it up. The task stays failed, by that reason, and costs what the price table
// says of the call. It is not retried by that. See store.GiveUp.
func (c *Client) GiveUp(ctx context.Context, seen task.Seen) (*task.Task, error) {
	t, err := c.Tasks.Get(ctx, seen.Task)
	if err != nil {
		return nil, err
	}
	attempts, err := c.Tasks.Attempts(ctx, seen.Task)
	if err != nil {
		return nil, err
	}
	var cost *task.Money
	if svc := c.Services[t.Provider]; svc != nil && len(attempts) > 0 {
		last := attempts[len(attempts)-1]
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
	var doubt *UnknownOutcome
	var not *store.NotAllowed
	var nothing *store.NothingUnknown
	return errors.As(err, &doubt) || errors.As(err, &not) || errors.As(err, &nothing) || refused(err)
}
