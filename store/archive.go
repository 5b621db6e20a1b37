package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// lastCallUnknown holds for a task whose newest call is of unknown outcome: no reason on its row
// may hide that.
const lastCallUnknown = `(SELECT a.state FROM generation_attempt a WHERE a.task_id = image_generations.id ORDER BY a.number DESC LIMIT 1) = 'unknown'`

// hiddenUnknown holds for a task that reads as archived and is lastCallUnknown.
const hiddenUnknown = "(status = 'failed' AND error_kind = 'archived' AND " + lastCallUnknown + ")"

const (
	setBack = "the app had set the task back to pending"
	noWord  = "nobody can say whether the provider ran and billed the last call"
)

// Archive moves a waiting task to the dead-letter queue whose delivery lies in the archive,
// and returns why: for f if a person put it there. One that was set back to pending by the
// app keeps the reason that it had, and one whose last call is of unknown outcome is held
// for that. A delivery below 0, which cannot be published, becomes 0. It returns nil for a
// task that moved on or whose row is locked, which is left alone.
func (s *Store) Archive(ctx context.Context, ref task.Ref, f *task.Failure) (*task.Failure, error) {
	var why *task.Failure
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		why = nil // it may be repeated
		var t task.Task
		err := tx.GetContext(ctx, &t, tx.Rebind("SELECT "+taskColumns+` FROM image_generations
			WHERE id = ? AND delivery = ? AND status = 'pending'`+s.dialect.skipLocked), ref.Task, ref.Delivery)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		last, err := s.newest(ctx, tx, t.ID)
		if err != nil {
			return err
		}
		why = reasonFor(&t, last, f)
		// No fence in the condition: the row is ours and its status the guard.
		_, err = tx.ExecContext(ctx, tx.Rebind(`
			UPDATE image_generations SET status = 'failed', `+fenceGrows+`, `+blamed+`,
				delivery = CASE WHEN delivery < 0 THEN 0 ELSE delivery END, completed_at = now(), updated_at = now(), `+costs+`
			WHERE id = ? AND delivery = ? AND status = 'pending'`), append(blame(why.RowError()), ref.Task, ref.Delivery)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return why, nil
}

// reasonFor is the true reason of a waiting task whose delivery is archived. Only a task
// that had ended before has a time of its end.
func reasonFor(t *task.Task, last *task.Attempt, f *task.Failure) *task.Failure {
	ended := t.CompletedAt != nil
	switch {
	case last != nil && last.State == task.AttemptUnknown:
		held := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: f.Message + "; " + noWord, Advice: task.DecideByHand}
		if ended {
			held.Message = setBack + "; " + noWord
		}
		if last.ErrorMsg != "" {
			held.Message += ": " + strings.TrimSuffix(last.Reason(), ".")
		}
		return held
	case ended && t.ErrorKind != "":
		before := t.Failure(task.NotExecuted)
		before.Message = setBack + "; " + strings.TrimPrefix(before.Message, setBack+"; ")
		return before
	case ended:
		return &task.Failure{Kind: task.Archived, Executed: task.NotExecuted, Message: setBack + " after it had ended", Advice: task.RetryByHand}
	}
	return f
}

// MarkUnknownOutcome lets those of the failed tasks say that the outcome of their last call is unknown
// which read as archived although nobody has said what became of it. It returns how many
// they were; a row that is locked is left out.
func (s *Store) MarkUnknownOutcome(ctx context.Context, refs []task.Ref) (int64, error) {
	// No fence: nobody holds a failed task, and only a wrong reason changes.
	var n int64
	if len(refs) == 0 {
		return 0, nil
	}
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) (err error) {
		n, err = s.updateUnlocked(ctx, tx, refs, hiddenUnknown, `error_kind = ?, error_advice = ?, error_about = NULL, updated_at = now(), error_msg = '`+noWord+`'
			|| coalesce(': ' || (SELECT a.error_msg FROM generation_attempt a WHERE a.task_id = image_generations.id ORDER BY a.number DESC LIMIT 1), '')
			|| ?`, task.OutcomeUnknown, task.DecideByHand, task.DecideByHand.Ending(""))
		return err
	})
	return n, err
}
