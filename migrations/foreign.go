package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// ours are the tables that easel makes. photo, tag and photo_tag are not among them:
// an app may have its own.
var ours = []string{"image_generations", "generation_parameter", "generation_attempt", "generation_result", "generation_input", "favorite", "easel_worker"}

// Foreign says that tables of easel's names are there which easel has not made.
type Foreign struct {
	Tables  []string
	Dialect Dialect
}

func (f *Foreign) Error() string { return f.What() + ". " + f.Ways() }

// What says which tables they are.
func (f *Foreign) What() string {
	if len(f.Tables) == 1 {
		return "a table " + f.Tables[0] + " is in this database already and easel has not made it, so it leaves it alone"
	}
	return "tables " + strings.Join(f.Tables, ", ") + " are in this database already and easel has not made them, so it leaves them alone"
}

// Ways says what there is to do.
func (f *Foreign) Ways() string {
	if f.Dialect == SQLite {
		return "Give easel a file of its own: EASEL_DATABASE_URL=sqlite:PATH. Adopting a table works on PostgreSQL only"
	}
	return "Give easel a schema of its own: end EASEL_DATABASE_URL with ?search_path=easel, or with &search_path=easel if it has a ? already, and run `easel migrate up`; or let it work on the app's table: see `easel migrate adopt`"
}

// Strange returns a *Foreign if the database has tables of easel's names that easel
// did not make, and nil otherwise.
func Strange(ctx context.Context, db *sql.DB, d Dialect) error {
	has := "SELECT count(*) FROM sqlite_master WHERE name = $1"
	if d == Postgres {
		has = "SELECT count(*) FROM pg_class WHERE oid = to_regclass(quote_ident($1))"
	}
	there := func(name string) (bool, error) {
		var n int
		err := db.QueryRowContext(ctx, has, name).Scan(&n)
		return n > 0, err
	}
	known, err := there("easel_migrations")
	if err != nil {
		return err
	}
	if known {
		var version int
		// The table itself is made by whoever asks for the status; its first line is 0.
		if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM easel_migrations").Scan(&version); err != nil || version > 0 {
			return err
		}
	}
	f := &Foreign{Dialect: d}
	for _, name := range ours {
		yes, err := there(name)
		if err != nil {
			return err
		}
		if yes {
			f.Tables = append(f.Tables, name)
		}
	}
	if len(f.Tables) == 0 {
		return nil
	}
	return f
}

// ensureSchema makes the schema that the connection's search_path names first, if it
// is not there: a database address that gives easel a schema of its own is all that
// it takes.
func ensureSchema(ctx context.Context, db *sql.DB) error {
	var missing bool
	var path string
	err := db.QueryRowContext(ctx, "SELECT current_schema() IS NULL, current_setting('search_path')").Scan(&missing, &path)
	if err != nil || !missing {
		return err
	}
	first, _, _ := strings.Cut(path, ",")
	first = strings.Trim(strings.TrimSpace(first), `"`)
	if first == "" || slices.Contains([]string{"$user", "public"}, first) {
		return fmt.Errorf("the search_path %q of this connection names no schema that is there; create one, or name another", path)
	}
	_, err = db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+quote(first))
	return err
}

// quote is a name as SQL writes it.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
