package store

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// NothingPaid says that a task has no call that was paid for and brought nothing, so
// that there is nothing to buy again.
type NothingPaid struct{ Task int64 }

func (e *NothingPaid) Error() string {
	return fmt.Sprintf("task %d has no call that was paid for and not collected; a retry is enough", e.Task)
}

// AnsweredSince says that the answer of a call has come since the person looked who was to
// give it up: its pictures are on their way. Nothing was changed.
type AnsweredSince struct{ Task int64 }

func (e *AnsweredSince) Error() string {
	return fmt.Sprintf("task %d has moved on since you looked: an answer has come, and its pictures are collected; look again", e.Task)
}

// BuyAgain is Retry by a person who pays once more for what was paid for: calls that the
// provider has taken and that cannot be collected end as failed, with all that is known of them,
// so that a new one is made; a last call that was given up as charged stays as it is. answered are
// the numbers of the calls that had been answered when he looked: an AnsweredSince if another has
// been since, and a NothingPaid if there is nothing to buy again. Nothing is changed then.
func (s *Store) BuyAgain(ctx context.Context, seen task.Seen, answered ...int) (*task.Task, error) {
	return s.retry(ctx, seen, func(tx *sqlx.Tx) error {
		// They ended when they were last heard of: what ends after the retry counts as refused by it.
		query, args, err := sqlx.In(`
			UPDATE generation_attempt SET state = 'failed', finished_at = coalesce(answered_at, sent_at), error_kind = coalesce(error_kind, 'expired'),
				error_msg = 'it was paid for and not collected, and a person decided to buy again' || coalesce(': ' || replace(replace(error_msg, ?, ''), ?, ''), ''),
				error_advice = NULL, error_about = NULL
			WHERE task_id = ? AND (state = 'accepted' OR state = 'answered' AND number IN (?))`,
			task.RetryCollects.Ending(""), task.RetryAsks.Ending(""), seen.Task, append([]int{0}, answered...)) // no call has the number 0
		if err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, tx.Rebind(query), args...)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return err
		}
		return s.mayBuyAgain(ctx, tx, seen.Task, n > 0)
	})
}

// mayBuyAgain says why a task is not bought again whose calls were given up, as far as
// there were any that the person had seen.
func (s *Store) mayBuyAgain(ctx context.Context, tx *sqlx.Tx, id int64, gaveUp bool) error {
	var answered, charged bool
	err := tx.QueryRowContext(ctx, tx.Rebind(`
		SELECT EXISTS (SELECT 1 FROM generation_attempt WHERE task_id = ? AND state = 'answered'),
			EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = ? AND a.state = 'failed' AND a.error_kind = 'charged'
				AND NOT EXISTS (SELECT 1 FROM generation_attempt later WHERE later.task_id = a.task_id AND later.number > a.number))`), id, id).Scan(&answered, &charged)
	switch {
	case err != nil:
		return err
	case answered:
		return &AnsweredSince{id}
	case !gaveUp && !charged:
		return &NothingPaid{id}
	}
	return nil
}
