// Package migrations creates and changes easel's tables. The SQL is embedded;
// goose runs it and remembers in easel_migrations what has been done.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Dialect names a folder of migrations.
type Dialect string

const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Migration is one change of the tables and whether the database has it.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// Up brings the tables to the newest version and returns what it changed.
// Several processes may call it at once on Postgres: one works, the others wait.
// Workers may go on meanwhile. A table that somebody else holds is not waited for
// longer than two seconds at a time, since all who come later would wait as well;
// after a minute of that the error says so, and what was done before stays. A schema
// that the connection names is made, and an error about a right that is missing says how it
// is given; tables that are not easel's are left as they are, and a *Foreign says so.
func Up(ctx context.Context, db *sql.DB, d Dialect) ([]Migration, error) {
	dir, err := folder(d)
	if err != nil {
		return nil, err
	}
	if d == Postgres {
		if err := ensureSchema(ctx, db); err != nil {
			return nil, fmt.Errorf("migrate up: %w", withRights(ctx, db, err))
		}
	}
	if err := Strange(ctx, db, d); err != nil {
		return nil, fmt.Errorf("migrate up: %w", err)
	}
	return up(ctx, db, d, dir, lockTries)
}

func up(ctx context.Context, db *sql.DB, d Dialect, dir fs.FS, tries int) ([]Migration, error) {
	p, err := provider(db, d, dir, true)
	if err != nil {
		return nil, err
	}
	var all []Migration
	err = patiently(ctx, tries, func() error {
		done, err := p.Up(ctx)
		all = append(all, results(done)...)
		return err
	})
	if err != nil && d == Postgres {
		err = withRights(ctx, db, err)
	}
	if err != nil {
		return nil, fmt.Errorf("migrate up: %w", err)
	}
	return all, nil
}

// Down takes the newest change back and returns it; the tables' content goes with it.
// It refuses where easel works on an app's own tables, whose content would go too, and
// it does not take back what results of an app's own depend on.
func Down(ctx context.Context, db *sql.DB, d Dialect) ([]Migration, error) {
	if d == Postgres {
		if err := refuseAdopted(ctx, db); err != nil {
			return nil, fmt.Errorf("migrate down: %w", err)
		}
	}
	p, err := opened(db, d)
	if err != nil {
		return nil, err
	}
	var done *goose.MigrationResult
	err = patiently(ctx, lockTries, func() (err error) {
		done, err = p.Down(ctx)
		return err
	})
	if errors.Is(err, goose.ErrNoNextVersion) {
		return nil, errors.New("there is nothing to take back: easel has no tables in this database")
	}
	if err != nil {
		return nil, fmt.Errorf("migrate down: %w", err)
	}
	return results([]*goose.MigrationResult{done}), nil
}

// Status lists all changes in order and says which the database has. It writes nothing
// but the table of changes itself, waits for nobody who makes changes, and holds nothing of a
// session, so that it may go through a pooler.
func Status(ctx context.Context, db *sql.DB, d Dialect) ([]Migration, error) {
	dir, err := folder(d)
	if err != nil {
		return nil, err
	}
	p, err := provider(db, d, dir, false)
	if err != nil {
		return nil, err
	}
	states, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate status: %w", err)
	}
	all := make([]Migration, len(states))
	for i, s := range states {
		all[i] = Migration{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied}
	}
	return all, nil
}

// opened is provider for easel's own migrations.
func opened(db *sql.DB, d Dialect) (*goose.Provider, error) {
	dir, err := folder(d)
	if err != nil {
		return nil, err
	}
	return provider(db, d, dir, true)
}

// provider makes changes, one process at a time, or if it does not change anything only looks.
func provider(db *sql.DB, d Dialect, dir fs.FS, changes bool) (*goose.Provider, error) {
	dialect := database.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if d == Postgres {
		dialect = database.DialectPostgres
	}
	if d == Postgres && changes {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // tried each second, 300 times
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(polite{locker}))
	}
	table, err := database.NewStore(dialect, "easel_migrations")
	if err != nil {
		return nil, err
	}
	options = append(options, goose.WithStore(table))
	return goose.NewProvider("", db, dir, options...)
}

func results(done []*goose.MigrationResult) []Migration {
	all := make([]Migration, len(done))
	for i, r := range done {
		all[i] = Migration{Version: r.Source.Version, Name: r.Source.Path, Applied: r.Direction == "up"}
	}
	return all
}
