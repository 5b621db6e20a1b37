package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// lookedUp is the call that a person's word is about.
type lookedUp struct {
	number  int       // of the last call that he saw; 0 if he does not say
	unknown bool      // it says how a call of unknown outcome ended
	began   time.Time // when the command did: no later call was seen
}

func addAttempt(c *cobra.Command, number *int) {
	c.Flags().IntVar(number, "attempt", 0, "the number of the last call that was looked up: if another was made since, nothing is done")
}

func newLookedUp(c *cobra.Command, args []string, number int, unknown bool) (lookedUp, error) {
	switch {
	case !c.Flags().Changed("attempt"):
	case number < 1:
		return lookedUp{}, cli.Usage("--attempt is %d; accepted are the numbers of calls, from 1 on, see `easel show ID`", number)
	case len(args) != 1:
		return lookedUp{}, cli.Usage("--attempt is about the call of one task; give one ID")
	}
	return lookedUp{number, unknown, time.Now()}, nil
}

// look reads a task and its calls, for a word about them. The task comes first: a call that
// is made in between makes its fence grow, and the word is refused.
func (l lookedUp) look(ctx context.Context, s *store.Store, id int64) (*task.Task, []task.Attempt, error) {
	t, err := get(ctx, s, id)
	if err != nil {
		return nil, nil, err
	}
	attempts, err := s.Attempts(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	last := task.Attempt{}
	if n := len(attempts); n > 0 {
		last = attempts[n-1]
	}
	now, err := s.Now(ctx) // calls are dated by the database's clock
	if err != nil {
		return nil, nil, err
	}
	if since := l.since(t, &last, now); since != "" {
		return nil, nil, fmt.Errorf("task %d has moved on since you looked: %s; look again with `easel show %[1]d`", id, since)
	}
	return t, attempts, nil
}

// since says what became of the task and its last call that the word cannot be about; empty
// if nothing.
func (l lookedUp) since(t *task.Task, last *task.Attempt, now time.Time) string {
	switch {
	case l.number > 0 && l.number != last.Number:
		return fmt.Sprintf("its last call is %d and not %d", last.Number, l.number)
	case l.number == 0 && last.SentAt.After(now.Add(-time.Since(l.began))):
		return fmt.Sprintf("its call %d was made after this command began", last.Number)
	case t.ErrorKind == task.Charged && (l.number > 0 || l.unknown):
		return "its call was given up as charged"
	case l.unknown && last.Number > 0 && last.State != task.AttemptUnknown && last.State != task.AttemptSending:
		return fmt.Sprintf("how its call %d ended is known: %s", last.Number, last.State)
	}
	return "" // whether one that is sent was lost with its worker is for the store
}
