package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

const (
	maxLine      = task.MaxURL + 4<<20 // a task with one spelled-out picture
	batchTasks   = 500
	batchBytes   = 32 << 20
	maxLineFault = 20 // mistakes shown at once
)

// lines reads tasks from a JSON Lines file, twice: nothing is stored unless all
// of it is right.
type lines struct {
	path string
	from int
	base *task.Task // what a line does not say
}

// each calls f for every task with its line's number and length.
func (l *lines) each(f func(n, size int, t *task.Task, err error) error) error {
	file, err := os.Open(l.path)
	if err != nil {
		return cli.Usage("--file cannot be read: %v", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return cli.Usage("--file %s is not a regular file; it is read twice", human.Quoted(l.path))
	}
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, maxLine)
	n := 0
	for scanner.Scan() {
		n++
		if n < l.from || strings.TrimSpace(scanner.Text()) == "" {
			continue
		}
		t, err := l.task(scanner.Bytes())
		if err := f(n, len(scanner.Bytes()), t, err); err != nil {
			return err
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return cli.Usage("%s:%d: the line is longer than %d bytes", filepath.Base(l.path), n+1, maxLine)
	}
	return scanner.Err()
}

// lineFields are the names that a line may hold: what is asked for, not what becomes of it.
var lineFields = task.RequestFields

func (l *lines) task(line []byte) (*task.Task, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, fmt.Errorf("is not a JSON object: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(lineFields, name) {
			continue
		}
		if near := provider.Nearest(name, lineFields); near != "" {
			return nil, fmt.Errorf("%s is not known; did you mean %s?", human.Quoted(name), near)
		}
		return nil, fmt.Errorf("%s is not known; known are %s", human.Quoted(name), strings.Join(lineFields, ", "))
	}
	if err := spellOut(fields); err != nil {
		return nil, err
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	t := copyOf(l.base)
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(text, t); errors.As(err, &wrong) {
		field := wrong.Field[strings.LastIndex(wrong.Field, ".")+1:] // below the part of a task that it belongs to
		return nil, fmt.Errorf("%s is a %s; accepted is a %s", field, wrong.Value, jsonType(wrong))
	} else if err != nil {
		return nil, err
	}
	return t, nil
}

func jsonType(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.Kind().String(); {
	case strings.HasPrefix(kind, "int"):
		return "whole number"
	case strings.HasPrefix(kind, "float"):
		return "number"
	default:
		return kind
	}
}

// spellOut allows what people write: lists and objects where a row keeps their
// JSON text, and words for priorities.
func spellOut(fields map[string]json.RawMessage) error {
	for _, name := range []string{"reference_images", "metadata", "fallbacks"} {
		raw := fields[name]
		if len(raw) == 0 || raw[0] == '"' || string(raw) == "null" {
			continue
		}
		text, err := json.Marshal(string(raw))
		if err != nil {
			return err
		}
		fields[name] = text
	}
	var word string
	if raw := fields["priority"]; len(raw) > 0 && json.Unmarshal(raw, &word) == nil && word != "" {
		p, ok := priorities[word]
		if !ok {
			return fmt.Errorf("priority is %s; accepted are high, normal and low", human.Quoted(word))
		}
		fields["priority"] = json.RawMessage(fmt.Sprint(int(p)))
	}
	return nil
}

// check reads the whole file and returns how many tasks are in it.
func (l *lines) check(cfg config.Config) (count int, err error) {
	var wrong []string
	err = l.each(func(n, _ int, t *task.Task, err error) error {
		count++
		if err == nil {
			err = check(cfg, t)
		}
		if err != nil && len(wrong) < maxLineFault {
			wrong = append(wrong, fmt.Sprintf("%s:%d: %v", filepath.Base(l.path), n, err))
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case len(wrong) > 0:
		return 0, cli.Usage("nothing was enqueued:\n  %s", strings.Join(wrong, "\n  "))
	case count == 0:
		return 0, cli.Usage("%s holds no tasks from line %d on", human.Quoted(l.path), cmp.Or(l.from, 1))
	}
	return count, nil
}

// manyEnqueued is the answer of enqueue --file.
type manyEnqueued struct {
	Tasks     int     `json:"tasks"`
	Created   int     `json:"created"` // less than Tasks if keys were known
	IDs       []int64 `json:"ids"`
	Completed int     `json:"completed,omitempty"` // with --wait, as the next two
	Failed    int     `json:"failed,omitempty"`
	Cancelled int     `json:"cancelled,omitempty"`
}

func (a *program) enqueueFile(c *cobra.Command, o *order) error {
	ctx := c.Context()
	if o.fromLine < 1 {
		return cli.Usage("--from-line is %d; accepted are numbers from 1 on", o.fromLine)
	}
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	base, err := o.task(c)
	if err != nil {
		return err
	}
	l := &lines{path: o.file, from: o.fromLine, base: base}
	count, err := l.check(cfg)
	if err != nil {
		return err
	}
	s, err := app.OpenOrCreate(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := o.times(ctx, base, s); err != nil {
		return err
	}
	client, done := app.OpenClient(ctx, cfg, s, a.out.Say)
	defer done()
	answer, err := a.enqueueLines(ctx, client, l, count)
	if err != nil {
		return err
	}
	if o.wait {
		return a.waitForMany(ctx, cfg, s, answer)
	}
	return a.out.Answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%d tasks are enqueued, %d of them new: %s\n", answer.Tasks, answer.Created, idRange(answer.IDs))
	})
}

func idRange(ids []int64) string {
	if len(ids) == 1 {
		return fmt.Sprint(ids[0])
	}
	return fmt.Sprintf("%d to %d", slices.Min(ids), slices.Max(ids))
}

// enqueueLines stores the tasks batch by batch; its error says where to go on.
func (a *program) enqueueLines(ctx context.Context, client *enqueue.Client, l *lines, count int) (manyEnqueued, error) {
	var answer manyEnqueued
	bar := a.out.Progress("enqueueing", count)
	defer bar.Stop()
	var batch []*task.Task
	size, first := 0, l.from
	flush := func(next int) error {
		created, err := client.EnqueueMany(ctx, batch)
		if err != nil {
			return fmt.Errorf("%d tasks are enqueued; go on with --from-line %d: %w", answer.Tasks, first, err)
		}
		for i, t := range batch {
			answer.Tasks++
			answer.IDs = append(answer.IDs, t.ID)
			if created[i] {
				answer.Created++
			}
		}
		batch, size, first = nil, 0, next
		bar.Set(answer.Tasks, fmt.Sprintf("%d of %d", answer.Tasks, count))
		return nil
	}
	err := l.each(func(n, length int, t *task.Task, err error) error {
		if err != nil {
			return fmt.Errorf("%s:%d: %w", filepath.Base(l.path), n, err)
		}
		batch, size = append(batch, t), size+length
		if len(batch) < batchTasks && size < batchBytes {
			return nil
		}
		return flush(n + 1)
	})
	if err == nil && len(batch) > 0 {
		err = flush(0)
	}
	return answer, err
}

func (a *program) waitForMany(ctx context.Context, cfg config.Config, s *store.Store, answer manyEnqueued) error {
	w := waiter{out: a.out, tasks: s}
	ended, err := w.wait(ctx, slices.Compact(slices.Sorted(slices.Values(answer.IDs))))
	if err != nil {
		return err
	}
	var bad error
	for i := range ended {
		t := &ended[i]
		switch t.Status {
		case task.Completed:
			answer.Completed++
			a.printPicture(t)
			continue
		case task.Failed:
			answer.Failed++
		default:
			answer.Cancelled++
		}
		bad = cmp.Or(bad, ending(t))
		a.out.Say("task %d %s%s", t.ID, t.Status, because(t))
	}
	if a.out.JSON {
		if err := a.out.Answer(answer, nil); err != nil {
			return err
		}
	}
	return bad
}

func (a *program) printPicture(t *task.Task) {
	if !a.out.JSON {
		fmt.Fprintln(a.out.Stdout, cli.Clean(picturePath(t)))
	}
}
