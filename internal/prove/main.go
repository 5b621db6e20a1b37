// Command prove shows that easel keeps its promises: it lives through random and
// placed faults, kills and freezes the real program at every point, lets the
// selftest loose, and breaks easel on purpose to see that this is noticed. It
// ends with 0 if all of that held, with 1 if something did not, and with 2 if it
// could not begin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	exitHeld   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `usage: go run ./internal/prove [flags]

Shows that easel keeps its promises, and prints one table. Its parts:

`

// choices are what a person may choose.
type choices struct {
	only     string
	seeds    int
	first    uint64
	selftest time.Duration
	mutants  int
	logs     string
	json     bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c choices
	flags := flag.NewFlagSet("prove", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		for _, p := range parts {
			fmt.Fprintf(stderr, "  %-9s %s\n", p.name, p.about)
		}
		fmt.Fprintln(stderr)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.only, "only", "", "run these parts alone, with commas between them")
	flags.IntVar(&c.seeds, "seeds", 2000, "how many random schedules are lived through")
	flags.Uint64Var(&c.first, "first", 1, "the first seed")
	flags.DurationVar(&c.selftest, "selftest", 2*time.Minute, "how long the selftest makes faults")
	flags.IntVar(&c.mutants, "mutants", 0, "how many mutants are run, from all over their list; 0 is every one")
	flags.StringVar(&c.logs, "logs", filepath.Join("bin", "prove"), "folder below the module for what the parts print")
	flags.BoolVar(&c.json, "json", false, "print the result as JSON")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitHeld
	case err != nil:
		return exitUsage // the flags have said it
	}
	chosen, err := c.validate(flags.Args())
	if err == nil {
		var p *prover
		if p, err = newProver(ctx, c, stderr); err == nil {
			defer os.RemoveAll(p.temp)
			return p.prove(ctx, chosen, stdout)
		}
	}
	fmt.Fprintln(stderr, "prove:", err)
	return exitUsage
}

// validate returns the chosen parts, in the order in which they run.
func (c choices) validate(rest []string) ([]part, error) {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("%q is no flag; see --help", rest))
	}
	if c.seeds < 1 || c.first < 1 {
		errs = append(errs, fmt.Errorf("seeds is %d and first is %d; accepted are numbers above zero", c.seeds, c.first))
	}
	if c.selftest < time.Second {
		errs = append(errs, fmt.Errorf("selftest is %s; accepted is one second and more", c.selftest))
	}
	if c.mutants < 0 {
		errs = append(errs, fmt.Errorf("mutants is %d; accepted is 0 for all of them, and numbers above", c.mutants))
	}
	if c.only == "" {
		return parts, errors.Join(errs...)
	}
	var chosen []part
	wanted := strings.Split(c.only, ",")
	for _, p := range parts {
		if slices.Contains(wanted, p.name) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			errs = append(errs, fmt.Errorf("there is no part %q; see --help", name))
		}
	}
	return chosen, errors.Join(errs...)
}

// moduleRoot is where go.mod lies.
func moduleRoot(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(said))
	if err != nil || file == "" || file == os.DevNull {
		return "", fmt.Errorf("run it inside of easel's source: no go.mod found: %w", errors.Join(err, os.ErrNotExist))
	}
	return filepath.Dir(file), nil
}
