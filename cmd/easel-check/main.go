// Command easel-check reads the evidence that a run of easel left in a folder
// and says which promises it kept. It ends with 0 if nothing is violated, with 1
// if something is, and with 2 if the evidence or the arguments cannot be read.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/easelqueue/easel/check"
)

const (
	exitHolds    = 0
	exitViolated = 1
	exitUnread   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `usage: easel-check [flags] FOLDER

Judges the evidence in FOLDER: ledger.jsonl, clients.jsonl, tables.json,
redis.json, pictures.json, run.json and, if they are there, faults.jsonl,
history.jsonl and sinks/. Ends with 0 if nothing is violated, with 1 if
something is, and with 2 if the evidence cannot be read.

`

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("easel-check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	var limits check.Limits
	asJSON := flags.Bool("json", false, "print the report as JSON")
	flags.BoolVar(&limits.MustBite, "must-bite", false, "a run in which nothing was refused, resumed or unknown is a violation")
	flags.DurationVar(&limits.Clock, "clock", 0, "how far the clocks of two books may be apart (default what run.json says, or 5ms)")
	flags.DurationVar(&limits.Slack, "slack", 0, "how long before and after its time a fault may show (default 2s, or what run.json says of the clocks if that is more)")
	flags.DurationVar(&limits.Search, "search", 0, "bound of the search for an order that explains the history (default 1m)")
	flags.IntVar(&limits.Stories, "stories", 0, "tasks whose story is told (default 50)")
	folder, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitHolds
	case err != nil:
		return exitUnread // the flags have said it
	case folder == "":
		flags.Usage()
		return exitUnread
	}
	if err := validate(limits); err != nil {
		fmt.Fprintln(stderr, "easel-check:", err)
		return exitUnread
	}
	evidence, err := check.Read(os.DirFS(folder))
	if err != nil {
		fmt.Fprintln(stderr, "easel-check:", err)
		return exitUnread
	}
	evidence.Limits = limits
	report := evidence.Judge()
	if err := show(stdout, report, *asJSON); err != nil {
		fmt.Fprintln(stderr, "easel-check:", err)
		return exitUnread
	}
	if !report.OK {
		return exitViolated
	}
	return exitHolds
}

func validate(l check.Limits) error {
	var errs []error
	for name, d := range map[string]time.Duration{"clock": l.Clock, "slack": l.Slack, "search": l.Search} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s is %s; accepted are durations above zero", name, d))
		}
	}
	if l.Stories < 0 {
		errs = append(errs, fmt.Errorf("stories is %d; accepted are numbers above zero", l.Stories))
	}
	return errors.Join(errs...)
}

// parse takes the one folder and the flags, in any order. The folder is empty
// if there is none, or more than one.
func parse(flags *flag.FlagSet, args []string) (folder string, err error) {
	var folders []string
	for {
		if err := flags.Parse(args); err != nil {
			return "", err
		}
		if flags.NArg() == 0 {
			break
		}
		folders, args = append(folders, flags.Arg(0)), flags.Args()[1:]
	}
	if len(folders) != 1 {
		return "", nil
	}
	return folders[0], nil
}

func show(w io.Writer, report check.Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return table(w, report)
}
