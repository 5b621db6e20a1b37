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

// buyAgain has pictures drawn anew that were paid for and did not come,
// after a person has seen what is paid for once more.
func (a *program) buyAgain(ctx context.Context, args []string, yes bool, about enqueue.About) error {
	ids, err := parseIDs(args)
	if err != nil {
		return err
	}
	looked := make(map[int64]*store.Looked)
	var paid []task.Attempt
	err = a.withClient(ctx, func(c *personClient) error {
		for _, id := range ids {
			if looked[id], err = c.Look(ctx, id, about); err != nil {
				return withID(id, err)
			}
			calls, err := c.PaidCalls(looked[id])
			if err != nil && len(ids) == 1 {
				return err // of several it is said when it comes to them
			}
			paid = append(paid, calls...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(paid) > 0 {
		if err := a.confirm(ctx, yes, buyQuestion(paid)); err != nil {
			return err
		}
	}
	bought := func(id int64) string {
		if looked[id].Next == task.BuysAgain {
			return "is pending again: " + begins[task.BuysAgain]
		}
		return "is pending again: what it has paid for is given up, and a new call is made"
	}
	return a.moveEach(ctx, args, bought, func(c *personClient, id int64) (*task.Task, error) {
		return c.BuyAgain(ctx, looked[id].Task.Seen(), task.CollectableCalls(looked[id].Attempts)...)
	})
}

// buyQuestion names the calls that are given up, and those that were before.
func buyQuestion(paid []task.Attempt) string {
	var taken, charged []string
	for i := range paid {
		if at := &paid[i]; at.GivenUp() {
			charged = append(charged, paidCall(at, "given up as charged"))
		} else {
			taken = append(taken, paidCall(at, string(at.State)))
		}
	}
	question := ""
	if len(taken) > 0 {
		question = "This gives up " + strings.Join(taken, "; ") + ". `easel retry` without --buy-again collects and does not pay for it twice. "
	}
	if len(charged) > 0 {
		question += "This pays again for " + strings.Join(charged, "; ") + ". "
	}
	return question + "Pay once more?"
}

func paidCall(a *task.Attempt, state string) string {
	price := money(a.CostMicros, a.Currency)
	if price == "" {
		price = "at a price that is not known"
	} else {
		price = "for " + price
	}
	return fmt.Sprintf("call %d of task %d, %s at %s %s", a.Number, a.TaskID, state, a.Provider, price)
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
