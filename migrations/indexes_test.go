package migrations_test

import (
	"strings"
	"testing"

	"github.com/easelqueue/easel/migrations"
)

// What apps ask of the tables, and the index that answers it.
var questions = map[string]struct{ query, index string }{
	"the newest of a status":     {"SELECT id FROM image_generations WHERE status = 'cancelled' ORDER BY id DESC LIMIT 20", "image_generations_status"},
	"what is of a time":          {"SELECT id FROM image_generations WHERE created_at >= '2026-01-02' AND created_at < '2026-01-03'", "image_generations_created"},
	"what ended in a time":       {"SELECT id FROM image_generations WHERE completed_at >= '2026-01-02' AND completed_at < '2026-01-03'", "image_generations_completed"},
	"the newest of a rare model": {"SELECT id FROM image_generations WHERE model = 'rare' ORDER BY created_at DESC LIMIT 20", "image_generations_model"},
	"results since":              {"SELECT id FROM generation_result WHERE created_at >= '2026-03-01'", "generation_result_created"},
}

func TestWhatAppsAskHasItsIndex(t *testing.T) {
	for d, fill := range map[migrations.Dialect]struct{ rows, results, analyze, explain string }{
		migrations.Postgres: {`INSERT INTO image_generations (provider, prompt, model, status, created_at, completed_at)
			SELECT 'p', 'a boat', CASE WHEN i % 5000 = 0 THEN 'rare' ELSE 'm' || i % 50 END, CASE WHEN i % 1000 = 0 THEN 'cancelled' ELSE 'completed' END,
				timestamptz '2026-01-01' + i * interval '1 minute', timestamptz '2026-01-01' + i * interval '1 minute' FROM generate_series(1, 100000) i`,
			`INSERT INTO generation_result (task_id, generated_image_url, created_at) SELECT id, 'x', created_at FROM image_generations`,
			"ANALYZE", "EXPLAIN "},
		migrations.SQLite: {`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
			INSERT INTO image_generations (provider, prompt, model, status, created_at, completed_at)
			SELECT 'p', 'a boat', CASE WHEN i % 5000 = 0 THEN 'rare' ELSE 'm' || i % 50 END, CASE WHEN i % 1000 = 0 THEN 'cancelled' ELSE 'completed' END,
				datetime('2026-01-01', i || ' minutes'), datetime('2026-01-01', i || ' minutes') FROM n`,
			`INSERT INTO generation_result (task_id, generated_image_url, created_at) SELECT id, 'x', created_at FROM image_generations`,
			"SELECT 1", "EXPLAIN QUERY PLAN "},
	} {
		t.Run(string(d), func(t *testing.T) {
			db := open(t, d)
			_, err := migrations.Up(t.Context(), db, d)
			must(t, err)
			for _, statement := range []string{fill.rows, fill.results, fill.analyze} {
				exec(t, db, statement)
			}
			for name, q := range questions {
				rows, err := db.QueryContext(t.Context(), fill.explain+q.query)
				must(t, err)
				var plan strings.Builder
				for rows.Next() {
					var a, b, c any
					var line string
					if d == migrations.Postgres {
						must(t, rows.Scan(&line))
					} else {
						must(t, rows.Scan(&a, &b, &c, &line))
					}
					plan.WriteString(line + "\n")
				}
				must(t, rows.Close())
				if !strings.Contains(plan.String(), q.index) {
					t.Errorf("%s: not by %s:\n%s", name, q.index, plan.String())
				}
			}
		})
	}
}
