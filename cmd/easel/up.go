package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
)

const upHelp = `Run everything in one process: workers for every provider, relay, reconciler,
and the web pages with asynqmon at /queues.

Without configuration the database is a file and the queue lives in the memory
of this process, both under ./easel-data. EASEL_DATABASE_URL and EASEL_REDIS_URL
turn each into a real server; see ` + "`easel help environment`" + `.

^C or SIGTERM: nothing new is begun, what waits is handed back, and calls that are
being paid for may end within EASEL_DRAIN. A second signal ends the process at once.`

func (a *program) upCommand() *cobra.Command {
	return &cobra.Command{Use: "up", Short: "Run everything in one process", Long: upHelp, Args: cli.Takes(0, 0),
		Example: "  easel up\n  EASEL_LISTEN=127.0.0.1:9090 easel up\n  EASEL_DATABASE_URL=postgres://… EASEL_REDIS_URL=redis://… easel up",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), true, func(ctx context.Context, e *app.App) error {
				listener, err := app.Listen(ctx, e.Config)
				if err != nil {
					return err
				}
				a.out.Say("pages at %s, queues at %s/queues, data in %s", e.Config.PublicURL, e.Config.PublicURL, e.Config.Data)
				return e.Run(ctx, listener)
			})
		}}
}

func (a *program) workerCommand() *cobra.Command {
	return &cobra.Command{Use: "worker", Short: "Run a worker for every provider, without pages",
		Long: "Run a worker for every provider, with relay and reconciler. As many may run, on as many machines,\nas share a database, a Redis and the place of the pictures. Signals are those of `easel up`.",
		Args: cli.Takes(0, 0), Example: "  EASEL_DATABASE_URL=postgres://… EASEL_REDIS_URL=redis://… easel worker",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), false, func(ctx context.Context, e *app.App) error { return e.Work(ctx) })
		}}
}

func (a *program) logTo() app.LogTo {
	return app.LogTo{Writer: a.out.Stderr, Terminal: a.out.ErrTerminal, Color: a.out.ErrColor}
}

// with wires the program and runs work with it.
func (a *program) with(ctx context.Context, migrate bool, work func(context.Context, *app.App) error) error {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	return app.With(ctx, cfg, a.env, a.logTo(), migrate, func(ctx context.Context, e *app.App) error {
		e.Lease = cmp.Or(lease, e.Lease)
		return work(ctx, e)
	})
}

// lease is another one than the app's own. Only tests set it.
var lease time.Duration
