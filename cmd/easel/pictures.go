package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/gc"
	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/store"
)

const gcHelp = `Find pictures that no row refers to: of tasks that were deleted, of calls that a
crash has cut off. Without --yes it only shows what it has found.

--keep lets pictures go by their age: of tasks that ended longer ago, except those
that are in the table favorite. The tasks stay, with what they cost.

What is younger than --grace stays, since a picture is stored before its row is
written, and so does everything that is not named as easel names pictures.`

func (a *program) picturesCommand() *cobra.Command {
	c := &cobra.Command{Use: "pictures [COMMAND]", Short: "Look after the stored pictures",
		Long: "Look after the stored pictures, in the folder or bucket that EASEL_PICTURES names.", Args: cli.Takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.gcCommand())
	return c
}

func (a *program) gcCommand() *cobra.Command {
	var keep, grace string
	var yes bool
	c := &cobra.Command{Use: "gc", Short: "Remove pictures that no row refers to", Long: gcHelp, Args: cli.Takes(0, 0),
		Example: "  easel pictures gc\n  easel pictures gc --yes\n  easel pictures gc --keep 90d --yes --json"}
	c.Flags().StringVar(&keep, "keep", "", "let pictures go of tasks that ended longer ago than this, such as 90d")
	c.Flags().StringVar(&grace, "grace", "24h", "how old a picture must be that no row refers to")
	c.Flags().BoolVar(&yes, "yes", false, "remove, and do not only show")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var o gcOptions
		var err error
		if o.grace, err = parseAge("--grace", grace, 0); err != nil {
			return err
		}
		if keep != "" {
			if o.keep, err = parseAge("--keep", keep, time.Hour); err != nil {
				return err
			}
		}
		o.remove = yes
		return a.collect(c.Context(), o)
	}
	return c
}

type gcOptions struct {
	keep, grace time.Duration
	remove      bool
}

// parseAge reads a duration, also in days.
func parseAge(flag, text string, least time.Duration) (time.Duration, error) {
	d, err := human.ParseDuration(text)
	if err != nil || d < least || d > 100*365*24*time.Hour {
		return 0, cli.Usage("%s is %s; accepted are durations from %s on, such as 36h or 90d", flag, human.Quoted(text), least)
	}
	return d, nil
}

// collection is the answer of gc.
type collection struct {
	gc.Report
	Aged      int   `json:"aged"` // pictures that are older than --keep
	AgedBytes int64 `json:"aged_bytes"`
	Retired   int   `json:"retired"` // of them were let go
}

func (a *program) collect(ctx context.Context, o gcOptions) error {
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shelf, done, err := app.OpenPictures(cfg)
	if err != nil {
		return err
	}
	defer done()
	var found collection
	if o.keep > 0 {
		if err := a.retire(ctx, s, o, &found); err != nil {
			return err
		}
	}
	bar := a.out.Progress("looking", 1)
	defer bar.Stop()
	c := &gc.Collector{Tasks: filesForPerson{s}, Pictures: shelf, Grace: max(o.grace, time.Nanosecond)}
	found.Report, err = c.Run(ctx, o.remove, func(r gc.Report) { bar.Set(0, fmt.Sprintf("%d files, %d orphans", r.Seen, r.Orphans)) })
	bar.Stop()
	if err != nil {
		return err
	}
	return a.out.Answer(found, func(w io.Writer) { a.out.collected(w, found, o) })
}

// filesForPerson waits for what is locked as long as a person does, at each question: all of them may
// take hours, and most of that for storage.
type filesForPerson struct{ store *store.Store }

func (f filesForPerson) Files(ctx context.Context, ids []int64) (files map[int64]store.Files, err error) {
	err = f.store.ForPerson(ctx, func(ctx context.Context) (err error) {
		files, err = f.store.Files(ctx, ids)
		return err
	})
	return files, err
}

// retire lets aged pictures go, in parts.
func (a *program) retire(ctx context.Context, s *store.Store, o gcOptions, found *collection) error {
	var before time.Time
	err := s.ForPerson(ctx, func(ctx context.Context) error {
		now, err := s.Now(ctx)
		if err == nil {
			before = now.Add(-o.keep)
			found.Aged, found.AgedBytes, err = s.CountAged(ctx, before)
		}
		return err
	})
	if err != nil || !o.remove {
		return err
	}
	const part = 1_000
	bar := a.out.Progress("letting go", found.Aged)
	defer bar.Stop()
	for {
		n := 0
		err := s.ForPerson(ctx, func(ctx context.Context) (err error) {
			n, err = s.Retire(ctx, before, part)
			return err
		})
		found.Retired += n
		bar.Set(found.Retired, fmt.Sprintf("%d of %d", found.Retired, found.Aged))
		if err != nil || n == 0 {
			return err
		}
	}
}

func (o *output) collected(w io.Writer, found collection, asked gcOptions) {
	fmt.Fprintf(w, "%s in storage, %s\n", human.Count(found.Seen, "file"), human.BinarySize(found.Bytes))
	if asked.keep > 0 {
		fmt.Fprintf(w, "%s older than %s, %s%s\n", human.Count(found.Aged, "picture"), human.Duration(asked.keep), human.BinarySize(found.AgedBytes), aftermath(asked.remove, ": let go"))
	}
	fmt.Fprintf(w, "%s that no row refers to, %s%s\n", human.Count(found.Orphans, "file"), human.BinarySize(found.OrphanBytes), aftermath(asked.remove, ": removed"))
	for _, key := range found.Samples {
		fmt.Fprintln(w, "  "+cli.Clean(key))
	}
	if more := found.Orphans - len(found.Samples); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	if found.Young > 0 {
		fmt.Fprintf(w, "%s younger than %s that no row refers to yet\n", human.Count(found.Young, "file"), human.Duration(asked.grace))
	}
	if found.Strange > 0 {
		fmt.Fprintf(w, "%s that easel has not named\n", human.Count(found.Strange, "file"))
	}
	if !asked.remove && found.Orphans+found.Aged > 0 {
		fmt.Fprintln(w, "nothing was removed; say --yes to do it")
	}
}

func aftermath(done bool, text string) string {
	if done {
		return text
	}
	return ""
}

func (a *program) deleteCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "delete ID...", Short: "Delete tasks that have ended, with their pictures", Args: cli.Takes(1, cli.Many),
		Long:    "Delete tasks that have ended: the row, its calls with what they cost, its results and their files.\nThere is no way back. One that has not ended is refused: first `easel cancel ID`.",
		Example: "  easel delete 42 43 --yes",
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.RunE = func(c *cobra.Command, args []string) error { return a.delete(c.Context(), args, yes) }
	return c
}

// deleted is the answer of delete.
type deleted struct {
	IDs     []int64   `json:"ids"`
	Files   int       `json:"files"`
	Refused []refusal `json:"refused,omitempty"`
}

func (a *program) delete(ctx context.Context, args []string, yes bool) error {
	ids, err := parseIDs(args)
	if err != nil {
		return err
	}
	cfg, s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	shelf, done, err := app.OpenPictures(cfg)
	if err != nil {
		return err
	}
	defer done()
	for _, id := range ids {
		if yes {
			break
		}
		if _, err := s.Look(ctx, id); err != nil {
			return withID(id, err) // before a question about what is not there
		}
	}
	if err := a.confirm(ctx, yes, fmt.Sprintf("Delete %s, pictures included?", human.Count(len(ids), "task"))); err != nil {
		return err
	}
	answer := deleted{IDs: []int64{}}
	for _, id := range ids {
		n, err := deleteTask(ctx, s, shelf, id)
		answer.Files += n
		if err != nil {
			answer.Refused = append(answer.Refused, refusal{id, reason(id, err)})
			continue
		}
		answer.IDs = append(answer.IDs, id)
	}
	err = a.out.Answer(answer, func(w io.Writer) {
		for _, r := range answer.Refused {
			a.out.Complain(r.Reason)
		}
		if len(answer.IDs) > 0 {
			fmt.Fprintf(w, "%s deleted, with %s\n", human.Count(len(answer.IDs), "task"), human.Count(answer.Files, "file"))
		}
	})
	if err == nil && len(answer.Refused) > 0 {
		return cli.ErrPrinted
	}
	return err
}

// deleteTask deletes the row first: what is left of the files if that is all that
// happens is an orphan, which gc finds.
func deleteTask(ctx context.Context, s *store.Store, shelf picture.Lister, id int64) (files int, err error) {
	if err := s.Delete(ctx, id); err != nil {
		return 0, err
	}
	for o, err := range shelf.All(ctx, fmt.Sprintf("%d/", id)) {
		if err != nil {
			return files, err
		}
		if err := shelf.Delete(ctx, o.Key); err != nil {
			return files, err
		}
		files++
	}
	return files, nil
}
