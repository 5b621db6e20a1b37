package migrations_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/migrations"
)

func open(t *testing.T, d migrations.Dialect) *sql.DB {
	t.Helper()
	driver, address := "sqlite", filepath.Join(t.TempDir(), "easel.db")
	if d == migrations.Postgres {
		driver, address = "postgres", servertest.Postgres(t)
	}
	db, err := sql.Open(driver, address)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	_, err := db.Exec(query)
	must(t, err)
}

func TestMigrations(t *testing.T) {
	for _, d := range []migrations.Dialect{migrations.SQLite, migrations.Postgres} {
		t.Run(string(d), func(t *testing.T) {
			t.Run("Up twice changes nothing the second time", func(t *testing.T) { twice(t, d) })
			t.Run("Status says which changes the database has", func(t *testing.T) { status(t, d) })
			t.Run("Down and Up again leave working tables", func(t *testing.T) { again(t, d) })
			t.Run("The newest change can be taken back and made again, and the tables are as before", func(t *testing.T) { newest(t, d) })
			t.Run("Down of an empty database says so", func(t *testing.T) { downOfNothing(t, d) })
			t.Run("Down keeps results that an app has added by itself, and says so", func(t *testing.T) { ownResults(t, d) })
			t.Run("Down leaves the photo tables, which may be the app's", func(t *testing.T) { photos(t, d) })
			t.Run("The app's own photo table is left as it is", func(t *testing.T) { ownPhotos(t, d) })
		})
	}
}

func twice(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	done, err := migrations.Up(t.Context(), db, d)
	must(t, err)
	if len(done) == 0 || done[0].Version != 1 || !done[0].Applied {
		t.Errorf("%+v", done)
	}
	done, err = migrations.Up(t.Context(), db, d)
	must(t, err)
	if len(done) != 0 {
		t.Errorf("%+v", done)
	}
}

// files are the migrations of the folder, in their order.
func files(t *testing.T, d migrations.Dialect) []migrations.Migration {
	t.Helper()
	folder, err := os.ReadDir(map[migrations.Dialect]string{migrations.Postgres: "postgres", migrations.SQLite: "sqlite"}[d])
	must(t, err)
	var all []migrations.Migration
	for _, f := range folder {
		m := migrations.Migration{Name: f.Name()}
		_, err := fmt.Sscanf(f.Name(), "%d_", &m.Version)
		must(t, err)
		all = append(all, m)
	}
	return all
}

func status(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	want := files(t, d)
	expect := func() {
		t.Helper()
		got, err := migrations.Status(t.Context(), db, d)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	expect()
	_, err := migrations.Up(t.Context(), db, d)
	must(t, err)
	for i := range want {
		want[i].Applied = true
	}
	expect()
	for i := len(want) - 1; i >= 0; i-- {
		done, err := migrations.Down(t.Context(), db, d)
		must(t, err)
		want[i].Applied = false
		if diff := cmp.Diff(want[i:i+1], done); diff != "" {
			t.Error(diff)
		}
		expect()
	}
}

// down takes every change back.
func down(t *testing.T, db *sql.DB, d migrations.Dialect) {
	t.Helper()
	all, err := migrations.Status(t.Context(), db, d)
	must(t, err)
	for range all {
		_, err := migrations.Down(t.Context(), db, d)
		must(t, err)
	}
}

func again(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	for range 2 {
		_, err := migrations.Up(t.Context(), db, d)
		must(t, err)
		exec(t, db, "INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a boat')")
		var n int
		must(t, db.QueryRow("SELECT count(*) FROM image_generations").Scan(&n))
		if n != 1 {
			t.Errorf("%d rows", n)
		}
		down(t, db, d)
	}
}

// newest compares the schema after Down and Up with the one before: what a change
// does to the text of a table must not be done twice.
func newest(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	schema := func() (all []string) {
		t.Helper()
		query := "SELECT coalesce(sql, '') FROM sqlite_master ORDER BY name"
		if d == migrations.Postgres {
			query = `SELECT table_name || '.' || column_name || ' ' || is_nullable || coalesce(column_default, '') FROM information_schema.columns
				WHERE table_schema = 'public' UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`
		}
		rows, err := db.QueryContext(t.Context(), query)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var text string
			must(t, rows.Scan(&text))
			all = append(all, text)
		}
		must(t, rows.Err())
		return all
	}
	_, err := migrations.Up(t.Context(), db, d)
	must(t, err)
	before := schema()
	_, err = migrations.Down(t.Context(), db, d)
	must(t, err)
	_, err = migrations.Up(t.Context(), db, d)
	must(t, err)
	if diff := cmp.Diff(before, schema()); diff != "" {
		t.Error(diff)
	}
}

func downOfNothing(t *testing.T, d migrations.Dialect) {
	_, err := migrations.Down(t.Context(), open(t, d), d)
	if err == nil || err.Error() != "there is nothing to take back: easel has no tables in this database" {
		t.Errorf("%v", err)
	}
}

func photos(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	_, err := migrations.Up(t.Context(), db, d)
	must(t, err)
	exec(t, db, "INSERT INTO photo (id, image_url) VALUES (1, '/a.png')")
	exec(t, db, "INSERT INTO tag (id, name) VALUES (1, 'boat')")
	exec(t, db, "INSERT INTO photo_tag (photo_id, tag_id) VALUES (1, 1)")
	down(t, db, d)
	var n int
	must(t, db.QueryRow("SELECT count(*) FROM photo JOIN photo_tag ON photo_id = photo.id JOIN tag ON tag_id = tag.id").Scan(&n))
	if n != 1 {
		t.Errorf("%d photos are left", n)
	}
	if _, err := db.Exec("SELECT 1 FROM image_generations"); err == nil {
		t.Error("image_generations is still there")
	}
}

func ownPhotos(t *testing.T, d migrations.Dialect) {
	db := open(t, d)
	exec(t, db, "CREATE TABLE photo (id integer PRIMARY KEY, image_url text, mine text)")
	_, err := migrations.Up(t.Context(), db, d)
	must(t, err)
	exec(t, db, "INSERT INTO photo (id, mine) VALUES (1, 'kept')")
}

func TestUpAtOnce(t *testing.T) {
	t.Run("Of 4 processes at once one migrates and the others wait", func(t *testing.T) {
		db := open(t, migrations.Postgres)
		var changed [4]int
		var all sync.WaitGroup
		for i := range changed {
			all.Go(func() {
				done, err := migrations.Up(t.Context(), db, migrations.Postgres)
				if err != nil {
					t.Error(err)
				}
				changed[i] = len(done)
			})
		}
		all.Wait()
		every := len(files(t, migrations.Postgres))
		if sum := changed[0] + changed[1] + changed[2] + changed[3]; sum != every || max(changed[0], changed[1], changed[2], changed[3]) != every {
			t.Errorf("changes: %v", changed)
		}
	})
}
