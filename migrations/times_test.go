package migrations_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/migrations"
)

func TestSQLiteTakesTimesAsISO8601(t *testing.T) {
	db := open(t, migrations.SQLite)
	_, err := migrations.Up(t.Context(), db, migrations.SQLite)
	must(t, err)
	for given, want := range map[string]string{
		"2026-11-29T12:00:00Z":              "2026-11-29 12:00:00+00:00",
		"2026-11-29T12:00:00":               "2026-11-29 12:00:00+00:00",
		"2026-11-29T20:00:00+08:00":         "2026-11-29 12:00:00+00:00",
		"2026-11-29 20:00:00.9999999+08:00": "2026-11-29 12:00:00.9999999+00:00",
		"2026-11-29T12:00Z":                 "2026-11-29 12:00:00+00:00",
		"2026-11-29":                        "2026-11-29 00:00:00+00:00",
		"2026-11-29 12:00:00.123456":        "2026-11-29 12:00:00.123456",
		"2026-11-29 12:00:00.000000+00:00":  "2026-11-29 12:00:00.000000+00:00",
	} {
		t.Run(given, func(t *testing.T) {
			_, err := db.Exec("INSERT INTO image_generations (id, provider, prompt, run_at) VALUES (1, 'p', 'a boat', ?1)", given)
			must(t, err)
			_, err = db.Exec("INSERT INTO generation_result (task_id, generated_image_url, created_at) VALUES (1, 'x', ?1)", given)
			must(t, err)
			_, err = db.Exec("UPDATE image_generations SET completed_at = ?1", given)
			must(t, err)
			var got [3]string
			must(t, db.QueryRow("SELECT '' || run_at, '' || completed_at, '' || r.created_at FROM image_generations g JOIN generation_result r ON r.task_id = g.id").Scan(&got[0], &got[1], &got[2]))
			if diff := cmp.Diff([3]string{want, want, want}, got); diff != "" {
				t.Error(diff)
			}
			exec(t, db, "DELETE FROM generation_result")
			exec(t, db, "DELETE FROM image_generations")
		})
	}
	for _, given := range []string{"tomorrow", "now", "2026-13-01T00:00:00Z", "1764417600", "12:00"} {
		t.Run(given+" is refused", func(t *testing.T) {
			if _, err := db.Exec("INSERT INTO image_generations (provider, prompt, completed_at) VALUES ('p', 'a boat', ?1)", given); err == nil {
				t.Error("it was taken")
			}
		})
	}
}
