package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

const retryHelp = `Bring failed or cancelled tasks back to the queue, with all tries anew: those named
by ID, or all that the flags pick. Before many are retried their number is shown
and a person is asked; a script says --yes.

A task whose outcome is unknown may have been charged already. A retry takes pictures
that came late, or asks the provider where that can be asked, and buys nothing while it
is unknown; where nobody can be asked it changes nothing and says so. --not-charged
sends the call again: say it only after somebody has looked it up at the provider. If it
was charged after all, you pay twice; easel give-up ends a task whose call was charged.
--attempt names the call that was looked up: if another was made since, nothing is done.

A call that was paid for and whose pictures could not be fetched is collected again and
not bought again; what other calls of the task have not brought is drawn after it, and
paid for. --buy-again gives the call up and has a new one drawn, which is paid for as
well. It is also the word for a task of which a call was given up as charged, for which no
other retry buys. It takes IDs, shows what is paid for again and asks.`

const retryExamples = `  easel retry 42 43
  easel retry --status failed --kind auth --provider openai
  easel retry --kind unavailable --since 24h --yes
  easel retry 44 --not-charged --attempt 1
  easel retry 45 --buy-again`

func (a *program) retryCommand() *cobra.Command {
	var f filterFlags
	var yes, notCharged, again bool
	var call int
	c := &cobra.Command{Use: "retry ID... | --status failed ...", Short: "Bring failed or cancelled tasks back", Long: retryHelp, Example: retryExamples}
	f.add(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&notCharged, "not-charged", false, "calls whose outcome is unknown were not charged, I have looked: send them again; if they were, you pay twice")
	c.Flags().BoolVar(&again, "buy-again", false, "have drawn anew what was charged and given up, or paid for and could not be collected: you pay twice")
	addAttempt(c, &call)
	c.RunE = func(c *cobra.Command, args []string) error {
		about, err := about(c, args, call, notCharged)
		switch {
		case err != nil:
			return err
		case len(args) > 0 && f.changed(c):
			return cli.Usage("give either IDs or flags that pick tasks, not both")
		case again && notCharged:
			return cli.Usage("give either --buy-again or --not-charged: what was paid for was charged")
		case again && len(args) == 0:
			return cli.Usage("--buy-again takes the IDs of tasks, so that each is looked at")
		case again:
			return a.buyAgain(c.Context(), args, yes, about)
		case len(args) > 0:
			return a.retryEach(c.Context(), args, notCharged, about)
		case f.changed(c):
			return a.retryAll(c, &f, notCharged, yes)
		}
		return cli.Usage("say which: IDs, or flags such as --status failed; see `easel retry --help`")
	}
	return c
}

// moved is the answer of retry and cancel.
type moved struct {
	Tasks   []task.Task `json:"tasks"`             // as they are now
	Refused []refusal   `json:"refused,omitempty"` // and why
}

type refusal struct {
	ID     int64  `json:"id"`
	Reason string `json:"reason"`
}

func (a *program) retryEach(ctx context.Context, args []string, notCharged bool, about enqueue.About) error {
	next := make(map[int64]string)
	return a.moveEach(ctx, args, func(id int64) string { return "is pending again" + next[id] }, func(c *personClient, id int64) (*task.Task, error) {
		l, err := c.Look(ctx, id, about)
		if err != nil {
			return nil, err
		}
		retried, err := c.Retry(ctx, l.Task.Seen(), notCharged)
		if err != nil {
			return nil, beforeNotCharged(err, l, notCharged)
		}
		link := ": "
		if n := len(l.Attempts); notCharged && n > 0 && l.Attempts[n-1].State == task.AttemptUnknown {
			next[id], link = fmt.Sprintf(": call %d counts as not charged", l.Attempts[n-1].Number), ", and "
		}
		// The word is done: what it begins with is said if it can be seen.
		if after, err := c.Look(ctx, id, enqueue.About{}); err == nil {
			if len(after.Attempts) > len(l.Attempts) {
				after.Next = task.Buys // a worker was faster, and is at it
			}
			next[id] += link + hasBegun(after)
			if after.Next == task.Buys {
				next[id] += c.resting(ctx, after.Task)
			}
		}
		return retried, nil
	})
}

// buysFirst is a BuysAgain in the way of the word that a later call, of that number, was not charged.
type buysFirst struct {
	*store.BuysAgain
	call int
}

// beforeNotCharged adds to a BuysAgain which call the word was about that it refuses.
func beforeNotCharged(err error, l *store.Looked, notCharged bool) error {
	var again *store.BuysAgain
	if n := len(l.Attempts); notCharged && errors.As(err, &again) && n > 0 && l.Attempts[n-1].State == task.AttemptUnknown {
		return &buysFirst{again, l.Attempts[n-1].Number}
	}
	return err
}

// hasBegun says what a retry of the task that was looked at has begun with.
func hasBegun(l *store.Looked) string {
	given := (&task.History{Attempts: l.Attempts}).GivenUp()
	if l.Next == task.Collects && given != nil {
		return fmt.Sprintf("what was paid for is collected, and nothing is bought, since its call %d was given up as charged", given.Number)
	}
	return begins[l.Next]
}

// begins says what a retry begins with.
var begins = map[task.RetryStep]string{
	task.Collects: "what was paid for is collected, and only what is missing then is bought",
	task.Asks:     "the call of unknown outcome is asked after first",
	task.Takes:    "pictures that are in storage already are taken, and nothing is bought",
	task.Buys:     "a new call is made",

	task.BuysAgain: "a new call is made, and paid for although one was charged",
}

func reason(id int64, err error) string {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Sprintf("task %d: %v; see `easel list`", id, store.ErrNotFound)
	}
	return err.Error() + inShell(err)
}

func (a *program) answerMoved(answer moved, done func(id int64) string) error {
	err := a.out.Answer(answer, func(w io.Writer) {
		for _, t := range answer.Tasks {
			fmt.Fprintf(w, "task %d %s\n", t.ID, done(t.ID))
		}
	})
	if err != nil || len(answer.Refused) == 0 {
		return err
	}
	if !a.out.JSON {
		for _, r := range answer.Refused {
			a.out.Complain(r.Reason)
		}
	}
	return cli.ErrPrinted
}

// retryFilter returns what the flags pick: failed tasks unless they name a status.
func retryFilter(picked store.Filter) (store.Filter, error) {
	picked.Ours = true
	if len(picked.Statuses) == 0 {
		picked.Statuses = []task.Status{task.Failed}
	}
	for _, status := range picked.Statuses {
		if status != task.Failed && status != task.Cancelled {
			return picked, cli.Usage("--status is %s; only failed and cancelled tasks can be retried", status)
		}
	}
	return picked, nil
}

// retriedAll is the answer of retry with flags.
type retriedAll struct {
	Picked  int `json:"picked"`
	Retried int `json:"retried"`
	GivenUp int `json:"given_up"` // left alone, since a retry of each would pay again
}

func (a *program) retryAll(c *cobra.Command, f *filterFlags, notCharged, yes bool) error {
	ctx := c.Context()
	picked, err := f.filter(c, time.Now())
	if err != nil {
		return err
	}
	if picked, err = retryFilter(picked); err != nil {
		return err
	}
	return a.withClient(ctx, func(client *personClient) error {
		// What is said holds for those that are there now, as they stand, and for none that joins them.
		var looked []task.Seen
		var givenUp int
		err := client.store.ForPerson(ctx, func(ctx context.Context) (err error) {
			looked, givenUp, err = client.Retryable(ctx, picked)
			return err
		})
		if err != nil {
			return err
		}
		answer := retriedAll{Picked: len(looked), GivenUp: givenUp}
		if answer == (retriedAll{}) && picked.Provider != "" && !slices.Contains(client.Services.Names(), picked.Provider) {
			return cli.Usage("no task fits: %s", notServed(client.Services, picked.Provider))
		}
		if answer.Picked > 0 {
			if err := a.confirm(ctx, yes, retryQuestion(answer, notCharged)); err != nil {
				return err
			}
			retry := func(each func(*task.Task)) (int, error) { return client.RetryEach(ctx, looked, notCharged, each) }
			if answer.Retried, err = a.retryPicked(retry, answer.Picked); err != nil {
				return fmt.Errorf("%d of %d tasks are pending again, then: %w", answer.Retried, answer.Picked, err)
			}
		}
		return a.out.Answer(answer, func(w io.Writer) { printRetried(w, answer) })
	})
}

func printRetried(w io.Writer, answer retriedAll) {
	switch {
	case answer.Picked > 0:
		fmt.Fprintf(w, "%s pending again\n", human.Count(answer.Retried, "task"))
	case answer.GivenUp == 0:
		fmt.Fprintln(w, "no task fits")
	}
	if left := answer.Picked - answer.Retried; left > 0 {
		were, each := "they were", "each wants"
		if left == 1 {
			were, each = "it was", "it wants"
		}
		fmt.Fprintf(w, "%s left as %s: somebody else was faster, or %s a decision of its own\n", human.Count(left, "task"), were, each)
	}
	if answer.GivenUp > 0 {
		fmt.Fprintf(w, "%s left alone that would pay again, since a call was given up as charged: `easel retry ID --buy-again`\n", human.Count(answer.GivenUp, "task"))
	}
}

func retryQuestion(asked retriedAll, notCharged bool) string {
	question := human.Count(asked.Picked, "task") + " would be retried"
	if notCharged {
		question += ", and calls of unknown outcome sent again: those that were charged after all are paid for twice"
	}
	question += "."
	if asked.GivenUp > 0 {
		question += fmt.Sprintf(" %s of which a call was given up as charged would be left alone.", human.Count(asked.GivenUp, "task"))
	}
	return question + " Go on?"
}

func (a *program) retryPicked(retry func(each func(*task.Task)) (int, error), total int) (int, error) {
	bar := a.out.Progress("retrying", total)
	defer bar.Stop()
	done := 0
	return retry(func(*task.Task) {
		done++
		if done%50 == 0 || done == total {
			bar.Set(done, fmt.Sprintf("%d of %d", done, total))
		}
	})
}
