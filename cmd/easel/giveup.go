package main

import (
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/task"
)

const giveUpHelp = `Say of failed tasks whose outcome is unknown that their call was charged, after somebody
has looked it up at the provider. The tasks stay failed, with that reason and with the
cost that the price table names, and are no longer offered as unknown. A picture
that still arrives is kept. Only retry --buy-again draws a new one, which is paid for
as well.`

func (a *program) giveUpCommand() *cobra.Command {
	var call int
	c := &cobra.Command{
		Use: "give-up ID...", Short: "Settle calls of unknown outcome that were charged, without buying again", Args: cli.Takes(1, cli.Many),
		Long: giveUpHelp, Example: "  easel give-up 44 --attempt 1\n  easel retry 44 --not-charged      if it was not charged",
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			about, err := about(c, args, call, true)
			if err != nil {
				return err
			}
			return a.moveEach(ctx, args, func(int64) string { return "is given up: its call was charged" }, func(c *personClient, id int64) (*task.Task, error) {
				l, err := c.Look(ctx, id, about)
				if err != nil {
					return nil, err
				}
				return c.GiveUp(ctx, l.Task.Seen())
			})
		},
	}
	addAttempt(c, &call)
	return c
}
