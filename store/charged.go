package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// GiveUp records a person's word that the calls of a failed task whose outcome was
// unknown were charged: they end as failed and cost what cost says, which may be nil
// for unknown, and the task stays failed by that reason. Calls whose outcome is known
// stay as they are. The journal says whether the task has such a call, also of a task that
// was archived since; a NotAllowed if it has none, or is not as the person saw it any more,
// a NotLookedAt if he did not look, and a HasPictures if a retry brings pictures of such a call. A Locked if the row could not be had within five seconds.
// The delivery stays, since it lies in the archive and keeps a row that is set back by SQL.
func (s *Store) GiveUp(ctx context.Context, seen task.Seen, cost *task.Money) (*task.Task, error) {
	if !seen.Looked() {
		return nil, &NotLookedAt{seen.Task}
	}
	if !seen.Status.Final() {
		return nil, s.notAllowed(ctx, seen, "given up")
	}
	var t task.Task
	var micros, currency, version any
	if cost != nil {
		micros, currency, version = cost.Micros, null(cost.Currency), null(cost.Version)
	}
	err := s.forPerson(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		if err := s.lock(ctx, tx, seen.Task); err != nil {
			return err
		}
		if err := s.noPictures(ctx, tx, seen.Task); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, tx.Rebind(`
			UPDATE generation_attempt SET state = 'failed', finished_at = now(), error_kind = ?, error_msg = 'a person found that this call was charged' || coalesce(': ' || error_msg, ''),
				cost_micros = coalesce(cost_micros, ?), currency = coalesce(currency, ?), price_version = coalesce(price_version, ?)
			WHERE task_id = ? AND state = 'unknown' AND EXISTS (SELECT 1 FROM image_generations g
				WHERE g.id = generation_attempt.task_id AND g.status = 'failed' AND g.error_kind IN (?, ?) AND g.delivery = ? AND g.fence = ?)`),
			task.Charged, micros, currency, version, seen.Task, task.OutcomeUnknown, task.Archived, seen.Delivery, seen.Fence)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, sql.ErrNoRows)
		}
		// The fence is the one that the person saw, and his word takes it.
		return tx.GetContext(ctx, &t, tx.Rebind(`
			UPDATE image_generations SET error_kind = ?, error_msg = 'a person found that the call was charged, and gave its picture up' || coalesce(': ' || replace(error_msg, ?, ''), ''),
				error_advice = NULL, error_about = NULL, `+wordGrows+`, updated_at = now(), `+costs+`
			WHERE id = ? AND `+asSeen+` AND status = 'failed' AND error_kind IN (?, ?) AND deleted_at IS NULL
			RETURNING `+taskColumns), task.Charged, task.DecideByHand.Ending(""), seen.Task, seen.Delivery, seen.Fence, task.OutcomeUnknown, task.Archived)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, s.notAllowed(ctx, seen, "given up")
	}
	return &t, err
}

// HasPictures says that a call was not given up: some of its pictures are in our storage, and a retry
// takes them. Nothing was changed.
type HasPictures struct {
	Task    int64
	Attempt int // the number of the call
}

func (e *HasPictures) Error() string {
	return fmt.Sprintf("task %d was not given up: pictures of its call %d are in our storage, and a retry takes them and buys nothing", e.Task, e.Attempt)
}

// ForPage is what a page says of it.
func (e *HasPictures) ForPage() (task int64, title, text string) {
	return e.Task, "Its pictures are here", fmt.Sprintf("Nothing was changed: pictures of call %d are in our storage. Retry takes them, and buys nothing.", e.Attempt)
}

// noPictures returns a HasPictures if the task has a call that is held in part.
func (s *Store) noPictures(ctx context.Context, tx *sqlx.Tx, id int64) error {
	held := &HasPictures{Task: id}
	err := tx.GetContext(ctx, &held.Attempt, tx.Rebind("SELECT number FROM generation_attempt WHERE task_id = ? AND state = 'unknown' AND error_advice = ? ORDER BY number LIMIT 1"), id, task.RetryCollects)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return held
}
