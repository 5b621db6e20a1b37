package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

// changesSince is how many changes of the tables came after the release before.
const changesSince = 3

// TestUpgrade takes the tables back to those of the release before while a worker is dead
// and its call is out, adds rows as that release left them, and goes on with this one.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	at, book := openFakeProvider(t, fakeprovider.Options{Takes: 2 * time.Second})
	s := newSite(t, fmt.Sprintf(`providers:
  replicate: {model: acme/brush, on_unknown: hold, accounts: [{name: main, key: "${FAKEPROVIDER_KEY}", base_url: %q}]}
`, at+"/async/replicate/v1"), "FAKEPROVIDER_KEY="+fakeproviderKey)
	for range 2 {
		s.easel(0, "enqueue", "a fox", "--provider", "replicate")
	}
	worker := s.start("worker")
	servertest.Eventually(t, 5*time.Minute, "both pictures are drawn", func() bool { return s.count(task.Completed) == 2 })
	s.easel(0, "enqueue", "a fox that is drawn by now", "--provider", "replicate")
	servertest.Eventually(t, 5*time.Minute, "its call is out", func() bool {
		return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == 1
	})
	worker.Send(syscall.SIGKILL)
	worker.Ends(time.Minute)
	for range changesSince {
		s.easel(0, "migrate", "down", "--yes")
	}
	s.insertFormer()
	s.easel(0, "migrate", "up")
	s.start("worker")

	want := map[string]string{
		"a fox":                          "completed",
		"a fox that is drawn by now":     "completed",
		"one that waits":                 "completed",
		"one that waits for another try": "completed",
		"one whose worker died in it":    "failed outcome_unknown",
		"one of unknown outcome":         "failed outcome_unknown",
		"one that was refused":           "failed moderated",
		"one that was cancelled":         "cancelled",
	}
	got := func() map[string]string {
		rows, err := s.tasks.DB().QueryContext(t.Context(), "SELECT prompt, status || coalesce(' ' || error_kind, '') FROM image_generations ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		all := make(map[string]string)
		for rows.Next() {
			var prompt, stands string
			if err := rows.Scan(&prompt, &stands); err != nil {
				t.Fatal(err)
			}
			all[prompt] = stands
		}
		return all
	}
	servertest.Eventually(t, 5*time.Minute, "every task has ended", func() bool { return s.open() == 0 })
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if bills := book.bills(t); bills != 5 {
		t.Errorf("%d bills for five pictures", bills)
	}
	for id := range 2 {
		if page := s.easel(0, "show", fmt.Sprint(id+1)); !strings.Contains(page, ".png") {
			t.Errorf("the picture of a task that was completed before is not shown:\n%s", page)
		}
	}
}

// insertFormer adds rows as workers of the release before left them.
func (s *testSite) insertFormer() {
	s.t.Helper()
	tx, err := s.tasks.DB().BeginTx(s.t.Context(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback()
	const columns = "INSERT INTO image_generations (provider, model, prompt, status, error_kind, error_msg, attempt, fence, worker, published_at, completed_at) VALUES ('replicate', 'acme/brush', "
	for _, row := range []string{
		"'one that waits', 'pending', NULL, NULL, 0, 0, NULL, NULL, NULL",
		"'one that waits for another try', 'pending', 'unavailable', 'the service is away', 1, 2, NULL, now(), NULL",
		"'one whose worker died in it', 'processing', NULL, NULL, 0, 1, 'gone-1', now(), NULL",
		"'one of unknown outcome', 'failed', 'outcome_unknown', 'no answer came', 1, 1, NULL, now(), now()",
		"'one that was refused', 'failed', 'moderated', 'the service refuses the prompt', 1, 1, NULL, now(), now()",
		"'one that was cancelled', 'cancelled', NULL, NULL, 0, 1, NULL, now(), now()",
	} {
		s.exec(tx, columns+row+")")
	}
	for prompt, state := range map[string]string{"one whose worker died in it": "sending", "one of unknown outcome": "unknown", "one that was refused": "rejected"} {
		s.exec(tx, `INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, account, state, worker, fence)
			SELECT id, delivery, 1, gen_random_uuid(), provider, 'main', $2, 'gone-1', fence FROM image_generations WHERE prompt = $1`, prompt, state)
	}
	if err := tx.Commit(); err != nil {
		s.t.Fatal(err)
	}
}
