package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/migrations"
)

func (a *program) migrateCommand() *cobra.Command {
	c := cli.Group(&cobra.Command{Use: "migrate COMMAND", Short: "Create and change easel's tables",
		Long:    "Create and change easel's tables. Each change has a number; there is none of the number 7.",
		Example: "  easel migrate up\n  easel migrate status\n  easel migrate adopt\n  easel migrate down --yes"})
	var yes bool
	down := a.migration("down", "Take the newest change back, with the content of what it made", func(ctx context.Context, db *sql.DB, d migrations.Dialect) ([]migrations.Migration, error) {
		if err := a.confirm(ctx, yes, "Take the newest change back? What its tables hold is lost."); err != nil {
			return nil, err
		}
		return migrations.Down(ctx, db, d)
	})
	down.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.AddCommand(
		a.adoptCommand(),
		a.migration("up", "Bring the tables to the newest version", migrations.Up), down,
		a.migration("status", "List the changes and whether the database has them", migrations.Status))
	return c
}

type migrationFunc func(context.Context, *sql.DB, migrations.Dialect) ([]migrations.Migration, error)

func (a *program) migration(name, short string, work migrationFunc) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: cli.Takes(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(a.env, kinds)
		if err != nil {
			return err
		}
		if path, ok := app.MissingFile(cfg); ok && name != "up" {
			return fmt.Errorf("there is no database at %s yet: `easel migrate up` makes it", path)
		}
		s, err := app.Connect(c.Context(), cfg)
		if err != nil {
			return err
		}
		defer s.Close()
		db, done, err := s.Sessions(c.Context())
		if err != nil {
			return err
		}
		defer done()
		changes, err := work(c.Context(), db, s.Dialect())
		if err != nil {
			return err
		}
		if changes == nil {
			changes = []migrations.Migration{}
		}
		return a.out.Answer(map[string]any{"migrations": changes}, func(w io.Writer) { a.out.migrations(w, changes) })
	}}
}

func (o *output) migrations(w io.Writer, changes []migrations.Migration) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "nothing to do: the tables are at the newest version")
		return
	}
	t := o.Table("version", "change", "state")
	for _, m := range changes {
		state := cli.Paint(o.Color, cli.Yellow, "not applied")
		if m.Applied {
			state = cli.Paint(o.Color, cli.Green, "applied")
		}
		t.AppendRow(table.Row{m.Version, m.Name, state})
	}
	fmt.Fprintln(w, t.Render())
}
