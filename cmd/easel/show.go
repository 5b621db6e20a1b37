package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

func (a *program) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Tell the whole story of one task", Args: cli.Takes(1, 1),
		Long:    "Show what was asked for, every call that was made with its error, time and cost, and the pictures.",
		Example: "  easel show 42\n  easel show 42 --json | jq -r '.results[0].generated_image_url'",
		RunE:    func(c *cobra.Command, args []string) error { return a.show(c.Context(), args[0]) },
	}
}

// story is the answer of show.
type story struct {
	Task     *task.Task      `json:"task"`
	WaitsFor *waiting.Reason `json:"waits_for,omitempty"`
	Attempts []task.Attempt  `json:"attempts"`
	Results  []task.Result   `json:"results"`

	services provider.Services
	next     task.RetryStep // what a retry begins with
}

func (a *program) show(ctx context.Context, arg string) error {
	id, err := parseID(arg)
	if err != nil {
		return err
	}
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	var told *story
	var now time.Time
	err = s.ForPerson(ctx, func(ctx context.Context) (err error) {
		if told, err = tell(ctx, s, id, cfg.Secrets()); err == nil {
			now, err = s.Now(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	waits := app.NewWatcher(cfg, s, a.out.Say)
	defer waits.Close()
	told.WaitsFor = waits.ReasonsFor(ctx, []task.Task{*told.Task})[id]
	told.services = cfg.Services
	return a.out.Answer(told, func(w io.Writer) { a.out.story(w, told, now) })
}

func parseID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, cli.Usage("%s is not the id of a task; accepted are whole numbers from 1 on, see `easel list`", human.Quoted(text))
	}
	return id, nil
}

// tell returns the story of a task, fit to be shown.
func tell(ctx context.Context, s *store.Store, id int64, secrets []provider.Secret) (*story, error) {
	t, err := get(ctx, s, id)
	if err != nil {
		return nil, err
	}
	attempts, err := s.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	results, err := s.Results(ctx, id)
	if err != nil {
		return nil, err
	}
	h := task.History{ImageCount: t.ImageCount, Attempts: attempts, Results: results}
	next := h.AfterRetry()
	t.HideUsers()
	for i := range attempts {
		attempts[i].HideSignatures()
		attempts[i].Handle = string(provider.ScrubJSON(json.RawMessage(attempts[i].Handle), secrets...))
		attempts[i].Answer = string(provider.ScrubJSON(json.RawMessage(attempts[i].Answer), secrets...))
	}
	for i := range results {
		results[i].HideSignature()
	}
	return &story{Task: t, Attempts: attempts, Results: results, next: next}, nil
}

// get is store.Get with the id in its error.
func get(ctx context.Context, s *store.Store, id int64) (*task.Task, error) {
	t, err := s.Get(ctx, id)
	return t, withID(id, err)
}

// withID names the task that there is not.
func withID(id int64, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("task %d: %w; see `easel list`", id, store.ErrNotFound)
	}
	return err
}

func (o *output) story(w io.Writer, told *story, now time.Time) {
	t := told.Task
	fmt.Fprintf(w, "%s  %s", cli.Paint(o.Color, cli.Bold, "Task "+strconv.FormatInt(t.ID, 10)), o.status(t.Status))
	if standing := standing(t, told.WaitsFor, now); standing != "" {
		fmt.Fprintf(w, "  %s", standing)
	}
	fmt.Fprintln(w)
	if told.WaitsFor != nil {
		fmt.Fprintln(w, acts(told.WaitsFor, now))
	}
	if t.ErrorMsg != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", o.Heading(errorHeading(t)), indented(t.ErrorMsg))
	}
	fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("Prompt"), indented(t.Prompt))
	if t.NegativePrompt != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("Not wanted"), indented(t.NegativePrompt))
	}
	fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("Request"), o.request(t, now))
	if len(told.Attempts) > 0 {
		fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("Attempts"), o.attempts(told.Attempts))
	}
	if len(told.Results) > 0 {
		fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("Pictures"), o.results(told.Results))
		if t.LocalPath != "" {
			fmt.Fprintln(w, "  "+cli.Clean(t.LocalPath))
		}
	}
	if kept := o.kept(told.Attempts); kept != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", o.Heading("Kept as it came, and no picture for easel"), kept)
	}
	if hint := hint(told); hint != "" {
		fmt.Fprintln(w, "\n"+hint)
	}
}

// kept lists bytes that were paid for and that no decoder takes.
func (o *output) kept(attempts []task.Attempt) string {
	t, any := o.Table("  attempt", "picture", "type", "bytes", "storage key", "why"), false
	for i := range attempts {
		for _, k := range attempts[i].RawFileList() {
			any = true
			t.AppendRow(table.Row{fmt.Sprintf("  %d", attempts[i].Number), k.Position + 1, cli.OneLine(k.ContentType, 40),
				human.Size(k.FileSize), cli.OneLine(k.StorageKey, 80), cli.OneLine(k.Reason, 120)})
		}
	}
	if !any {
		return ""
	}
	return t.Render()
}

func errorHeading(t *task.Task) string {
	switch {
	case t.ErrorKind == "":
		return "Warning"
	case t.Status.Final():
		return "Error (" + string(t.ErrorKind) + ")"
	}
	return "Last error (" + string(t.ErrorKind) + ")"
}

func indented(s string) string { return "  " + strings.ReplaceAll(cli.Clean(s), "\n", "\n  ") }

// standing says why the task is where it is; why may be nil.
func standing(t *task.Task, why *waiting.Reason, now time.Time) string {
	switch {
	case t.Status == task.Pending && t.RunAt.After(now):
		return "waits until " + moment(t.RunAt, now)
	case t.Status == task.Processing && t.Progress > 0:
		return strings.TrimSuffix(strconv.Itoa(t.Progress)+"%, "+cli.Clean(sentenceOf(why)), ", ")
	case !t.Status.Final():
		return cli.Clean(sentenceOf(why))
	case t.StartedAt != nil && t.CompletedAt != nil:
		return "after " + human.English.Took(t.CompletedAt.Sub(*t.StartedAt))
	}
	return ""
}

// acts says who has to act, how, and how long the task has waited.
func acts(why *waiting.Reason, now time.Time) string {
	text := "Who has to act: " + why.Actor(human.English)
	if remedy := why.Remedy(human.English); remedy != "" {
		text += ". " + remedy
	}
	if typed := waitCommand(why); typed != "" {
		text += ": `" + typed + "`"
	}
	if waits := why.For(now); waits > 0 {
		text += " (for " + human.English.Span(waits) + " now)"
	}
	return text
}
