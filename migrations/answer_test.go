package migrations_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/migrations"
)

// TestAnswersOfTheReleaseBefore takes the change back that names them, fills the tables as
// that release did, and makes it again.
func TestAnswersOfTheReleaseBefore(t *testing.T) {
	for _, d := range []migrations.Dialect{migrations.SQLite, migrations.Postgres} {
		t.Run(string(d), func(t *testing.T) {
			db := open(t, d)
			_, err := migrations.Up(t.Context(), db, d)
			must(t, err)
			for answers := false; !answers; {
				done, err := migrations.Down(t.Context(), db, d)
				must(t, err)
				answers = done[0].Version == 9
			}
			row := func(id int, status string, fence int, url string) {
				exec(t, db, fmt.Sprintf("INSERT INTO image_generations (id, provider, prompt, status, fence, image_url) VALUES (%d, 'painter', 'a boat', '%s', %d, '%s')", id, status, fence, url))
			}
			result := func(id, task, attempt int, url string) {
				call := "NULL"
				if attempt > 0 {
					call = fmt.Sprint(attempt)
					exec(t, db, fmt.Sprintf(`INSERT INTO generation_attempt (id, task_id, delivery, number, attempt_key, provider, state, fence)
						VALUES (%[1]d, %[2]d, 0, %[1]d, 'key %[1]d', 'painter', 'succeeded', 1)`, attempt, task))
				}
				exec(t, db, fmt.Sprintf("INSERT INTO generation_result (id, task_id, attempt_id, generated_image_url) VALUES (%d, %d, %s, '%s')", id, task, call, url))
			}
			row(1, "completed", 1, "own")
			result(11, 1, 101, "late")
			result(12, 1, 102, "own")
			row(2, "completed", 1, "gone")
			result(22, 2, 202, "second")
			result(21, 2, 201, "first")
			row(3, "failed", 1, "late")
			result(31, 3, 301, "late")
			row(4, "completed", -1, "by the app")
			result(41, 4, 0, "by the app")
			row(5, "completed", 1, "no results")
			const many = 1500 // more than one page
			exec(t, db, fmt.Sprintf(`INSERT INTO image_generations (id, provider, prompt, status, fence, image_url)
				WITH RECURSIVE n (id) AS (SELECT 1001 UNION ALL SELECT id + 1 FROM n WHERE id < %d) SELECT id, 'painter', 'a boat', 'completed', 1, 'own' FROM n`, 1000+many))
			exec(t, db, "INSERT INTO generation_result (id, task_id, generated_image_url) SELECT 10000 + id, id, 'own' FROM image_generations WHERE id > 1000")

			_, err = migrations.Up(t.Context(), db, d)
			must(t, err)
			got := make(map[int]int)
			rows, err := db.QueryContext(t.Context(), "SELECT id, coalesce(answer_result_id, 0) FROM image_generations WHERE id < 1000")
			must(t, err)
			defer rows.Close()
			for rows.Next() {
				var id, answer int
				must(t, rows.Scan(&id, &answer))
				got[id] = answer
			}
			must(t, rows.Err())
			if diff := cmp.Diff(map[int]int{1: 12, 2: 21, 3: 0, 4: 0, 5: 0}, got); diff != "" {
				t.Error(diff)
			}
			var n int
			must(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM image_generations WHERE answer_result_id = 10000 + id").Scan(&n))
			if n != many {
				t.Errorf("%d of %d answers are written down", n, many)
			}
		})
	}
}
