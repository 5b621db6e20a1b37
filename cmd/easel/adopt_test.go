package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// bareSite is a site whose database has no tables of easel's.
func bareSite(t *testing.T, database string) *testSite {
	t.Helper()
	dir := t.TempDir()
	s := &testSite{t: t, dir: dir, env: []string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "EASEL_DATA=" + dir,
		"EASEL_LISTEN=" + servertest.FreeAddress(t), "EASEL_LOG=info,json", "EASEL_DATABASE_URL=" + database, "EASEL_REDIS_URL=" + servertest.Redis(t).URL}}
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return s
}

// opens is the site with its database opened, once it has easel's tables.
func (s *testSite) opens(address string) {
	s.t.Helper()
	var err error
	if s.tasks, err = store.Open(s.t.Context(), address); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.tasks.Close() })
}

// dump is every row of the app's table in the columns that the app has.
func dump(t *testing.T, address, columns string) (all []string) {
	t.Helper()
	db, err := sql.Open("postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT row_to_json(x)::text FROM (SELECT "+columns+" FROM public.image_generations ORDER BY id) x")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

const appColumns = "id, storyboard_id, drama_id, provider, prompt, size, status, task_id, error_msg, created_at, updated_at, completed_at"

func TestForeignTables(t *testing.T) {
	t.Parallel()

	t.Run("An app's own table is left alone, and everybody says the two ways on", func(t *testing.T) {
		t.Parallel()
		address := servertest.Postgres(t)
		pythonSays(t, address, "second.py", "create")
		s := bareSite(t, address)
		before := dump(t, address, "*")
		for _, command := range [][]string{{"migrate", "up"}, {"up"}, {"worker"}, {"doctor"}, {"list"}, {"enqueue", "a boat"}} {
			said := s.easel(1, command...)
			for _, part := range []string{"image_generations is in this database already", "search_path=easel", "easel migrate adopt"} {
				if !strings.Contains(said, part) {
					t.Errorf("easel %v does not say %q:\n%s", command, part, said)
				}
			}
		}
		s.easel(0, "migrate", "status")
		if said := s.easel(1, "migrate", "up"); !strings.Contains(said, "easel migrate adopt") {
			t.Errorf("after a look at the status: %s", said)
		}
		if diff := cmp.Diff(before, dump(t, address, "*")); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("In a schema of its own easel works beside it", func(t *testing.T) {
		t.Parallel()
		address := servertest.Postgres(t)
		pythonSays(t, address, "second.py", "create")
		before := dump(t, address, "*")
		own := address + map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")] + "search_path=easel"
		s := bareSite(t, own)
		s.easel(0, "migrate", "up")
		s.opens(own)
		s.start("worker")
		s.easel(0, "enqueue", "a boat", "--provider", "sketch", "--size", "64x64", "--wait")
		if diff := cmp.Diff(before, dump(t, address, "*")); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("Adopted, the app's rows stay the app's and what it inserts is drawn", func(t *testing.T) {
		t.Parallel()
		address := servertest.Postgres(t)
		pythonSays(t, address, "second.py", "create")
		s := bareSite(t, address)
		before := dump(t, address, appColumns)
		preview := s.easel(0, "migrate", "adopt", "--sql")
		for _, part := range []string{`ADD COLUMN "fence" bigint DEFAULT -1 NOT NULL`, "CREATE INDEX CONCURRENTLY", "Nothing was changed"} {
			if !strings.Contains(preview, part) {
				t.Errorf("the preview does not say %q:\n%s", part, preview)
			}
		}
		if said := s.easel(1, "migrate", "up"); !strings.Contains(said, "easel migrate adopt") {
			t.Errorf("after the preview: %s", said)
		}
		s.easel(0, "migrate", "adopt", "--yes")
		if said := s.easel(0, "migrate", "up"); !strings.Contains(said, "nothing to do") {
			t.Errorf("after the adoption: %s", said)
		}
		s.easel(2, "migrate", "adopt")
		s.opens(address)
		if left := s.number("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'easel\\_adopt%'"); left != 0 {
			t.Errorf("%d schemas are left", left)
		}
		s.start("worker")
		id := pythonSays(t, address, "second.py", "insert")
		servertest.Eventually(t, 5*time.Minute, "the app's new row is drawn", func() bool { return s.task(id).Status == task.Completed })
		s.easel(0, "enqueue", "a boat", "--provider", "sketch", "--size", "64x64", "--wait")
		orphan := s.insertOrphan()
		servertest.Eventually(t, 5*time.Minute, "a dead worker's task is taken back", func() bool { return s.task(orphan).Status == task.Completed })
		if diff := cmp.Diff(before, dump(t, address, appColumns)[:3]); diff != "" {
			t.Errorf("the app's old rows (-before +after):\n%s", diff)
		}
		if said := s.easel(0, "list"); strings.Count(said, "managed by the app itself") != 2 {
			t.Errorf("%s", said)
		}
		if said := s.easel(0, "retry", "--status", "failed", "--yes"); !strings.Contains(said, "no task fits") {
			t.Errorf("%s", said)
		}
		var row struct {
			Status    string
			ImageURL  string `json:"image_url"`
			DramaID   int    `json:"drama_id"`
			Completed bool
		}
		if err := json.Unmarshal([]byte(pythonSays(t, address, "second.py", "read", id)), &row); err != nil || row.Status != "completed" || row.ImageURL == "" || row.DramaID != 3 || !row.Completed {
			t.Errorf("the app reads %+v (%v)", row, err)
		}
	})
}

func TestAdoptionIsRefused(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		change string
		says   []string
	}{
		"Columns that easel cannot read, or not write, all at once": {`
			ALTER TABLE image_generations DROP COLUMN id, DROP COLUMN prompt, ADD COLUMN id uuid PRIMARY KEY DEFAULT gen_random_uuid();
			CREATE TYPE state AS ENUM ('pending', 'processing', 'failed');
			ALTER TABLE image_generations ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE state USING status::state;
			ALTER TABLE image_generations ALTER COLUMN error_msg TYPE varchar(255), ALTER COLUMN created_at DROP NOT NULL, ALTER COLUMN reference_images TYPE jsonb USING NULL;
			CREATE TABLE generation_attempt (id int)`,
			[]string{"id is uuid", "schema of its own", "no column prompt", "status is state; easel needs text", "error_msg is character varying(255)", "TYPE text",
				"created_at may be null", "SET NOT NULL", "reference_images is jsonb", "generation_attempt is there already"}},
		"A constraint that does not know our statuses, ids that the app makes, and a column that easel cannot fill": {`
			ALTER TABLE image_generations ADD CONSTRAINT mine CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'generating'));
			ALTER TABLE image_generations ALTER COLUMN id DROP DEFAULT, ADD COLUMN episode integer NOT NULL DEFAULT 1;
			ALTER TABLE image_generations ALTER COLUMN episode DROP DEFAULT`,
			[]string{"constraint mine", "cancelled", "id has no default", "episode must have a value"}},
		"A view in place of a table": {"ALTER TABLE image_generations RENAME TO pictures; CREATE VIEW image_generations AS SELECT * FROM pictures", []string{"no plain table"}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			address := servertest.Postgres(t)
			pythonSays(t, address, "second.py", "create")
			db, err := sql.Open("postgres", address)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), c.change); err != nil {
				t.Fatal(err)
			}
			s := bareSite(t, address)
			before := catalogue(t, db)
			said := s.easel(1, "migrate", "adopt", "--yes")
			for _, part := range c.says {
				if !strings.Contains(said, part) {
					t.Errorf("it does not say %q:\n%s", part, said)
				}
			}
			if diff := cmp.Diff(before, catalogue(t, db)); diff != "" {
				t.Errorf("something was changed:\n%s", diff)
			}
		})
	}

	t.Run("A file is not adopted", func(t *testing.T) {
		s := bareSite(t, "sqlite:"+filepath.Join(t.TempDir(), "app.db"))
		path := strings.TrimPrefix(config.Variables(s.env)["EASEL_DATABASE_URL"], "sqlite:")
		pythonSays(t, "sqlite:"+path, "second.py", "create")
		for _, args := range [][]string{{"migrate", "up"}, {"up"}, {"list"}, {"migrate", "adopt"}} {
			code := map[bool]int{true: 2, false: 1}[slices.Equal(args, []string{"migrate", "adopt"})]
			if said := s.easel(code, args...); !strings.Contains(said, "file of its own") {
				t.Errorf("%v: %s", args, said)
			}
		}
	})
}

// catalogue is every column of every table.
func catalogue(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var part [4]string
		if err := rows.Scan(&part[0], &part[1], &part[2], &part[3]); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(part))
	}
	return all
}
