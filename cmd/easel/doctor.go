package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/doctor"
)

func (a *program) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine, the database, Redis and the providers, and say what to do", Args: cli.Takes(0, 0),
		Long: "Check the configuration, disk, database, tables, clocks, Redis, workers and the providers' keys.\n" +
			"Nothing is drawn and nothing is spent. The exit code is 1 if a check fails.",
		Example: "  easel doctor\n  easel doctor --json | jq '.findings[] | select(.result != \"ok\")'",
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

func (a *program) doctor(ctx context.Context) error {
	cfg, err := config.Load(a.env, kinds)
	d := doctor.OfMistakes(cfg, err)
	if err == nil {
		d = doctor.Examine(ctx, cfg)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.out.Answer(d, func(w io.Writer) { a.out.diagnosis(w, d) }); err != nil {
		return err
	}
	if !d.Healthy {
		return cli.ErrPrinted
	}
	return nil
}

func (o *output) diagnosis(w io.Writer, d doctor.Diagnosis) {
	colors := map[doctor.Severity]cli.Ink{doctor.OK: cli.Green, doctor.Warn: cli.Yellow, doctor.Fail: cli.Red}
	t := o.Table()
	for _, f := range d.Findings {
		t.AppendRow(table.Row{cli.Paint(o.Color, colors[f.Result], string(f.Result)), f.Check, cli.OneLine(f.Detail, 500)})
		if f.Do != "" {
			t.AppendRow(table.Row{"", "", cli.Paint(o.Color, cli.Bold, "→ "+cli.OneLine(f.Do, 300))})
		}
	}
	fmt.Fprintln(w, t.Render())
	settingsTable := o.Table()
	for _, s := range config.Settings {
		settingsTable.AppendRow(table.Row{"  " + s.Name, cli.OneLine(d.Configuration[s.Name], 160)})
	}
	fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("In effect"), settingsTable.Render())
}
