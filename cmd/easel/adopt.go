package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
)

const adoptHelp = `Let easel work on an image_generations table that an app has made. It says what it
would add, with --sql in every statement, and with --yes adds it: columns with defaults,
indexes, a trigger, a view and tables of its own. Nothing that the app has is changed or lost, and rows that are
there stay the app's: easel never draws them. From then on a row that the app inserts
as pending is a task. ` + "`easel migrate down`" + ` refuses from then on, since the rows are the app's.

Meanwhile easel makes its tables in a schema of another name, compares them with the
app's, and removes that schema again. PostgreSQL only.`

func (a *program) adoptCommand() *cobra.Command {
	var yes, statements bool
	c := &cobra.Command{Use: "adopt", Short: "Show what it takes to work on an app's own table, and do it with --yes", Long: adoptHelp, Args: cli.Takes(0, 0),
		Example: "  easel migrate adopt\n  easel migrate adopt --sql > plan.sql    to read before\n  easel migrate adopt --yes"}
	c.Flags().BoolVar(&yes, "yes", false, "do it, not only show it")
	c.Flags().BoolVar(&statements, "sql", false, "show every statement")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.adopt(c.Context(), yes, statements) }
	return c
}

// adopted is the answer of adopt.
type adopted struct {
	*migrations.Adoption
	Done bool `json:"done"`
}

func (a *program) adopt(ctx context.Context, yes, statements bool) error {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	if cfg.DatabaseURL.Scheme() == "sqlite" {
		return cli.Usage("adopting a table works on PostgreSQL only; give easel a file of its own: EASEL_DATABASE_URL=sqlite:PATH")
	}
	s, err := app.Connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	var foreign *migrations.Foreign
	if err := migrations.Strange(ctx, s.DB(), s.Dialect()); err == nil {
		return cli.Usage("there is no table of an app to adopt in this database; `easel migrate up` makes easel's own")
	} else if !errors.As(err, &foreign) {
		return err
	}
	return beside(ctx, cfg, s.DB(), func(pattern string) error {
		plan, err := migrations.Plan(ctx, s.DB(), pattern)
		if err != nil {
			return err
		}
		if yes && len(plan.Refusals) == 0 {
			if err := plan.Apply(ctx, s.DB()); err != nil {
				return err
			}
		}
		err = a.out.Answer(adopted{plan, yes}, func(w io.Writer) { a.out.adoption(w, plan, yes, statements) })
		if err == nil && len(plan.Refusals) > 0 {
			return cli.ErrPrinted
		}
		return err
	})
}

// beside makes easel's own tables in a schema of their own, for as long as work takes.
func beside(ctx context.Context, cfg config.Config, db *sql.DB, work func(schema string) error) (err error) {
	schema := "easel_adopt_" + strings.ToLower(rand.Text()[:8])
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return fmt.Errorf("make a schema to compare with: %w; this user needs the right to create schemas in the database", err)
	}
	defer func() {
		_, dropped := db.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE")
		err = errors.Join(err, dropped)
	}()
	u, err := url.Parse(string(cfg.DatabaseURL))
	if err != nil {
		return store.Redact(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	own, err := store.Open(ctx, u.String())
	if err != nil {
		return err
	}
	_, err = own.Migrate(ctx)
	if err := errors.Join(err, own.Close()); err != nil {
		return err
	}
	return work(schema)
}

// adoption says what is most wanted at the end, where it is seen.
func (o *output) adoption(w io.Writer, plan *migrations.Adoption, done, statements bool) {
	section := func(title string, lines []string, end string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintln(w, o.Heading(title))
		for _, line := range lines {
			fmt.Fprintln(w, "  "+strings.ReplaceAll(line, "\n", "\n  ")+end)
		}
	}
	if statements {
		section("Columns of the app's tables, in one transaction", plan.Columns, ";")
		section("Indexes, one by one, while the app goes on", plan.Indexes, ";")
		section("easel's own tables, its trigger and its view, in one transaction", plan.Rest, ";")
	}
	section("To know", plan.Notes, "")
	section("It cannot be done because", plan.Refusals, "")
	if len(plan.Refusals) == 0 {
		fmt.Fprintln(w, summary(plan, done, statements))
	}
	switch {
	case len(plan.Refusals) > 0:
		fmt.Fprintln(w, "Nothing was changed. Mend what it says, or give easel a schema of its own: end EASEL_DATABASE_URL with ?search_path=easel, or with &search_path=easel if it has a ? already, then `easel migrate up`.")
	case done:
		fmt.Fprintln(w, "Done. Rows that were there stay the app's; one that it inserts as pending from now on is a task.")
	default:
		fmt.Fprintln(w, "Nothing was changed. `easel migrate adopt --yes` does it; nothing of the app's is changed or lost, and rows that are there stay the app's.")
	}
}

// summary counts what is added.
func summary(plan *migrations.Adoption, done, statements bool) string {
	text := fmt.Sprintf("It takes %s for columns of the app's tables, %s for indexes on them, and %s for easel's own tables, its trigger and its view",
		human.Count(len(plan.Columns), "statement"), human.Count(len(plan.Indexes), "statement"), human.Count(len(plan.Rest), "statement"))
	switch {
	case done:
		return strings.Replace(text, "takes", "took", 1) + "."
	case !statements:
		return text + "; --sql shows them."
	}
	return text + "."
}
