package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

func TestRowsFromOutside(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  volcengine:\n    model: doubao-seedream-4-0-250828\n    accounts:\n      - {name: main, key: \"${FAKE_KEY}\", base_url: \"http://127.0.0.1:1\"}\n  sketch: {}\n", "FAKE_KEY=sk-test")
	s.start("worker")
	get := func(id int64) *task.Task {
		t.Helper()
		found, err := s.tasks.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	insert := func(query string) (id int64) {
		t.Helper()
		if err := s.tasks.DB().QueryRowContext(t.Context(), query).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	ends := func(id int64) *task.Task {
		t.Helper()
		servertest.Eventually(t, 5*time.Minute, fmt.Sprintf("task %d ended", id), func() bool { return get(id).Status.Final() })
		return get(id)
	}

	t.Run("A row with only provider and prompt completes", func(t *testing.T) {
		got := ends(insert("INSERT INTO image_generations (provider, prompt) VALUES ('sketch', '一只红狐狸 🦊') RETURNING id"))
		if got.Status != task.Completed || got.LocalPath == "" {
			t.Errorf("it is %s with local_path %q: %s", got.Status, got.LocalPath, got.ErrorMsg)
		}
	})

	t.Run("A row through the view completes with its parameters, which came in the same commit", func(t *testing.T) {
		tx, err := s.tasks.DB().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		var id int64
		row := tx.QueryRowContext(t.Context(), "INSERT INTO image_generation_task (provider, prompt, watermark) VALUES ('sketch', 'through the view', false) RETURNING id")
		if err := row.Scan(&id); err != nil {
			t.Fatal(err)
		}
		for _, p := range [][2]string{{"mode", "async"}, {"delay", "10ms"}} {
			s.exec(tx, "INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) VALUES ($1, $2, $3)", id, p[0], p[1])
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		got := ends(id)
		if got.Status != task.Completed || got.Size != "2K" || got.Width == nil || *got.Width != 2048 {
			t.Errorf("it is %s, size %q, width %v: %s", got.Status, got.Size, got.Width, got.ErrorMsg)
		}
	})

	for name, c := range map[string]struct{ columns, values, reason string }{
		"an unknown provider":          {"provider, prompt", "'nobody', 'x'", "nobody"},
		"an empty prompt":              {"provider, prompt", "'sketch', '  '", "prompt is empty"},
		"negative steps":               {"provider, prompt, steps", "'sketch', 'x', -5", "steps is -5"},
		"a size out of range":          {"provider, prompt, size", "'sketch', 'x', '9000x9000'", "9000x9000"},
		"broken JSON in references":    {"provider, prompt, reference_images", "'sketch', 'x', '[\"http'", "reference_images"},
		"a photo that does not exist":  {"provider, prompt, input_image_id", "'sketch', 'x', 4711", "4711"},
		"a provider with control data": {"provider, prompt", "E'sk\\netch', 'x'", "not configured"},
	} {
		t.Run("A row of nonsense ends failed with the reason: "+name, func(t *testing.T) {
			got := ends(insert("INSERT INTO image_generations (" + c.columns + ") VALUES (" + c.values + ") RETURNING id"))
			if got.Status != task.Failed || !strings.Contains(got.ErrorMsg, c.reason) || got.ErrorKind != task.Invalid {
				t.Errorf("it is %s, %s: %q; want failed, invalid, naming %q", got.Status, got.ErrorKind, got.ErrorMsg, c.reason)
			}
			if attempts, err := s.tasks.Attempts(t.Context(), got.ID); err != nil || len(attempts) != 0 {
				t.Errorf("%d attempts were made (%v)", len(attempts), err)
			}
		})
	}
}
