package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// part is one way to show something.
type part struct {
	name, about string
	run         func(ctx context.Context, p *prover, r *result) error
}

// result is what a part has shown.
type result struct {
	Part   string   `json:"part"`
	Cases  int      `json:"cases"`
	Passed int      `json:"passed"`
	Failed []string `json:"failed"` // names of cases
	Took   float64  `json:"took_seconds"`
	OK     bool     `json:"ok"`
	Error  string   `json:"error,omitempty"` // why it could not be run to its end
	Log    string   `json:"log,omitempty"`

	log io.Writer
}

// passed and failed count one case.
func (r *result) passed() {
	r.Cases++
	r.Passed++
}

func (r *result) failed(name string) {
	r.Cases++
	r.Failed = append(r.Failed, name)
}

// prover runs parts one after the other.
type prover struct {
	choices
	root string // of the module
	temp string // for what is built
	show *progress
}

func newProver(ctx context.Context, c choices, stderr io.Writer) (*prover, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(c.logs) {
		c.logs = filepath.Join(root, c.logs)
	}
	if err := os.MkdirAll(c.logs, 0o755); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	temp, err := os.MkdirTemp("", "easel-prove-*")
	if err != nil {
		return nil, err
	}
	return &prover{choices: c, root: root, temp: temp, show: newProgress(stderr)}, nil
}

// prove runs the parts, prints what they have shown and returns the exit code.
// A part that fails keeps no other from running; an interrupt does.
func (p *prover) prove(ctx context.Context, chosen []part, stdout io.Writer) int {
	began := time.Now()
	report := report{OK: true}
	for _, one := range chosen {
		r := p.live(ctx, one)
		report.Parts = append(report.Parts, r)
		report.OK = report.OK && r.OK
		p.show.line("%s: %s in %s", r.Part, r.verdict(), seconds(r.Took))
	}
	report.Took = time.Since(began).Seconds()
	if err := report.print(stdout, p.json); err != nil || !report.OK {
		return exitFailed
	}
	return exitHeld
}

func (p *prover) live(ctx context.Context, one part) result {
	began := time.Now()
	r := result{Part: one.name, Failed: []string{}}
	err := ctx.Err()
	if err == nil {
		p.show.line("%s: %s", one.name, one.about)
		err = p.logged(ctx, one, &r)
	}
	if err != nil {
		r.Error = err.Error()
	}
	r.OK = err == nil && r.Cases > 0 && r.Passed == r.Cases
	r.Took = time.Since(began).Seconds()
	return r
}

// logged runs the part with a log of its own.
func (p *prover) logged(ctx context.Context, one part, r *result) error {
	r.Log = filepath.Join(p.logs, one.name+".log")
	log, err := os.Create(r.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	r.log = log
	if err := one.run(ctx, p, r); err != nil {
		return err
	}
	return ctx.Err()
}

// command is a program that runs in a folder of the module. It gets an interrupt
// when ctx ends, and half a minute to take down what it has started.
func (p *prover) command(ctx context.Context, folder, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = filepath.Join(p.root, folder)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	return c
}

// build runs the go command, whose complaints go to the log.
func (p *prover) build(ctx context.Context, r *result, args ...string) error {
	c := p.command(ctx, ".", "go", args...)
	c.Stdout, c.Stderr = r.log, r.log
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s: %w", args[0], err)
	}
	return nil
}
