package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// cameAfterAll corrects the reason of a task that failed because the pictures of a, its
// last call, could not be had: they are kept now. The task stays failed.
func (s *Store) cameAfterAll(ctx context.Context, tx sqlx.ExtContext, a *task.Attempt) error {
	f := task.CameLate(a.Number)
	// No fence: nobody holds the task. Its status, its reason and that no other call came
	// after this one are the guard.
	_, err := tx.ExecContext(ctx, s.db.Rebind(`
		UPDATE image_generations SET `+blamed+`, updated_at = now()
		WHERE id = ? AND status = 'failed' AND error_kind IN (?, ?, ?, ?)
			AND NOT EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.number > ?)`),
		append(blame(f.RowError()), a.TaskID, task.Timeout, task.Expired, task.Deadline, task.Auth, a.Number)...)
	return err
}

// drawn is the condition that the calls of a task have brought all its pictures.
const drawn = `(CASE WHEN image_count > 1 THEN image_count ELSE 1 END <= (SELECT coalesce(sum(coalesce(a.images, nullif(image_generations.image_count, 0), 1)), 0) FROM generation_attempt a
	WHERE a.task_id = image_generations.id AND a.state = 'succeeded'))`

// completeFound completes a failed task with the pictures of a, if nothing is left to draw: one that is held
// because nobody knew the outcome of its calls, or one that has failed by a later call than a. What a
// person has given up as charged or archived, and what came after its deadline, stays failed.
func (s *Store) completeFound(ctx context.Context, tx sqlx.ExtContext, a *task.Attempt, o Completion) (bool, error) {
	if o.first() == nil {
		return false, nil
	}
	// No fence: nobody holds the task. Its status and its reason are the guard: a person who
	// cancelled, retried or gave it up has changed one of them.
	return s.changed(tx.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+completes+`
		WHERE id = ? AND status = 'failed' AND deleted_at IS NULL AND (error_kind = ? OR error_kind NOT IN ('archived', ?, ?)
				AND EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.number > ?))
			AND `+drawn),
		append(o.completing(a), a.TaskID, task.OutcomeUnknown, task.Charged, task.Deadline, a.Number)...))
}

// reconsider is LearntLate for who has locked the task's row.
func (s *Store) reconsider(ctx context.Context, tx sqlx.ExtContext, id int64) error {
	var t task.Task
	// No fence: what calls have cost is true whoever holds the task.
	err := sqlx.GetContext(ctx, tx, &t, s.db.Rebind("UPDATE image_generations SET "+costsNoted+`
		WHERE id = ? AND status IN ('completed', 'failed', 'cancelled') RETURNING id, status, coalesce(error_kind, '') AS error_kind, coalesce(error_advice, '') AS error_advice`), id)
	if err == nil && t.Status == task.Cancelled {
		// No fence: nobody holds the task, and its status is the guard.
		_, err = tx.ExecContext(ctx, s.db.Rebind(`UPDATE image_generations SET error_msg = CASE WHEN `+awaits+` THEN ? WHEN `+owes+` THEN ? END,
				error_advice = CASE WHEN `+awaits+` THEN ? WHEN `+owes+` THEN ? END, error_about = NULL
			WHERE id = ? AND status = 'cancelled' AND (error_msg LIKE ? OR `+owes+`)`), owed.Error(), missed.Error(), owed.Advice, missed.Advice, id, owed.Message+"%")
		return err
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && (t.Status != task.Failed || t.ErrorKind != task.OutcomeUnknown && t.ErrorKind != task.Charged) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := s.history(ctx, tx, id)
	if err != nil {
		return err
	}
	f := h.RevisedReason()
	if t.ErrorKind == task.Charged {
		f = h.RevisedCharged(t.ErrorAdvice)
	}
	if f == nil {
		return nil
	}
	// Only the reason changes, and only a wrong one: status and reason are the guard.
	_, err = tx.ExecContext(ctx, s.db.Rebind(`
		UPDATE image_generations SET `+blamed+`, updated_at = now()
		WHERE id = ? AND status = 'failed' AND error_kind = ?`),
		append(blame(f.RowError()), id, t.ErrorKind)...)
	return err
}
