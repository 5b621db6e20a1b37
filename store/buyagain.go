package store

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// BuysAgain says that a task was not retried: a call of it was given up as charged, and a new
// one is paid for as well. BuyAgain makes it. Nothing was changed.
type BuysAgain struct {
	Task    int64
	Attempt int // the number of the call
}

func (e *BuysAgain) Error() string {
	return fmt.Sprintf("task %d was not retried: its call %d was given up as charged, and a new one is paid for as well", e.Task, e.Attempt)
}

// ForPage is what a page says of it.
func (e *BuysAgain) ForPage() (task int64, title, text string) {
	return e.Task, "This pays again", fmt.Sprintf("Nothing was changed: call %d was given up as charged, and a new one is paid for as well. The task's page has a button for that.", e.Attempt)
}

// NothingPaid says that a task has no call that was paid for and brought nothing, so
// that there is nothing to buy again.
type NothingPaid struct{ Task int64 }

func (e *NothingPaid) Error() string {
	return fmt.Sprintf("task %d has no call that was paid for and not collected; a retry is enough", e.Task)
}

// HeardSince says that more has become known of a call since the person looked who was to
// give it up: its provider has taken it, or its answer has come. Nothing was changed.
type HeardSince struct{ Task int64 }

func (e *HeardSince) Error() string {
	return fmt.Sprintf("task %d has moved on since you looked: one of its calls was heard of, and is collected; look again", e.Task)
}

// BuyAgain is Retry by a person who pays once more for what was paid for: calls that the
// provider has taken and that cannot be collected end as failed, with all that is known of them,
// so that a new one is made, and so are calls that were given up as charged bought again. taken are
// the calls that he gives up, as he saw them: a HeardSince if one has moved on, or another was
// taken, and a NothingPaid if there is nothing to buy again. Nothing is changed then.
func (s *Store) BuyAgain(ctx context.Context, seen task.Seen, taken ...task.SeenCall) (*task.Task, error) {
	return s.retry(ctx, seen, func(tx *sqlx.Tx) error {
		for _, t := range taken {
			gaveUp, err := s.changed(tx.ExecContext(ctx, tx.Rebind(`
				UPDATE generation_attempt SET state = 'failed', finished_at = coalesce(answered_at, sent_at), error_kind = 'bought_again',
					error_msg = 'it was paid for and not collected, and a person decided to buy again' || coalesce(': ' || replace(replace(error_msg, ?, ''), ?, ''), ''),
					error_advice = NULL, error_about = NULL
				WHERE task_id = ? AND number = ? AND state = ? AND state IN ('accepted', 'answered')`),
				task.RetryCollects.Ending(""), task.RetryAsks.Ending(""), seen.Task, t.Number, t.State))
			switch {
			case err != nil:
				return err
			case !gaveUp:
				return &HeardSince{seen.Task}
			}
		}
		if err := s.mayBuyAgain(ctx, tx, seen.Task, len(taken) > 0); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, tx.Rebind("UPDATE generation_attempt SET error_kind = 'bought_again' WHERE task_id = ? AND "+givenUp), seen.Task)
		return err
	})
}

// mayBuyAgain says why a task is not bought again whose calls were given up, if there
// were any.
func (s *Store) mayBuyAgain(ctx context.Context, tx *sqlx.Tx, id int64, gaveUp bool) error {
	var taken, charged bool
	err := tx.QueryRowContext(ctx, tx.Rebind(`
		SELECT EXISTS (SELECT 1 FROM generation_attempt WHERE task_id = ? AND state IN ('accepted', 'answered')),
			EXISTS (SELECT 1 FROM generation_attempt WHERE task_id = ? AND `+givenUp+`)`), id, id).Scan(&taken, &charged)
	switch {
	case err != nil:
		return err
	case taken:
		return &HeardSince{id}
	case !gaveUp && !charged:
		return &NothingPaid{id}
	}
	return nil
}
