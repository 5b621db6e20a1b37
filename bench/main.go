//go:build unix

// Command bench measures easel beside others that do the same durable job, in one run and by
// turns, so that a busy machine is as busy for all of them.
//
// The job: a row is committed as pending and its task enqueued; a worker picks it up, sets the row
// to processing, calls a provider that does nothing, inserts one result and completes the row.
// It is a module of its own: what only the others need is no dependency of easel.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := bench
	if len(os.Args) > 1 && os.Args[1] == workCommand {
		run = work
	}
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what a run measures.
type plan struct {
	Tasks   int      `json:"tasks"`  // of a drain
	Rounds  int      `json:"rounds"` // each measures everything once
	Slots   int      `json:"slots"`  // tasks that a worker works on at once
	Only    []string `json:"only"`   // contenders
	Measure []string `json:"measure"`
	Profile string   `json:"profile,omitempty"` // a folder; empty profiles nothing
}

// measures are all that can be measured, in the order of the report.
var measures = []string{"drain", "enqueue", "pickup"}

func bench(ctx context.Context, args []string) error {
	p := plan{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.Tasks, "tasks", 2000, "tasks that each drain works on")
	flags.IntVar(&p.Rounds, "rounds", 3, "how often each measure is taken")
	flags.IntVar(&p.Slots, "slots", 64, "tasks that a worker works on at once")
	flags.StringVar(&p.Profile, "profile", "", "folder for profiles of the workers while they drain, and for the statements of PostgreSQL; it slows all down a little")
	only := flags.String("only", strings.Join(names(), ","), "whom to measure")
	what := flags.String("measure", strings.Join(measures, ","), "what to measure")
	asJSON := flags.Bool("json", false, "print every measured value as JSON")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	p.Only, p.Measure = strings.Split(*only, ","), strings.Split(*what, ",")
	if err := p.validate(); err != nil {
		return err
	}
	r, err := p.run(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	return r.print(os.Stdout)
}

func (p plan) validate() error {
	var errs []error
	if p.Tasks < 100 {
		errs = append(errs, fmt.Errorf("--tasks is %d; it must be at least 100", p.Tasks))
	}
	if p.Rounds < 1 {
		errs = append(errs, fmt.Errorf("--rounds is %d; it must be at least 1", p.Rounds))
	}
	if p.Slots < 1 {
		errs = append(errs, fmt.Errorf("--slots is %d; it must be at least 1", p.Slots))
	}
	for _, name := range p.Only {
		if _, known := contenders[name]; !known {
			errs = append(errs, fmt.Errorf("--only names %q; there are %s", name, strings.Join(names(), ", ")))
		}
	}
	for _, name := range p.Measure {
		if !slices.Contains(measures, name) {
			errs = append(errs, fmt.Errorf("--measure names %q; there are %s", name, strings.Join(measures, ", ")))
		}
	}
	return errors.Join(errs...)
}
