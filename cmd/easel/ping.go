package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
)

const pingHelp = `Ask the ` + "`easel up`" + ` of this machine whether it serves, at the port of EASEL_LISTEN.
It needs no shell, so that containers can use it as their health check. Services
that draw, database and Redis are not asked: ` + "`easel doctor`" + ` does that.`

func (a *program) pingCommand() *cobra.Command {
	return &cobra.Command{Use: "ping", Short: "Is `easel up` of this machine there? Exit code 0 or 1", Long: pingHelp, Args: cli.Takes(0, 0),
		Example: "  easel ping",
		RunE:    func(c *cobra.Command, _ []string) error { return a.ping(c.Context()) }}
}

// pinged is the answer of ping.
type pinged struct {
	URL string `json:"url"`
}

func (a *program) ping(ctx context.Context) error {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	answer, began := pinged{app.PingURL(cfg)}, time.Now()
	if err := app.Ping(ctx, cfg); err != nil {
		return err
	}
	return a.out.Answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s answers in %s\n", answer.URL, human.English.Took(time.Since(began)))
	})
}
