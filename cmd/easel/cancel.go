package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/task"
)

func (a *program) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID...", Short: "End tasks that have not ended", Args: cli.Takes(1, cli.Many),
		Long: "End tasks that have not ended. A call that is on its way is called off where the provider can;\n" +
			"what it draws all the same is collected by itself and kept, since it was paid for, but it is not\n" +
			"the task's answer. `easel retry` makes it the answer and does not pay for it twice.",
		Example: "  easel cancel 42 43",
		RunE:    func(c *cobra.Command, args []string) error { return a.cancel(c.Context(), args) },
	}
}

func (a *program) cancel(ctx context.Context, args []string) error {
	return a.moveEach(ctx, args, func(int64) string { return "is cancelled" }, func(c *personClient, id int64) (*task.Task, error) {
		l, err := c.Look(ctx, id, enqueue.About{})
		if err != nil {
			return nil, err
		}
		return c.Cancel(ctx, l.Task.Seen())
	})
}
