package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// GiveUp records a person's word that the calls of a failed task whose outcome was
// unknown were charged: they end as failed and cost what cost says, which may be nil
// for unknown, and the task stays failed by that reason. Calls whose outcome is known
// stay as they are. The journal says whether the task has such a call, also of a task that
// was archived since; a NotAllowed if it has none.
func (s *Store) GiveUp(ctx context.Context, ref task.Ref, cost *task.Money) (*task.Task, error) {
	var t task.Task
	var micros, currency, version any
	if cost != nil {
		micros, currency, version = cost.Micros, null(cost.Currency), null(cost.Version)
	}
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		if err := s.lock(ctx, tx, ref.Task); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, tx.Rebind(`
			UPDATE generation_attempt SET state = 'failed', finished_at = now(), error_kind = ?, error_msg = 'a person found that this call was charged' || coalesce(': ' || error_msg, ''),
				cost_micros = coalesce(cost_micros, ?), currency = coalesce(currency, ?), price_version = coalesce(price_version, ?)
			WHERE task_id = ? AND state = 'unknown' AND EXISTS (SELECT 1 FROM image_generations g
				WHERE g.id = generation_attempt.task_id AND g.status = 'failed' AND g.error_kind IN (?, ?) AND (g.delivery = ? OR ? < 0))`),
			task.Charged, micros, currency, version, ref.Task, task.OutcomeUnknown, task.Archived, ref.Delivery, ref.Delivery)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, sql.ErrNoRows)
		}
		// No fence: status and reason are the guard, and only the reason and the cost change.
		return tx.GetContext(ctx, &t, tx.Rebind(`
			UPDATE image_generations SET error_kind = ?, error_msg = 'a person found that the call was charged, and gave its picture up' || coalesce(': ' || replace(error_msg, ?, ''), ''),
				error_advice = NULL, error_about = NULL, updated_at = now(), `+costs+`
			WHERE id = ? AND (delivery = ? OR ? < 0) AND status = 'failed' AND error_kind IN (?, ?) AND deleted_at IS NULL
			RETURNING `+taskColumns), task.Charged, task.DecideByHand.Ending(""), ref.Task, ref.Delivery, ref.Delivery, task.OutcomeUnknown, task.Archived)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, s.notAllowed(ctx, ref, "given up")
	}
	return &t, err
}
