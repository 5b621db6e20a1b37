package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// buyAgain has pictures drawn anew that were paid for and could not be collected,
// after a person has seen what is given up.
func (a *program) buyAgain(ctx context.Context, args []string, yes bool, l lookedUp) error {
	ids, err := parseIDs(args)
	if err != nil {
		return err
	}
	seen, question, err := a.givenUp(ctx, ids, l)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, yes, question); err != nil {
		return err
	}
	bought := func(int64) string {
		return "is pending again: what it has paid for is given up, and a new call is made"
	}
	return a.moveEach(ctx, args, bought, func(_ *store.Store, c *enqueue.Client, id int64) (*task.Task, error) {
		return c.BuyAgain(ctx, seen[id])
	})
}

// givenUp names the calls that would be given up, and how the tasks stand with them. Tasks
// that have none are said when it comes to them.
func (a *program) givenUp(ctx context.Context, ids []int64, l lookedUp) (map[int64]task.Seen, string, error) {
	_, s, err := a.open(ctx)
	if err != nil {
		return nil, "", err
	}
	defer s.Close()
	var calls []string
	seen := make(map[int64]task.Seen)
	for _, id := range ids {
		t, attempts, err := l.look(ctx, s, id)
		if err != nil {
			return nil, "", err
		}
		seen[id] = t.Seen()
		for i := range attempts {
			if at := &attempts[i]; at.Collectable() {
				calls = append(calls, paidCall(at))
			}
		}
	}
	if len(calls) == 0 {
		return nil, "", (&store.NothingPaid{Task: ids[0]})
	}
	return seen, "This gives up " + strings.Join(calls, "; ") + ". `easel retry` without --buy-again collects and does not pay for it twice. Pay once more?", nil
}

func paidCall(a *task.Attempt) string {
	price := money(a.CostMicros, a.Currency)
	if price == "" {
		price = "at a price that is not known"
	} else {
		price = "for " + price
	}
	return fmt.Sprintf("call %d of task %d, %s at %s %s", a.Number, a.TaskID, a.State, a.Provider, price)
}

// parseIDs reads ids; one that is named twice counts once.
func parseIDs(args []string) ([]int64, error) {
	ids := make([]int64, 0, len(args))
	for _, arg := range args {
		id, err := parseID(arg)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
