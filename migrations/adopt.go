package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// adoptable are the tables of an app on which easel can work beside it.
var adoptable = []string{"image_generations", "generation_parameter", "generation_result"}

// Adoption is what it takes to let easel work on an app's own tables. Nothing that the
// app has is changed: columns, indexes, tables, a trigger and a view are added. Rows
// that are there stay the app's: their fence is below zero.
type Adoption struct {
	Schema   string   `json:"schema"`
	Refusals []string `json:"refusals,omitempty"` // why it cannot be done, each with what would help
	Notes    []string `json:"notes,omitempty"`    // what to know
	Columns  []string `json:"columns"`            // SQL: columns of the app's tables, in one transaction
	Indexes  []string `json:"indexes"`            // SQL: indexes on them, each by itself and CONCURRENTLY
	Rest     []string `json:"rest"`               // SQL: everything else, in one transaction
}

// Plan compares the app's tables with easel's own, which must lie in the schema
// pattern of the same database, and says what adopting them takes. It writes nothing.
func Plan(ctx context.Context, db *sql.DB, pattern string) (*Adoption, error) {
	p := planner{db: db, pattern: pattern}
	if err := db.QueryRowContext(ctx, "SELECT current_schema()").Scan(&p.Schema); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{p.tables, p.columns, p.indexes, p.rest} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("compare the tables: %w", err)
		}
	}
	return &p.Adoption, nil
}

// Apply does what was planned. What an interruption leaves half done the next Plan
// and Apply complete.
func (a *Adoption) Apply(ctx context.Context, db *sql.DB) error {
	if len(a.Refusals) > 0 {
		return fmt.Errorf("adopt: %s", strings.Join(a.Refusals, "; "))
	}
	if err := together(ctx, db, a.Columns); err != nil {
		return err
	}
	for _, statement := range a.Indexes {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("adopt: %s: %w", statement, err)
		}
	}
	return together(ctx, db, a.Rest)
}

// refuseAdopted returns an error if easel works on an app's own tables here.
func refuseAdopted(ctx context.Context, db *sql.DB) error {
	var adopted bool
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('easel_adopted') IS NOT NULL").Scan(&adopted); err != nil || !adopted {
		return err
	}
	return errors.New("easel works on the app's own tables here, and taking a change back would take rows of the app along; nothing was changed. " +
		"To leave easel, stop it and drop by hand what `easel migrate adopt` has added")
}

// together runs statements in one transaction. One that does not get its table within
// two seconds gives up, so that the app does not queue up behind it.
func together(ctx context.Context, db *sql.DB, statements []string) error {
	return patiently(ctx, lockTries, func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after a commit this does nothing
		for _, s := range append([]string{fmt.Sprintf("SET LOCAL lock_timeout = %d", lockTimeout.Milliseconds())}, statements...) {
			if _, err := tx.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("adopt: %s: %w", s, err)
			}
		}
		return tx.Commit()
	})
}

// planner collects an Adoption.
type planner struct {
	Adoption
	db      *sql.DB
	pattern string   // schema of easel's own tables
	theirs  []string // tables of the app that are adopted
	begun   bool     // a former adoption was interrupted after it had added its columns
}

func (p *planner) refuse(format string, values ...any) {
	p.Refusals = append(p.Refusals, fmt.Sprintf(format, values...))
}

func (p *planner) note(format string, values ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, values...))
}

// at is a name in the app's schema, from one in easel's own.
func (p *planner) at(name string) string { return quote(p.Schema) + "." + quote(name) }

func (p *planner) list(ctx context.Context, query string, args ...any) (all []string, err error) {
	rows, err := p.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// tables sees which of easel's names the app uses.
func (p *planner) tables(ctx context.Context) error {
	taken, err := p.list(ctx, `SELECT c.relname || ' ' || c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`, p.Schema)
	if err != nil {
		return err
	}
	for _, entry := range taken {
		name, kind, _ := strings.Cut(entry, " ")
		switch {
		case slices.Contains(adoptable, name) && kind == "r":
			p.theirs = append(p.theirs, name)
		case slices.Contains(ours, name) || name == "image_generation_task":
			p.refuse("%s is there already and is no plain table that easel can share; rename it, or give easel a schema of its own", name)
		}
	}
	if !slices.Contains(p.theirs, "image_generations") {
		p.refuse("there is no table image_generations of the app to adopt; run `easel migrate up`, in a schema of its own if other names collide")
	}
	return nil
}
