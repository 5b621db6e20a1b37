package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

const queuesHelp = `Show how the queues of the providers stand, and hold them or let them go on. A provider
has three queues: its name stands for all of them, and openai:high for one. What is
at a worker goes on while its queue is paused; nothing new begins. Pause and resume need EASEL_REDIS_URL:
` + "`easel up`" + ` without one keeps its queues in its own memory, with buttons at /queues.`

func (a *program) queuesCommand() *cobra.Command {
	c := &cobra.Command{Use: "queues [COMMAND]", Short: "Show the queues, pause and resume them", Long: queuesHelp, Args: cli.Takes(0, 0),
		Example: "  easel queues\n  easel queues pause openai\n  easel queues resume openai:high",
		RunE:    func(c *cobra.Command, _ []string) error { return a.queues(c.Context()) }}
	c.AddCommand(
		&cobra.Command{Use: "pause NAME...", Short: "Begin nothing new from these queues", Args: cli.Takes(1, cli.Many),
			RunE: func(c *cobra.Command, args []string) error { return a.hold(c.Context(), args, true) }},
		&cobra.Command{Use: "resume NAME...", Short: "Let paused queues go on", Args: cli.Takes(1, cli.Many),
			RunE: func(c *cobra.Command, args []string) error { return a.hold(c.Context(), args, false) }})
	return c
}

// standings is the answer of queues.
type standings struct {
	Queues map[string]waiting.Queue `json:"queues"`
}

func (a *program) queues(ctx context.Context) error {
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	w := app.NewWatcher(cfg, s, func(string, ...any) {}) // all that it says is the error
	defer w.Close()
	world, err := w.World(ctx)
	switch {
	case err != nil:
		return err
	case world.Redis != "":
		return fmt.Errorf("redis does not answer: %s; start it, or see `easel doctor`", world.Redis)
	case w.Other() != nil: // whose buttons are for other queues
		return w.Other()
	case world.Blind:
		return inside(ctx, cfg)
	}
	return a.out.Answer(standings{world.Queues}, func(w io.Writer) { a.out.standings(w, world) })
}

func (o *output) standings(w io.Writer, world *waiting.World) {
	t := o.Table("queue", "waiting", "at workers", "paused since")
	for _, name := range slices.Sorted(maps.Keys(world.Queues)) {
		q, paused := world.Queues[name], ""
		if !q.Paused.IsZero() {
			paused = human.Minute(q.Paused)
		}
		t.AppendRow(table.Row{cli.OneLine(name, 40), q.Waiting, q.Active, paused})
	}
	fmt.Fprintln(w, t.Render())
}

// inside says why the queues of an easel without a Redis of its own cannot be reached, and
// what to do instead.
func inside(ctx context.Context, cfg config.Config) error {
	ways := "use the buttons at " + cfg.PublicURL + "/queues/, which are there with EASEL_QUEUES=write; or set the same EASEL_REDIS_URL for both"
	if err := app.Ping(ctx, cfg); err != nil {
		return errors.New("the queues are in the memory of `easel up`, and none answers at EASEL_LISTEN=" + cfg.Listen + ". Start it; then " + ways)
	}
	return errors.New("`easel up` keeps its queues in its own memory, where this command does not reach: " + ways)
}

// held is the answer of queues pause and queues resume.
type held struct {
	Queues []string `json:"queues"`
	Paused bool     `json:"paused"`
}

func (a *program) hold(ctx context.Context, names []string, pause bool) error {
	cfg, err := config.Load(a.env, kinds)
	switch {
	case err != nil:
		return err
	case cfg.RedisURL == "":
		return inside(ctx, cfg)
	}
	for _, name := range names {
		provider, priority, found := strings.Cut(name, ":")
		switch {
		case !slices.Contains(cfg.Services.Names(), provider):
			meant := ""
			if near := human.Nearest(provider, cfg.Services.Names()); near != "" {
				meant = " (did you mean " + near + "?)"
			}
			return cli.Usage("queue %s is of no provider that is configured; they are %s%s", human.Quoted(name), strings.Join(cfg.Services.Names(), ", "), meant)
		case found && priority != task.High.String() && priority != task.Low.String():
			return cli.Usage("there is no queue %s; %[2]s has %[2]s, %[2]s:%[3]s and %[2]s:%[4]s", human.Quoted(name), provider, task.High, task.Low)
		}
	}
	client, err := queue.Redis(string(cfg.RedisURL))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, app.RedisTimeout)
	defer cancel()
	answer := held{Paused: pause}
	if answer.Queues, err = (&queue.Queue{Redis: client}).SetPaused(ctx, names, pause); err != nil {
		return fmt.Errorf("redis at %s does not take it: %w; see `easel doctor`", cfg.RedisURL, err)
	}
	verb := map[bool]string{true: "paused", false: "resumed"}[pause]
	return a.out.Answer(answer, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", verb, strings.Join(answer.Queues, ", ")) })
}
