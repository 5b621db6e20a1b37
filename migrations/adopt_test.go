package migrations_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/migrations"
)

const appTables = `
	CREATE TABLE image_generations (id serial PRIMARY KEY, provider text, prompt text, status text NOT NULL DEFAULT 'pending', user_id bigint,
		progress integer NOT NULL DEFAULT 0);
	CREATE INDEX image_generations_user ON image_generations (user_id, status);
	CREATE TABLE generation_parameter (id serial PRIMARY KEY, task_id integer NOT NULL, parameter_name text NOT NULL, parameter_value text);
	CREATE TABLE generation_result (id serial PRIMARY KEY, task_id integer NOT NULL, generated_image_url text NOT NULL);
	INSERT INTO image_generations (provider, prompt, status) VALUES ('mine', 'a boat', 'completed');
	INSERT INTO generation_result (task_id, generated_image_url) VALUES (1, 'https://app.test/a.png')`

// appBeside is a database with an app's tables, and easel's own in the schema pattern.
func appBeside(t *testing.T) *sql.DB {
	t.Helper()
	address := servertest.Postgres(t)
	db, err := sql.Open("postgres", address)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	exec(t, db, appTables)
	beside, err := sql.Open("postgres", address+map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")]+"search_path=pattern")
	must(t, err)
	defer beside.Close()
	exec(t, db, "CREATE SCHEMA pattern")
	_, err = migrations.Up(t.Context(), beside, migrations.Postgres)
	must(t, err)
	return db
}

func plan(t *testing.T, db *sql.DB) *migrations.Adoption {
	t.Helper()
	a, err := migrations.Plan(t.Context(), db, "pattern")
	must(t, err)
	return a
}

func has(lines []string, part string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, part) })
}

func TestAdoptionLeavesTheAppWhatItHas(t *testing.T) {
	db := appBeside(t)
	t.Run("A column of the app's that easel will write into is named, and no other", func(t *testing.T) {
		a := plan(t, db)
		if !has(a.Notes, "image_generations.progress is there already") || has(a.Notes, "user_id") || len(a.Refusals) > 0 {
			t.Errorf("notes %q, refusals %q", a.Notes, a.Refusals)
		}
	})
	t.Run("An index of another name that an interruption left invalid is made anew", func(t *testing.T) {
		a := plan(t, db)
		for _, statement := range slices.Concat(a.Columns, a.Indexes) {
			exec(t, db, statement)
		}
		exec(t, db, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'image_generations_user_easel'::regclass")
		a = plan(t, db)
		if !has(a.Indexes, `DROP INDEX CONCURRENTLY "public"."image_generations_user_easel"`) || has(a.Notes, "progress") {
			t.Errorf("indexes %q, notes %q", a.Indexes, a.Notes)
		}
		must(t, a.Apply(t.Context(), db))
	})
	t.Run("The app may have two parameters of one name", func(t *testing.T) {
		exec(t, db, "INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) VALUES (1, 'lora', 'a'), (1, 'lora', 'b')")
	})
	t.Run("No change is taken back afterwards", func(t *testing.T) {
		for range 8 {
			if _, err := migrations.Down(t.Context(), db, migrations.Postgres); err == nil || !strings.Contains(err.Error(), "the app's own tables") {
				t.Fatalf("got %v", err)
			}
		}
		var n int
		must(t, db.QueryRow("SELECT count(*) FROM image_generations JOIN generation_result r ON r.task_id = image_generations.id").Scan(&n))
		if n != 1 {
			t.Errorf("%d results of the app are left", n)
		}
	})
}

// ownResults adds a result as an app does that keeps its rows by itself.
func ownResults(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	_, err := migrations.Up(t.Context(), db, d)
	must(t, err)
	exec(t, db, "INSERT INTO image_generations (id, provider, prompt, status) VALUES (1, 'mine', 'a boat', 'completed')")
	exec(t, db, "INSERT INTO generation_result (task_id, generated_image_url) VALUES (1, 'https://app.test/a.png')")
	for range files(t, d) {
		if _, err = migrations.Down(t.Context(), db, d); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "an app has added by itself") {
		t.Fatalf("got %v", err)
	}
	var n int
	must(t, db.QueryRow("SELECT count(*) FROM generation_result").Scan(&n))
	if n != 1 {
		t.Errorf("%d results are left", n)
	}
	exec(t, db, "DELETE FROM generation_result")
	_, err = migrations.Down(t.Context(), db, d)
	must(t, err)
}
