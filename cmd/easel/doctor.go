package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

type verdict string

const (
	fine verdict = "ok"
	warn verdict = "warn" // works, but should be looked at
	bad  verdict = "fail" // easel cannot work like that
)

// finding is what one check found.
type finding struct {
	Check  string  `json:"check"`
	Result verdict `json:"result"`
	Detail string  `json:"detail"`       // what was found
	Do     string  `json:"do,omitempty"` // what to do about it
}

// diagnosis is the answer of doctor.
type diagnosis struct {
	Healthy       bool              `json:"healthy"` // nothing fails
	Findings      []finding         `json:"findings"`
	Configuration map[string]string `json:"configuration"` // in effect, without secrets
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine, the database, Redis and the providers, and say what to do", Args: takes(0, 0),
		Long: "Check the configuration, disk, database, tables, clocks, Redis, workers and the providers' keys.\n" +
			"Nothing is drawn and nothing is spent. The exit code is 1 if a check fails.",
		Example: "  easel doctor\n  easel doctor --json | jq '.findings[] | select(.result != \"ok\")'",
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

// checkTimeout bounds each check that goes over a network.
const checkTimeout = 10 * time.Second

func (a *app) doctor(ctx context.Context) error {
	cfg, err := loadConfig(a.env)
	d := diagnosis{Healthy: true, Configuration: cfg.effective()}
	if err != nil {
		d.add(configFindings(err)...)
	} else {
		d.add(examine(ctx, cfg)...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.out.answer(d, func(w io.Writer) { a.out.diagnosis(w, d) }); err != nil {
		return err
	}
	if !d.Healthy {
		return errPrinted
	}
	return nil
}

func (d *diagnosis) add(findings ...finding) {
	for _, f := range findings {
		d.Findings = append(d.Findings, f)
		d.Healthy = d.Healthy && f.Result != bad
	}
}

func examine(ctx context.Context, cfg config) []finding {
	all := []finding{{Check: "configuration", Result: fine, Detail: "no mistakes" + fileNote(cfg)}}
	for _, note := range cfg.Notes {
		all = append(all, finding{Check: "configuration", Result: warn, Detail: note})
	}
	all = append(all, checkFolder("data folder", cfg.Data), checkPictures(ctx, cfg), checkSpool(cfg.Data))
	all = append(all, checkDatabase(ctx, cfg)...)
	all = append(all, checkRedis(ctx, cfg)...)
	all = append(all, checkWaits(ctx, cfg)...)
	return append(all, checkProviders(ctx, cfg)...)
}

func fileNote(cfg config) string {
	if cfg.File == "" {
		return ", no easel.yaml"
	}
	return " in the environment and in " + cfg.File
}

func configFindings(err error) []finding {
	var all []finding
	for _, m := range mistakesOf(err) {
		all = append(all, finding{Check: "configuration", Result: bad, Detail: m.Error(), Do: "Mend it; the other checks need it"})
	}
	return all
}

func (o *output) diagnosis(w io.Writer, d diagnosis) {
	colors := map[verdict]ink{fine: green, warn: yellow, bad: red}
	t := o.table()
	for _, f := range d.Findings {
		t.AppendRow(table.Row{paint(o.color, colors[f.Result], string(f.Result)), f.Check, oneLine(f.Detail, 500)})
		if f.Do != "" {
			t.AppendRow(table.Row{"", "", paint(o.color, bold, "→ "+oneLine(f.Do, 300))})
		}
	}
	fmt.Fprintln(w, t.Render())
	settingsTable := o.table()
	for _, s := range settings {
		settingsTable.AppendRow(table.Row{"  " + s.name, oneLine(d.Configuration[s.name], 160)})
	}
	fmt.Fprintf(w, "\n%s\n%s\n", o.heading("In effect"), settingsTable.Render())
}
