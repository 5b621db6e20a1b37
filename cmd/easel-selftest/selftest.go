package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	checker "github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/internal/selftest"
)

const help = `Start a whole easel of its own, break it every few seconds, let it settle, and judge
whether it kept its promises.

Postgres, Redis and an S3 server (versitygw) are started in folders of their own if
their programs are found; otherwise a file, a Redis inside this process and a folder
serve, and what cannot be broken there is left out (the clock of Postgres jumps only
where libfaketime is installed). Three workers (one of them with a
clock that is 70 seconds off), two producers and a service that bills run as processes,
with proxies between all of them. The service speaks as ComfyUI, Replicate (which calls
back) and OpenAI do. Nothing of yours is touched, and nothing costs money.

A checker that shares no code with easel compares the service's own book with what
clients were told, the rows, Redis and the stored pictures, and looks for secrets in
logs, pages and tables. Exit code 0 if every promise was kept, 1 if one was broken.`

const examples = `  easel-selftest                         two minutes of faults
  easel-selftest --for 10m               more of them
  easel-selftest --seed 42               the same schedule again
  easel-selftest --faults "worker killed" --faults "redis emptied"
  easel-selftest --list                  the faults there are
  easel-selftest --keep ./evidence       and judge it again: easel-check ./evidence`

func (a *program) root() *cobra.Command {
	var o selftest.Options
	var keep string
	var list bool
	c := &cobra.Command{Use: "easel-selftest", Short: "Attack a throwaway easel and see whether it keeps its promises", Long: help,
		Example: examples, Args: cli.Takes(0, 0), RunE: func(c *cobra.Command, _ []string) error {
			if list {
				return a.listFaults()
			}
			return a.selftest(c.Context(), o, keep)
		}}
	f := c.Flags()
	f.DurationVar(&o.For, "for", 2*time.Minute, "how long things break, 5s to 24h")
	f.DurationVar(&o.Every, "every", 2*time.Second, "mean time between two faults, 100ms to 1m")
	f.Uint64Var(&o.Seed, "seed", 0, "of the schedule; 0 draws one")
	f.IntVar(&o.Rate, "rate", 3, "tasks per second from each of the two producers, 1 to 200")
	f.StringArrayVar(&o.Kinds, "faults", nil, "only these faults; may be given more than once")
	f.StringVar(&o.DatabaseURL, "database-url", "", "an empty database to use instead of one of its own; it is left full")
	f.StringVar(&o.RedisURL, "redis-url", "", "an empty Redis to use instead of one of its own; it is emptied again and again")
	f.StringVar(&keep, "keep", "", "folder that the evidence is kept in; it must not exist yet")
	f.BoolVar(&list, "list", false, "say which faults there are, and do nothing")
	c.SetFlagErrorFunc(cli.FlagError)
	c.CompletionOptions.DisableDefaultCmd = true
	c.AddCommand(a.serviceRole(), a.producerRole(), a.workerRole(), a.upRole())
	return c
}

func (a *program) listFaults() error {
	type fault struct {
		Name string `json:"name"`
		What string `json:"what"`
	}
	var all []fault
	for _, name := range selftest.Kinds() {
		all = append(all, fault{name, selftest.Help(name)})
	}
	return a.out.Answer(all, func(w io.Writer) {
		t := a.out.Table("fault", "what happens")
		for _, f := range all {
			t.AppendRow(table.Row{f.Name, f.What})
		}
		fmt.Fprintln(w, t.Render())
	})
}

func (a *program) selftest(ctx context.Context, o selftest.Options, keep string) (err error) {
	switch {
	case o.For < 5*time.Second || o.For > 24*time.Hour:
		return cli.Usage("--for is %s; accepted are 5s to 24h", o.For)
	case o.Every < 100*time.Millisecond || o.Every > time.Minute:
		return cli.Usage("--every is %s; accepted are 100ms to 1m", o.Every)
	case o.Rate < 1 || o.Rate > 200:
		return cli.Usage("--rate is %d; accepted are 1 to 200", o.Rate)
	}
	if err := selftest.Known(o.Kinds); err != nil {
		return cli.Usage("--faults: %s", err)
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000) + 1
	}
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	o.Easel = easelBeside(o.Program)
	if o.Easel == "" {
		a.out.Say("the program easel is neither beside this one nor on the PATH, so what its commands say is not looked at")
	}
	if o.Folder, err = evidenceFolder(keep); err != nil {
		return err
	}
	bar := a.out.Progress("selftest", 1000)
	o.Progress = func(done, total time.Duration, phase string) { bar.Set(int(1000*done/max(total, 1)), phase) }
	o.Say = bar.Say
	report, err := selftest.Run(ctx, o)
	bar.Stop()
	if keep == "" && (err != nil || report.OK) {
		err = joinRemoved(err, o.Folder)
		report.Folder = ""
	}
	if err != nil {
		return err
	}
	if err := a.out.Answer(report, func(w io.Writer) { tell(a.out, w, report, o) }); err != nil {
		return err
	}
	if !report.OK {
		return cli.ErrPrinted
	}
	return nil
}

// easelBeside returns the path of easel, or nothing if it is not installed.
func easelBeside(program string) string {
	for _, name := range []string{filepath.Join(filepath.Dir(program), "easel"), "easel"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// joinRemoved removes the folder; an earlier error is worth more than one of that.
func joinRemoved(err error, folder string) error {
	if removed := os.RemoveAll(folder); err == nil {
		return removed
	}
	return err
}

// evidenceFolder makes the folder that everything of the test lies in.
func evidenceFolder(keep string) (string, error) {
	if keep == "" {
		return os.MkdirTemp("", "easel-selftest-")
	}
	folder, err := filepath.Abs(keep)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", cli.Usage("--keep: %s", err)
	}
	return folder, nil
}

// tell prints a report for people.
func tell(o *cli.Output, w io.Writer, r selftest.Report, asked selftest.Options) {
	c := r.Judged.Counts
	fmt.Fprintf(w, "%s on %s, %s and %s: %d tasks, %d calls, %d bills\n\n", human.Duration(r.Lasted.Round(time.Second)), r.Servers[0], r.Servers[1], r.Servers[2], c.Tasks, c.Attempts, c.Billed)
	t := o.Table("fault", "times", "went on after", "at worst")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 3, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}})
	for _, f := range r.Faults {
		row := table.Row{f.Kind, f.Count, "", ""}
		if f.Measured > 0 {
			row[2], row[3] = f.Median.Round(10*time.Millisecond), f.Worst.Round(10*time.Millisecond)
		}
		t.AppendRow(row)
	}
	fmt.Fprintln(w, t.Render())
	fmt.Fprintln(w, "(from the end of a fault, of a killed worker from the kill, to the next line in the journal)")
	fmt.Fprintf(w, "\nIt bit: %d writes of zombies refused, %d answers fetched by a later worker, %d outcomes unknown, %d bought again with leave\n\n",
		r.Zombies, c.Resumed, c.Unknown, c.BilledAgain)
	v := o.Table()
	for _, judgement := range r.Judged.Judgements {
		v.AppendRow(table.Row{judgement.ID, judged(o, judgement.State), judgement.Claim})
	}
	fmt.Fprintln(w, v.Render())
	for _, judgement := range r.Judged.Judgements {
		for i, broken := range judgement.Violations {
			if i == 10 {
				fmt.Fprintf(w, "%s: %d more\n", judgement.ID, len(judgement.Violations)-i)
				break
			}
			fmt.Fprintf(w, "%s: task %d %s: %s\n", judgement.ID, broken.Task, broken.Tag, cli.Clean(broken.Text))
		}
	}
	fmt.Fprintf(w, "\nAgain: easel-selftest --seed %d --for %s (the schedule is the same, its effect may not be)\n", r.Seed, human.Duration(asked.For))
	if r.Folder != "" {
		fmt.Fprintf(w, "The evidence is in %s; easel-check judges it again and tells the story of each task.\n", r.Folder)
	}
}

func judged(o *cli.Output, s checker.State) string {
	switch s {
	case checker.Holds:
		return cli.Paint(o.Color, cli.Green, "holds")
	case checker.Violated:
		return cli.Paint(o.Color, cli.Red, "BROKEN")
	}
	return cli.Paint(o.Color, cli.Grey, "not measured")
}
