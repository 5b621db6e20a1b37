package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/demo"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

const demoHelp = `Start everything in this process, bring tasks in through every door,
and show what becomes of each. The pictures are drawn by the built-in provider
"` + all.Free + `", which costs nothing and can be told to fail.

It works on the same database, queue and folder as ` + "`easel up`" + ` would, so
` + "`easel list`, `easel show ID`" + ` and the pages tell more about the tasks afterwards.`

func (a *program) demoCommand() *cobra.Command {
	var exit bool
	c := &cobra.Command{Use: "demo", Short: fmt.Sprintf("See it work: %d tasks through every door and every end", len(demo.Playbill())), Long: demoHelp, Args: cli.Takes(0, 0),
		Example: "  easel demo\n  easel demo --exit    for scripts: 0 only if every task ended as it should",
		RunE:    func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), exit) }}
	c.Flags().BoolVar(&exit, "exit", false, "end when the tasks have ended, instead of going on to serve the pages")
	return c
}

func (a *program) demo(ctx context.Context, exit bool) error {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	if config.Variables(a.env)["EASEL_LOG"] == "" {
		cfg.LogLevel = zerolog.ErrorLevel // failures are part of the show
	}
	sketch := cfg.Services[all.Free]
	if sketch == nil {
		return cli.Usage("the demo draws with the provider " + all.Free + "; take it back into easel.yaml")
	}
	sketch.Retry.Base = 500 * time.Millisecond
	listener, err := demo.Listen(ctx, &cfg)
	if err != nil {
		return err
	}
	e, err := app.New(ctx, cfg, app.NewLog(a.logTo(), cfg), true)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer e.Close()

	group, running := errgroup.WithContext(ctx)
	working, stop := context.WithCancel(running)
	defer stop()
	group.Go(func() error { return e.Run(working, listener) })
	group.Go(func() error {
		defer stop()
		show, err := a.perform(working, e)
		if err != nil {
			return err
		}
		if err := a.out.Answer(show, func(w io.Writer) { a.out.show(w, show, !exit) }); err != nil {
			return err
		}
		if exit {
			a.out.Say("These pages end now; `easel up` serves pages that stay.")
		} else {
			a.out.Say("The pages stay until you press ^C.")
			<-working.Done()
		}
		if !show.AsExpected {
			return cli.ErrPrinted
		}
		return nil
	})
	return group.Wait()
}

// perform plays the demo and shows how far it is.
func (a *program) perform(ctx context.Context, e *app.App) (*demo.Performance, error) {
	acts := demo.Playbill()
	bar := a.out.Progress(fmt.Sprintf("%d tasks", len(acts)), len(acts))
	defer bar.Stop()
	return demo.Perform(ctx, e, acts, a.enqueueByCommand, func(ended int) {
		bar.Set(ended, fmt.Sprintf("%d of %d ended", ended, len(acts)))
	})
}

// enqueueByCommand runs `easel enqueue` with the arguments, as a shell would, on the same
// database, and returns the task's id.
func (a *program) enqueueByCommand(ctx context.Context, args ...string) (int64, error) {
	var out, complaint bytes.Buffer
	if code := run(ctx, append([]string{"enqueue", "--json"}, args...), strings.NewReader(""), &out, &complaint, a.env); code != cli.ExitOK {
		return 0, fmt.Errorf("easel enqueue ended with %d: %s", code, complaint.String())
	}
	var answer enqueued
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return 0, err
	}
	return answer.Task.ID, nil
}

// show prints the table of what became of each task, and where the pages are if they stay.
func (o *output) show(w io.Writer, p *demo.Performance, stay bool) {
	t := o.Table("id", "what it shows", "door", "ended", "calls", "picture or reason")
	for _, act := range p.Acts {
		status := statusText(o, act)
		id := any(act.ID)
		if act.ID == 0 {
			id = "-"
		}
		t.AppendRow(table.Row{id, act.Shows, act.Door, status, act.Calls, cli.OneLine(act.Result, 60)})
	}
	fmt.Fprintln(w, t.Render())
	fmt.Fprintf(w, "\npictures  %s\n", p.Pictures)
	if stay {
		fmt.Fprintf(w, "page      %s\nqueues    %s/queues\n", p.Page, p.Page)
	}
	if !p.AsExpected {
		fmt.Fprintln(w, "\n"+cli.Paint(o.Color, cli.Red, "Not every task went as it should."))
	}
}

func statusText(o *output, act *demo.Act) string {
	text := string(act.Status)
	if act.Wrong != "" {
		return cli.Paint(o.Color, cli.Red, act.Wrong)
	}
	if act.Status == task.Completed {
		return cli.Paint(o.Color, cli.Green, text)
	}
	return text
}
