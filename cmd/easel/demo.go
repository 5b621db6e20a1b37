package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

const demoHelp = `Start everything in this process, bring some twenty tasks in through every door,
and show what becomes of each. The pictures are drawn by the built-in provider
"` + all.Free + `", which costs nothing and can be told to fail.

It works on the same database, queue and folder as ` + "`easel up`" + ` would, so
` + "`easel list`, `easel show ID`" + ` and the pages tell more about the tasks afterwards.`

// demoLimit bounds the demo; it takes some ten seconds.
const demoLimit = 2 * time.Minute

func (a *program) demoCommand() *cobra.Command {
	var exit bool
	c := &cobra.Command{Use: "demo", Short: "See it work: twenty tasks through every door and every end", Long: demoHelp, Args: cli.Takes(0, 0),
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
	listener, err := listenAnywhere(ctx, &cfg)
	if err != nil {
		return err
	}
	e, err := app.New(ctx, cfg, app.NewLog(a.out.Output, cfg), true)
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
		if err := a.out.Answer(show, func(w io.Writer) { a.out.show(w, e, show) }); err != nil {
			return err
		}
		if exit {
			a.out.Say("`easel up` serves the pages again.")
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

// listenAnywhere takes another port where the usual one is in use.
func listenAnywhere(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	usual := "http://" + cfg.Listen
	listener, err := app.Listen(ctx, *cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(cfg.Listen)
		cfg.Listen = net.JoinHostPort(host, "0")
		listener, err = app.Listen(ctx, *cfg)
	}
	if err != nil {
		return nil, err
	}
	if at := listener.Addr().String(); cfg.PublicURL == usual && usual != "http://"+at {
		cfg.Listen, cfg.PublicURL = at, "http://"+at
	}
	return listener, nil
}

// performance is the answer of demo.
type performance struct {
	AsExpected bool   `json:"as_expected"`
	Acts       []*act `json:"tasks"`
	Pictures   string `json:"pictures"` // folder
	Page       string `json:"page"`
}

// act is one task of the demo and what must become of it.
type act struct {
	Shows    string      `json:"shows"`
	Door     string      `json:"door"`
	Want     task.Status `json:"want"`
	ID       int64       `json:"id,omitempty"` // 0 if the door refused it
	Status   task.Status `json:"status,omitempty"`
	Result   string      `json:"result"`
	Calls    int         `json:"calls"`
	Pictures int         `json:"pictures"`
	Wrong    string      `json:"wrong,omitempty"` // what is not as it should be

	task         task.Task
	enter        door
	wantCalls    int // 0 is any number, none is none
	wantPictures int
	// when the task has this status for the first time, then does something to it.
	when task.Status
	then func(context.Context, *app.App, int64) error
	done bool
}

// perform brings all tasks in and waits for their ends.
func (a *program) perform(ctx context.Context, e *app.App) (*performance, error) {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	acts := playbill()
	if err := a.enterAll(ctx, e, acts); err != nil {
		return nil, err
	}
	bar := a.out.Progress(fmt.Sprintf("%d tasks", len(acts)), len(acts))
	defer bar.Stop()
	for {
		ended, err := follow(ctx, e, acts)
		if err != nil {
			return nil, err
		}
		bar.Set(ended, fmt.Sprintf("%d of %d ended", ended, len(acts)))
		if ended == len(acts) || pause(ctx, 100*time.Millisecond) != nil {
			break
		}
	}
	bar.Stop()
	pictures, err := filepath.Abs(e.Config.Pictures)
	if err != nil {
		return nil, err
	}
	p := &performance{AsExpected: true, Acts: acts, Pictures: pictures, Page: e.Config.PublicURL}
	for _, act := range acts {
		if err := conclude(context.WithoutCancel(ctx), e, act); err != nil {
			return nil, err
		}
		act.Wrong = act.judge()
		p.AsExpected = p.AsExpected && act.Wrong == ""
	}
	return p, nil
}

// enterAll brings tasks in, those of one door together.
func (a *program) enterAll(ctx context.Context, e *app.App, acts []*act) error {
	for len(acts) > 0 {
		door := acts[0].enter
		n := slices.IndexFunc(acts, func(next *act) bool { return next.Door != acts[0].Door })
		if n < 0 {
			n = len(acts)
		}
		if err := door(ctx, a, e, acts[:n]); err != nil {
			return fmt.Errorf("%s: %w", acts[0].Door, err)
		}
		acts = acts[n:]
	}
	return nil
}

// follow notes where the tasks stand, does what is to be done to them, and
// counts those that have ended.
func follow(ctx context.Context, e *app.App, acts []*act) (ended int, err error) {
	for _, act := range acts {
		if act.done {
			ended++
			continue
		}
		t, err := e.Tasks.Get(ctx, act.ID)
		if err != nil {
			return ended, err
		}
		act.Status = t.Status
		switch {
		case act.then != nil && t.Status == act.when:
			if err := act.then(ctx, e, act.ID); err != nil {
				return ended, err
			}
			act.then = nil
		case act.then == nil && t.Status.Final():
			act.done = true
			ended++
		}
	}
	return ended, nil
}

// conclude fills in what there is to say about an ended task.
func conclude(ctx context.Context, e *app.App, act *act) error {
	if act.ID == 0 {
		return nil
	}
	attempts, err := e.Tasks.Attempts(ctx, act.ID)
	if err != nil {
		return err
	}
	t, err := e.Tasks.Get(ctx, act.ID)
	if err != nil {
		return err
	}
	results, err := e.Tasks.Results(ctx, act.ID)
	if err != nil {
		return err
	}
	act.Calls, act.Pictures = made(attempts), len(results)
	switch {
	case t.Status == task.Completed && len(results) == 1:
		act.Result = results[0].StorageKey
	case t.Status == task.Completed:
		act.Result = fmt.Sprintf("%d pictures from %s", len(results), results[0].StorageKey)
	default:
		act.Result = t.ErrorMsg
	}
	return nil
}

// show prints the table of what became of each task.
func (o *output) show(w io.Writer, e *app.App, p *performance) {
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
	fmt.Fprintf(w, "\npictures  %s\npage      %s\nqueues    %s/queues\n", p.Pictures, p.Page, p.Page)
	if !p.AsExpected {
		fmt.Fprintln(w, "\n"+cli.Paint(o.Color, cli.Red, "Not every task went as it should."))
	}
}

func statusText(o *output, act *act) string {
	text := string(act.Status)
	if act.Wrong != "" {
		return cli.Paint(o.Color, cli.Red, act.Wrong)
	}
	if act.Status == task.Completed {
		return cli.Paint(o.Color, cli.Green, text)
	}
	return text
}
