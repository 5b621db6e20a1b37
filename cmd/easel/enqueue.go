package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

const enqueueHelp = `Bring a task to the queue. The prompt may be - to be read from stdin, and is left
out with --file, a file with one JSON object per line whose names are those of
` + "`easel show --json`" + `; flags are the defaults of its lines.

With --wait the paths of the pictures are all that goes to stdout.`

const enqueueExamples = `  easel enqueue "a red fox in the snow" --wait
  easel enqueue "一只红狐狸" --provider volcengine --size 2K
  easel enqueue "the same in oil" --provider openai --input fox.png --quality high
  easel enqueue "tomorrow's cover" --at "2026-12-01 06:00" --key cover-2026-12-01
  easel enqueue --file tasks.jsonl --provider openai --wait`

// order is what the flags of enqueue say.
type order struct {
	requestFlags
	file     string
	fromLine int
	wait     bool
}

func (a *program) enqueueCommand() *cobra.Command {
	var o order
	c := &cobra.Command{Use: "enqueue PROMPT", Short: "Bring a task to the queue", Long: enqueueHelp, Example: enqueueExamples,
		Args: onePrompt}
	o.requestFlags.add(c)
	c.Flags().StringVar(&o.file, "file", "", "enqueue every line of this JSON Lines file")
	c.Flags().IntVar(&o.fromLine, "from-line", 1, "with --file: begin at this line, to go on after an interruption")
	c.Flags().BoolVar(&o.wait, "wait", false, "wait for the end and print the pictures' paths")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case o.file != "" && len(args) > 0:
			return cli.Usage("give either a PROMPT or --file, not both")
		case o.file != "" && o.key != "":
			return cli.Usage("--key stands for one task; with --file give each line its own idempotency_key")
		case o.file != "":
			return a.enqueueFile(c, &o)
		case len(args) == 0:
			return cli.Usage("the PROMPT is missing; see `easel enqueue --help`")
		}
		return a.enqueueOne(c, &o, args[0])
	}
	return c
}

// onePrompt refuses the words of a prompt that the shell has parted.
func onePrompt(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return cli.Usage("the PROMPT came as %d words; quote it: easel enqueue %q", len(args), human.Shorten(strings.Join(args, " "), 80))
	}
	return nil
}

// enqueued is the answer of enqueue.
type enqueued struct {
	Task    *task.Task    `json:"task"`
	Created bool          `json:"created"`           // false if the key was known: nothing was made
	Results []task.Result `json:"results,omitempty"` // with --wait
	Paths   []string      `json:"paths,omitempty"`   // with --wait: where the pictures lie
}

// stored says whether the task is new.
func (e enqueued) stored() string {
	if e.Created {
		return fmt.Sprintf("task %d is enqueued", e.Task.ID)
	}
	return fmt.Sprintf("nothing new is enqueued: the key stands for task %d, which is %s", e.Task.ID, e.Task.Status)
}

func (a *program) enqueueOne(c *cobra.Command, o *order, prompt string) error {
	ctx := c.Context()
	prompt, err := a.prompt(prompt)
	if err != nil {
		return err
	}
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	t, err := o.task(c)
	if err != nil {
		return err
	}
	t.Prompt = prompt
	if err := o.otherFallbacks(t); err != nil {
		return err
	}
	if err := check(cfg, t); err != nil {
		return err // before a database is opened for nothing
	}
	s, err := openToAdd(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := o.times(ctx, t, s); err != nil {
		return err
	}
	if o.at != "" && t.RunAt.Before(time.Now()) {
		a.out.Say("--at has passed: the task is due now")
	}
	client, done := app.OpenClient(ctx, cfg, s, a.out.Say)
	defer done()
	var created bool
	err = s.ForPerson(ctx, func(ctx context.Context) (err error) {
		created, err = client.Enqueue(ctx, t)
		return err
	})
	if err != nil {
		return err
	}
	answer := enqueued{Task: t, Created: created}
	if o.wait {
		return a.waitForOne(ctx, cfg, s, answer)
	}
	return a.out.Answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s; `easel show %d` tells how it goes\n", answer.stored(), t.ID)
	})
}

// openToAdd opens the database for new tasks. A file that is not there is refused: nobody would
// draw them, for who started the command in another folder than `easel up`.
func openToAdd(ctx context.Context, cfg config.Config) (*store.Store, error) {
	if err := app.NoDatabase(cfg); err != nil {
		return nil, err
	}
	return app.OpenOrCreate(ctx, cfg)
}

// otherFallbacks refuses one that is what t begins with. A provider alone means its default
// model, which is another one where t names a model.
func (o *order) otherFallbacks(t *task.Task) error {
	begins := t.Provider
	if t.Model != "" {
		begins += ":" + t.Model
	}
	if slices.Contains(o.fallbacks, begins) {
		return cli.Usage("--fallback %s is what the task begins with; accepted are other providers, or another model as provider:model", human.Quoted(begins))
	}
	return nil
}

// check refuses what no worker could do.
func check(cfg config.Config, t *task.Task) error {
	if err := t.Validate(); err != nil {
		return err
	}
	_, _, err := cfg.Services.Check(t)
	if _, configured := cfg.Services[t.Provider]; configured || err == nil {
		return err
	}
	return notConfigured(cfg, t.Provider)
}

// notConfigured is the failure of a task whose provider has no configuration, and says what it
// takes where easel knows it.
func notConfigured(cfg config.Config, name string) error {
	f := cfg.Services.Unknown(name)
	k, known := cfg.Kinds.Named(name)
	switch near := human.Nearest(name, cfg.Kinds.Names()); {
	case known && k.KeyVariable != "" && k.BaseURL != "" && !k.KeyOptional:
		f.Message, _, _ = strings.Cut(f.Message, " (did you mean")
		f.Advice, f.About = task.GiveKey, k.KeyVariable
	case known:
		f.Message, _, _ = strings.Cut(f.Message, " (did you mean")
		f.Message += "; " + name + " is configured in easel.yaml, with its base_url: docs/providers.md has an example"
		f.Advice = ""
	case near != "" && !strings.Contains(f.Message, "did you mean"):
		f.Message += " (did you mean " + near + "?)"
	}
	return f
}

func (a *program) waitForOne(ctx context.Context, cfg config.Config, s *store.Store, answer enqueued) error {
	a.out.Say("%s", answer.stored())
	w := waiter{out: a.out, tasks: s}
	ended, err := w.wait(ctx, []int64{answer.Task.ID})
	if err != nil {
		return err
	}
	answer.Task = &ended[0]
	err = s.ForPerson(ctx, func(ctx context.Context) (err error) {
		answer.Results, err = s.Results(ctx, answer.Task.ID)
		return err
	})
	if err != nil {
		return err
	}
	answer.Paths = paths(cfg, answer.Task, answer.Results)
	bad := ending(answer.Task)
	if bad != nil && !a.out.JSON {
		a.out.Complain(fmt.Sprintf("task %d %s", answer.Task.ID, ended[0].Status) + because(answer.Task))
		return bad
	}
	err = a.out.Answer(answer, func(w io.Writer) {
		for _, path := range answer.Paths {
			fmt.Fprintln(w, cli.Clean(path))
		}
	})
	if err != nil {
		return err
	}
	return bad
}

// prompt reads the prompt from stdin if it is "-". Its length is checked with
// the rest of the task; here it is only kept from filling the memory.
func (a *program) prompt(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	const limit = 4*task.MaxPrompt + 1 // a character has at most four bytes
	text, err := io.ReadAll(io.LimitReader(a.in, limit+1))
	if err != nil {
		return "", fmt.Errorf("read the prompt from stdin: %w", err)
	}
	if len(text) > limit {
		return "", cli.Usage("the prompt on stdin is too long; at most %d characters are accepted", task.MaxPrompt)
	}
	if n := len(text); n > 0 && text[n-1] == '\n' {
		text = text[:n-1]
	}
	return string(text), nil
}
