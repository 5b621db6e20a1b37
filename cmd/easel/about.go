package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/cli"
)

func addAttempt(c *cobra.Command, number *int) {
	c.Flags().IntVar(number, "attempt", 0, "the number of the last call that was looked up: if another was made since, nothing is done")
}

// about is the call that the word of a command is about, which begins now. unknown: it says how
// a call of unknown outcome ended.
func about(c *cobra.Command, args []string, number int, unknown bool) (enqueue.About, error) {
	switch {
	case !c.Flags().Changed("attempt"):
	case number < 1:
		return enqueue.About{}, cli.Usage("--attempt is %d; accepted are the numbers of calls, from 1 on, see `easel show ID`", number)
	case len(args) != 1:
		return enqueue.About{}, cli.Usage("--attempt is about the call of one task; give one ID")
	}
	return enqueue.About{Attempt: number, Unknown: unknown, Began: time.Now()}, nil
}
