package enqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// About is the call that a person's word is about.
type About struct {
	Attempt int       // the number of the last call that he saw; 0 if he does not say
	Unknown bool      // he says how a call of unknown outcome ended
	Began   time.Time // when he began to speak: no later call was seen; zero if that is not known
}

// NotAbout says that a person's word cannot be about the last call of a task. Nothing was
// changed.
type NotAbout struct {
	Task  int64
	Moved bool   // it has moved on since he looked
	Why   string // what became of it, or how it stands
}

func (e *NotAbout) Error() string {
	if e.Moved {
		return fmt.Sprintf("task %d has moved on since you looked: %s; look again", e.Task, e.Why)
	}
	return fmt.Sprintf("task %d has no call of unknown outcome: %s", e.Task, e.Why)
}

// Look reads a task and its calls for a word of a person, who says it of the task's Seen. A
// NotAbout if the word cannot be about its last call, and else as store.Look.
func (c *Client) Look(ctx context.Context, id int64, about About) (*store.Looked, error) {
	l, err := c.Tasks.Look(ctx, id)
	if err != nil {
		return nil, err
	}
	if not := about.not(l); not != nil {
		return nil, not
	}
	return l, nil
}

// not is why a word is not about the last call; nil if it is.
func (a About) not(l *store.Looked) *NotAbout {
	e, last := &NotAbout{Task: l.Task.ID, Moved: true}, task.Attempt{}
	if n := len(l.Attempts); n > 0 {
		last = l.Attempts[n-1]
	}
	switch {
	case a.Attempt > 0 && last.Number == 0:
		e.Why = "it has no call"
	case a.Attempt > 0 && a.Attempt != last.Number:
		e.Why = fmt.Sprintf("its last call is %d and not %d", last.Number, a.Attempt)
	case a.Attempt == 0 && !a.Began.IsZero() && last.SentAt.After(l.At.Add(-time.Since(a.Began))):
		e.Why = fmt.Sprintf("its call %d was made after this command began", last.Number)
	case !a.Unknown || last.State == task.AttemptUnknown || last.State == task.AttemptSending: // whether one that is sent was lost with its worker is for the store
		return nil
	case last.Number == 0:
		e.Why, e.Moved = "no call was made", false
	case last.GivenUp():
		e.Why, e.Moved = fmt.Sprintf("its call %d was given up as charged", last.Number), a.Attempt > 0
	default:
		e.Why, e.Moved = fmt.Sprintf("its call %d is written down as %s", last.Number, last.State), a.Attempt > 0
	}
	return e
}

// decided is an UnknownOutcome if a retry of the task would neither ask nor buy.
func (c *Client) decided(ctx context.Context, seen task.Seen) error {
	l, err := c.Tasks.Look(ctx, seen.Task)
	if err != nil || !l.Task.Status.Final() || l.Task.Seen() != seen {
		return err // that it has moved on the retry says
	}
	return c.unknownOutcome(l)
}

// PaidCalls returns the calls that were paid for and that BuyAgain would pay for once more: those
// that the provider has taken and that are given up by it, and those that were given up as
// charged. Without any it is the error of BuyAgain.
func (c *Client) PaidCalls(l *store.Looked) ([]task.Attempt, error) {
	var paid []task.Attempt
	for _, a := range l.Attempts {
		if a.Collectable() || a.GivenUp() {
			paid = append(paid, a)
		}
	}
	if len(paid) > 0 {
		return paid, nil
	}
	if err := c.unknownOutcome(l); err != nil {
		return nil, err
	}
	return nil, &store.NothingPaid{Task: l.Task.ID}
}
