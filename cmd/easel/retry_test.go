package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestRetryAndCancel(t *testing.T) {
	for _, c := range []struct {
		claim string
		holds func(*testing.T, *shell, *store.Store)
	}{
		{"A failed task is pending again", retriesFailed},
		{"What may have been charged is retried, and its call stays unknown", retriesUnknown},
		{"Where nobody can be asked nothing says that somebody is", asksNobody},
		{"Only a person's word says that a call was not charged", retriesNotCharged},
		{"Of two words about a call the second is refused, and buys nothing", contradicts},
		{"A word for many that calls were not charged leaves those alone of which that is not asked", retriesAllNotCharged},
		{"A password in an address is shown by no command", showsNoPassword},
		{"A call that was made after the command began is not what its word is about", refusesLaterCall},
		{"Pictures that are in storage already are taken by a retry, and only what is missing is bought", retriesStored},
		{"What was paid for is collected by a retry, and bought again by a confirmed word", buysAgain},
		{"What was given up as charged is bought again by a confirmed word, and by no other retry", buysCharged},
		{"A call that was not charged, after one that was, is sent again by two words, and each says the next", buysFirstThenSends},
		{"Buying again a call of unknown outcome names the two words that settle it", buysUnknown},
		{"A retry says whether it would buy", saysWhatIsBought},
		{"One refusal does not keep the others", retriesOthers},
		{"A script that retries many must say that it means it", retriesConfirmed},
		{"A filter takes what may have been charged too, and leaves it unknown", retriesFiltered},
		{"A kind picks what may have been charged", retriesKind},
		{"Tasks that have not failed are not picked to be retried", retriesEnded},
		{"Failed and cancelled tasks are retried together", retriesBoth},
		{"Cancelled tasks are picked by their status", retriesCancelled},
		{"A task that has ended cannot be cancelled", cancelsOpen},
		{"The dead-letter queue counts by kind and says how to retry", countsDeadLetters},
	} {
		t.Run(c.claim, func(t *testing.T) {
			d := newShell(t)
			for range 4 {
				d.enqueue("x")
			}
			s := d.open()
			fail(t, s, 1, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
			fail(t, s, 2, nobodyKnows())
			c.holds(t, d, s)
		})
	}
}

func nobodyKnows() *task.Failure {
	return &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "nobody knows"}
}

func status(t *testing.T, s *store.Store, id int64) task.Status {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got.Status
}

func lastCall(t *testing.T, s *store.Store, id int64) task.AttemptState {
	t.Helper()
	attempts, err := s.Attempts(t.Context(), id)
	if err != nil || len(attempts) != 1 {
		t.Fatalf("%d attempts, %v", len(attempts), err)
	}
	return attempts[0].State
}

func retriesFailed(t *testing.T, d *shell, s *store.Store) {
	d.easel("retry", "1").wants(t, 0, "task 1 is pending again")
	if got := status(t, s, 1); got != task.Pending {
		t.Errorf("it is %s", got)
	}
}

func retriesUnknown(t *testing.T, d *shell, s *store.Store) {
	d.easel("show", "2").wants(t, 0, "`easel retry 2`: that asks the provider again and buys nothing", "`easel retry 2 --not-charged --attempt 1` sends it again")
	d.easel("retry", "2").wants(t, 0, "task 2 is pending again")
	if got := lastCall(t, s, 2); got != task.AttemptUnknown {
		t.Errorf("its call is %s", got)
	}
}

func asksNobody(t *testing.T, d *shell, _ *store.Store) {
	d.env = append(d.env, "OPENAI_API_KEY=a-key")
	id := d.enqueue("x", "--provider", "openai", "--model", "gpt-image-2")
	s := d.open()
	fail(t, s, id, nobodyKnows())
	reason := "nobody knows"
	for _, args := range [][]string{{"show", fmt.Sprint(id)}, {"dlq"}, {"retry", fmt.Sprint(id)}} {
		if got := d.easel(args...); strings.Contains(strings.ToLower(got.out+got.errors), "asks the provider") || strings.Contains(got.out+got.errors, "buys nothing") {
			t.Errorf("%q says %s%s", args, got.out, got.errors)
		}
	}
	d.easel("show", fmt.Sprint(id)).wants(t, 0, "https://platform.openai.com/usage", fmt.Sprintf("`easel retry %d --not-charged --attempt 1`", id), fmt.Sprintf("`easel give-up %d --attempt 1`", id), reason)
	d.easel("dlq").wants(t, 0, "look each up at the provider")
	d.easel("retry", fmt.Sprint(id)).wants(t, 1, "was not retried")
	if row, err := s.Get(t.Context(), id); err != nil || row.Status != task.Failed || !strings.Contains(row.ErrorMsg, reason) {
		t.Errorf("it is %+v, %v", row, err)
	}
	d.easel("give-up", fmt.Sprint(id), "--attempt", "2").wants(t, 1, "its last call is 1 and not 2; look again")
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE generation_attempt SET sent_at = '2026-01-01 10:00:00.000000+00:00' WHERE task_id = ?", id); err != nil {
		t.Fatal(err)
	}
	d.easel("give-up", fmt.Sprint(id), "--attempt", "1").wants(t, 0, "is given up: its call was charged")
	if said := d.easel("show", fmt.Sprint(id)).out; regexp.MustCompile(`\d+h\d+m`).MatchString(said) {
		t.Errorf("the call took until somebody spoke of it:\n%s", said)
	}
	d.easel("show", fmt.Sprint(id)).wants(t, 0, "charged", reason)
	d.easel("give-up", fmt.Sprint(id)).wants(t, 1, "has no call of unknown outcome: its call 1 was given up as charged: see `easel show")
}

func retriesNotCharged(t *testing.T, d *shell, s *store.Store) {
	d.easel("retry", "2", "--not-charged", "--attempt", "0").wants(t, 2, "accepted are the numbers of calls")
	d.easel("retry", "1", "2", "--attempt", "1").wants(t, 2, "the call of one task")
	d.easel("retry", "2", "--not-charged", "--attempt", "3").wants(t, 1, "task 2 has moved on since you looked: its last call is 1 and not 3")
	if row, err := s.Get(t.Context(), 2); err != nil || row.Status != task.Failed {
		t.Errorf("it is %+v, %v", row, err)
	}
	d.easel("retry", "2", "--not-charged", "--attempt", "1").wants(t, 0, "task 2 is pending again: call 1 counts as not charged, and a new call is made")
	if got := lastCall(t, s, 2); got != task.AttemptRejected {
		t.Errorf("its call is %s", got)
	}
}

func contradicts(t *testing.T, d *shell, s *store.Store) {
	fail(t, s, 3, nobodyKnows())
	d.easel("give-up", "2", "--attempt", "1").wants(t, 0, "is given up")
	for _, args := range [][]string{{"retry", "2", "--not-charged", "--attempt", "1"}, {"give-up", "2", "--attempt", "1"}} {
		d.easel(args...).wants(t, 1, "task 2 has moved on since you looked: its call 1 was given up as charged; look again with `easel show 2`")
	}
	for _, args := range [][]string{{"retry", "2", "--not-charged"}, {"give-up", "2"}} {
		d.easel(args...).wants(t, 1, "task 2 has no call of unknown outcome: its call 1 was given up as charged")
	}
	if got := lastCall(t, s, 2); got != task.AttemptFailed || status(t, s, 2) != task.Failed {
		t.Errorf("its call is %s, and it is %s", got, status(t, s, 2))
	}
	d.easel("retry", "3", "--not-charged", "--attempt", "1").wants(t, 0, "call 1 counts as not charged")
	for _, args := range [][]string{{"give-up", "3", "--attempt", "1"}, {"retry", "3", "--not-charged", "--attempt", "1"}} {
		d.easel(args...).wants(t, 1, "task 3 has moved on since you looked: its call 1 is written down as rejected; look again with `easel show 3`")
	}
	if got := lastCall(t, s, 3); got != task.AttemptRejected || status(t, s, 3) != task.Pending {
		t.Errorf("its call is %s, and it is %s", got, status(t, s, 3))
	}
}

func retriesAllNotCharged(t *testing.T, d *shell, s *store.Store) {
	fail(t, s, 3, nobodyKnows())
	d.easel("give-up", "2").wants(t, 0, "is given up")
	d.easel("retry", "--status", "failed", "--not-charged", "--yes").wants(t, 0, "1 task pending again\n1 task left as it was: somebody else was faster, or it wants a decision", "1 task left alone that would pay again")
	if status(t, s, 1) != task.Failed || status(t, s, 2) != task.Failed || status(t, s, 3) != task.Pending {
		t.Errorf("they are %s, %s and %s", status(t, s, 1), status(t, s, 2), status(t, s, 3))
	}
}

func showsNoPassword(t *testing.T, d *shell, s *store.Store) {
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET input_image_url = 'http://user:SECRET@cdn.example/x.png' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"show", "1"}, {"list"}, {"dlq"}, {"retry", "1"}} {
		for _, form := range [][]string{nil, {"--json"}} {
			if got := d.easel(append(args, form...)...); strings.Contains(got.out+got.errors, "SECRET") {
				t.Errorf("%q says %s%s", args, got.out, got.errors)
			}
		}
	}
	d.easel("show", "1").wants(t, 0, "http://***@cdn.example/x.png")
}

func refusesLaterCall(t *testing.T, d *shell, s *store.Store) {
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE generation_attempt SET sent_at = later(60000) WHERE task_id = 2"); err != nil {
		t.Fatal(err)
	}
	d.easel("retry", "2", "--not-charged").wants(t, 1, "its call 1 was made after this command began; look again")
	if got := lastCall(t, s, 2); got != task.AttemptUnknown || status(t, s, 2) != task.Failed {
		t.Errorf("its call is %s", got)
	}
}

func retriesStored(t *testing.T, d *shell, s *store.Store) {
	for _, statement := range []string{
		"UPDATE generation_attempt SET state = 'succeeded' WHERE task_id = 2",
		`INSERT INTO generation_result (task_id, attempt_id, generated_image_url, storage_key)
			SELECT task_id, id, 'http://x.test/2.png', '2/1-0.png' FROM generation_attempt WHERE task_id = 2`,
		"UPDATE image_generations SET error_kind = 'timeout' WHERE id = 2",
	} {
		if _, err := s.DB().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	d.easel("show", "2").wants(t, 0, "`easel retry 2`: that takes the pictures that are in storage already, and buys nothing")
	d.easel("retry", "2").wants(t, 0, "task 2 is pending again: pictures that are in storage already are taken, and nothing is bought")
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET status = 'failed', image_count = 2 WHERE id = 2; UPDATE generation_attempt SET images = 1"); err != nil {
		t.Fatal(err)
	}
	d.easel("retry", "2").wants(t, 0, "task 2 is pending again: a new call is made")
}

func buysAgain(t *testing.T, d *shell, s *store.Store) {
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE generation_attempt SET state = 'answered', finished_at = NULL, cost_micros = 40000, currency = 'USD' WHERE task_id = 2"); err != nil {
		t.Fatal(err)
	}
	d.easel("show", "2").wants(t, 0, "is collected by itself; nothing is bought", "`easel retry --buy-again 2`")
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET status = 'cancelled' WHERE id = 2"); err != nil {
		t.Fatal(err)
	}
	d.easel("show", "2").wants(t, 0, "is collected by itself and kept beside it", "`easel retry 2` makes it the task's answer")
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET status = 'failed', error_kind = 'expired' WHERE id = 2; UPDATE generation_attempt SET finished_at = sent_at WHERE task_id = 2"); err != nil {
		t.Fatal(err)
	}
	d.easel("show", "2").wants(t, 0, "that collects what was paid for and does not pay for it twice", "`easel retry --buy-again 2`")
	d.easel("retry", "1", "--buy-again", "--yes").wants(t, 1, "task 1 has no call that was paid for and not collected")
	d.easel("retry", "2", "--buy-again").wants(t, 2, "This gives up call 1 of task 2, answered at", "Pay once more?", "say --yes")
	d.easel("retry", "2", "--buy-again", "--not-charged").wants(t, 2, "give either")
	d.easel("retry", "--status", "failed", "--buy-again").wants(t, 2, "--buy-again takes the IDs of tasks")
	if got := lastCall(t, s, 2); got != task.AttemptAnswered {
		t.Errorf("its call is %s before anybody has confirmed", got)
	}
	d.easel("retry", "2", "--buy-again", "--yes").wants(t, 0, "task 2 is pending again: what it has paid for is given up, and a new call is made")
	if got := lastCall(t, s, 2); got != task.AttemptFailed {
		t.Errorf("its call is %s", got)
	}
}

func buysCharged(t *testing.T, d *shell, s *store.Store) {
	d.easel("give-up", "2").wants(t, 0, "is given up")
	d.easel("show", "2").wants(t, 0, "a plain retry changes nothing", "`easel retry --buy-again 2` has a new one drawn, which is paid for as well")
	for _, args := range [][]string{{"retry", "2"}, {"retry", "2", "--attempt", "1"}} {
		d.easel(args...).wants(t, 1, "task 2 was not retried: its call 1 was given up as charged, and a new one is paid for as well: `easel retry 2 --buy-again` makes it")
	}
	d.easel("retry", "--status", "failed").wants(t, 2, "1 task would be retried. 1 task of which a call was given up as charged would be left alone. Go on?")
	d.easel("retry", "--kind", "charged").wants(t, 0, "1 task left alone that would pay again, since a call was given up as charged: `easel retry ID --buy-again`")
	d.easel("retry", "2", "--buy-again").wants(t, 2, "This pays again for call 1 of task 2, given up as charged at sketch", "Pay once more?")
	if got := status(t, s, 2); got != task.Failed {
		t.Errorf("it is %s", got)
	}
	d.easel("retry", "2", "--buy-again", "--yes", "--attempt", "1").wants(t, 0, "task 2 is pending again: a new call is made, and paid for although one was charged")
}

func buysFirstThenSends(t *testing.T, d *shell, s *store.Store) {
	d.easel("give-up", "2").wants(t, 0, "is given up")
	_, err := s.DB().ExecContext(t.Context(), `INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at)
		VALUES (2, 0, 2, 'another', 'sketch', 'unknown', 'w', 1, now())`)
	if err != nil {
		t.Fatal(err)
	}
	d.easel("retry", "2", "--not-charged", "--attempt", "2").wants(t, 1, "its call 1 was given up as charged",
		". First `easel retry 2 --buy-again` for that call, which sends nothing while call 2 is of unknown outcome; when the task has failed over that again, `easel retry 2 --not-charged --attempt 2`")
	d.easel("retry", "2", "--buy-again", "--yes").wants(t, 0, "task 2 is pending again")
	d.easel("cancel", "2").wants(t, 0, "task 2 is cancelled")
	d.easel("retry", "2", "--not-charged", "--attempt", "2").wants(t, 0, "call 2 counts as not charged, and a new call is made")
}

func buysUnknown(t *testing.T, d *shell, s *store.Store) {
	d.env = append(d.env, "OPENAI_API_KEY=a-key")
	id := d.enqueue("x", "--provider", "openai", "--model", "gpt-image-2")
	fail(t, s, id, nobodyKnows())
	d.easel("retry", fmt.Sprint(id), "--buy-again", "--yes").wants(t, 1, fmt.Sprintf("`easel retry %d --not-charged --attempt 1` sends it again", id), fmt.Sprintf("`easel give-up %d --attempt 1` ends it", id))
	d.easel("retry", "2", "--buy-again", "--yes").wants(t, 1, "a retry is enough: `easel retry 2`") // which asks
}

func saysWhatIsBought(t *testing.T, d *shell, s *store.Store) {
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE generation_attempt SET state = 'answered' WHERE task_id = 2"); err != nil {
		t.Fatal(err)
	}
	d.easel("retry", "1", "2").wants(t, 0, "task 1 is pending again: a new call is made", "task 2 is pending again: what was paid for is collected, and only what is missing then is bought")
}

func retriesOthers(t *testing.T, d *shell, s *store.Store) {
	d.easel("retry", "3", "1", "99").wants(t, 1, "task 1 is pending again", "task 3 is pending and cannot be retried", "task 99: no such task; see `easel list`")
	if got := status(t, s, 1); got != task.Pending {
		t.Errorf("it is %s", got)
	}
}

func retriesConfirmed(t *testing.T, d *shell, s *store.Store) {
	d.easel("retry", "--status", "failed").wants(t, 2, "2 tasks would be retried. ", "say --yes")
	d.easel("retry", "--status", "failed", "--not-charged").wants(t, 2, "paid for twice", "say --yes")
	if got := status(t, s, 1); got != task.Failed {
		t.Errorf("it is %s", got)
	}
}

func retriesFiltered(t *testing.T, d *shell, s *store.Store) {
	var answer retriedAll
	d.must(&answer, "retry", "--status", "failed", "--yes")
	if answer != (retriedAll{2, 2, 0}) || status(t, s, 1) != task.Pending || status(t, s, 2) != task.Pending {
		t.Errorf("got %+v, and 2 is %s", answer, status(t, s, 2))
	}
	if got := lastCall(t, s, 2); got != task.AttemptUnknown {
		t.Errorf("its call is %s", got)
	}
}

func retriesKind(t *testing.T, d *shell, s *store.Store) {
	var answer retriedAll
	d.must(&answer, "retry", "--kind", "outcome_unknown", "--yes")
	if answer != (retriedAll{1, 1, 0}) || status(t, s, 1) != task.Failed {
		t.Errorf("got %+v, and 1 is %s", answer, status(t, s, 1))
	}
}

func retriesEnded(t *testing.T, d *shell, _ *store.Store) {
	d.easel("retry", "--status", "pending", "--yes").wants(t, 2, "only failed and cancelled tasks can be retried")
}

func retriesBoth(t *testing.T, d *shell, _ *store.Store) {
	d.must(nil, "cancel", "3")
	var answer retriedAll
	d.must(&answer, "retry", "--status", "failed,cancelled", "--yes")
	if answer.Retried != 3 {
		t.Errorf("got %+v", answer)
	}
}

func retriesCancelled(t *testing.T, d *shell, s *store.Store) {
	d.must(nil, "cancel", "3", "4")
	var answer retriedAll
	d.must(&answer, "retry", "--status", "cancelled", "--yes")
	if answer.Retried != 2 || status(t, s, 4) != task.Pending || status(t, s, 1) != task.Failed {
		t.Errorf("got %+v", answer)
	}
}

func cancelsOpen(t *testing.T, d *shell, _ *store.Store) {
	d.easel("cancel", "1", "3").wants(t, 1, "task 3 is cancelled", "task 1 is failed and cannot be cancelled")
}

func countsDeadLetters(t *testing.T, d *shell, s *store.Store) {
	d.easel("dlq").wants(t, 0, "easel retry 1\n", "easel show 2\n")
	fail(t, s, 3, nobodyKnows())
	d.easel("give-up", "3").wants(t, 0, "is given up")
	fail(t, s, 4, &task.Failure{Kind: task.Moderated, Executed: task.NotExecuted, Message: "refused: " + strings.Repeat("x", 200)})
	got := d.easel("dlq")
	got.wants(t, 0, "3 failed tasks to decide about, and 1 charged and given up\n", "each pays again: easel retry ID --buy-again\n", "easel retry 3 --buy-again\n", "enqueue another\n")
	if strings.Contains(got.out, strings.Repeat("x", 160)) {
		t.Errorf("a long error is not shortened: %s", got.out)
	}
	if _, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET error_advice = 'wait' WHERE error_kind = 'charged'"); err != nil {
		t.Fatal(err)
	}
	d.easel("dlq").wants(t, 0, "easel show 3\n") // its call was found again, and is collected
	for _, kind := range []string{"charged", "moderated"} {
		if _, err := s.DB().ExecContext(t.Context(), "DELETE FROM image_generations WHERE error_kind = '"+kind+"'"); err != nil {
			t.Fatal(err)
		}
	}
	d.easel("dlq").wants(t, 0, "easel retry --status failed --kind auth --provider sketch\n", "--kind outcome_unknown --provider sketch\n", "bad key")
	var answer deadLetters
	d.must(&answer, "dlq")
	if answer.Total != 2 || answer.Given != 0 || len(answer.Groups) != 2 || len(answer.Newest) != 2 {
		t.Errorf("got %+v", answer)
	}
}
