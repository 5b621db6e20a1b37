package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// SaveLate stores pictures that came after the task was taken away: they were paid
// for. A task that was held only because nobody knew the outcome of this very call is
// completed by them, and SaveLate reports that; of every other task only the cost, and a
// reason that is not true any more, are corrected.
func (s *Store) SaveLate(ctx context.Context, a *task.Attempt, o Outcome) (completed bool, err error) {
	err = s.in(ctx, func(tx *sqlx.Tx) error {
		if err := s.lock(ctx, tx, a.TaskID); err != nil {
			return err
		}
		if err := s.keep(ctx, tx, a, o.Results); err != nil {
			return err
		}
		var err error
		if completed, err = s.completeHeld(ctx, tx, a, o); err != nil || completed {
			return err
		}
		if err := s.cameAfterAll(ctx, tx, a); err != nil {
			return err
		}
		return s.reconsider(ctx, tx, a.TaskID)
	})
	return completed && err == nil, err
}

// cameAfterAll corrects the reason of a task that failed because the pictures of a, its
// last call, could not be had: they are kept now. The task stays failed.
func (s *Store) cameAfterAll(ctx context.Context, tx *sqlx.Tx, a *task.Attempt) error {
	f := task.CameLate(a.Number)
	// No fence: nobody holds the task. Its status, its reason and that no other call came
	// after this one are the guard.
	_, err := tx.ExecContext(ctx, tx.Rebind(`
		UPDATE image_generations SET error_kind = ?, error_code = NULL, error_msg = ?, updated_at = now()
		WHERE id = ? AND status = 'failed' AND error_kind IN (?, ?, ?, ?)
			AND NOT EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.number > ?)`),
		f.Kind, f.Error(), a.TaskID, task.Timeout, task.Expired, task.Deadline, task.Auth, a.Number)
	return err
}

// completeHeld completes a task that is held over the outcome of a, if a is its last
// call and nothing is left to draw.
func (s *Store) completeHeld(ctx context.Context, tx *sqlx.Tx, a *task.Attempt, o Outcome) (bool, error) {
	if o.first() == nil {
		return false, nil
	}
	// No fence: nobody holds the task. Its status, its reason and that no other call came
	// after this one are the guard: a person who cancelled or retried it has changed the
	// first two, and another call would have to answer for itself.
	r, err := tx.ExecContext(ctx, tx.Rebind("UPDATE image_generations SET "+completes+`
		WHERE id = ? AND status = 'failed' AND error_kind = ? AND deleted_at IS NULL
			AND NOT EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.number > ?)
			AND coalesce(image_count, 1) <= (SELECT coalesce(sum(coalesce(a.images, image_generations.image_count, 1)), 0) FROM generation_attempt a
				WHERE a.task_id = image_generations.id AND a.state = 'succeeded')`),
		append(o.completing(), a.TaskID, task.OutcomeUnknown, a.Number)...)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	return true, s.name(ctx, tx, a.TaskID, a, o.first())
}

// Reconsider corrects the cost of a task that has ended, and the reason of one that was
// held because the outcome of its calls was not known, once more is known of them. The
// task stays failed: a person retries it.
func (s *Store) Reconsider(ctx context.Context, id int64) error {
	return s.in(ctx, func(tx *sqlx.Tx) error {
		if err := s.lock(ctx, tx, id); err != nil {
			return err
		}
		return s.reconsider(ctx, tx, id)
	})
}

// reconsider is Learn for who has locked the task's row.
func (s *Store) reconsider(ctx context.Context, tx *sqlx.Tx, id int64) error {
	var t task.Task
	// No fence: what calls have cost is true whoever holds the task.
	err := tx.GetContext(ctx, &t, tx.Rebind("UPDATE image_generations SET "+costsNoted+`
		WHERE id = ? AND status IN ('completed', 'failed', 'cancelled') RETURNING id, status, coalesce(image_count, 0) AS image_count, coalesce(error_kind, '') AS error_kind`), id)
	if err == nil && t.Status == task.Cancelled {
		// No fence: nobody holds the task, and its status is the guard.
		_, err = tx.ExecContext(ctx, tx.Rebind(`UPDATE image_generations SET error_msg = CASE WHEN `+owes+` THEN ? END
			WHERE id = ? AND status = 'cancelled' AND (error_msg = ? OR `+owes+`)`), owed, id, owed)
		return err
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && (t.Status != task.Failed || t.ErrorKind != task.OutcomeUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	var attempts []task.Attempt
	err = tx.SelectContext(ctx, &attempts, tx.Rebind("SELECT "+attemptColumns+" FROM generation_attempt WHERE task_id = ? ORDER BY number"), id)
	if err != nil {
		return err
	}
	settled, err := s.imagesDone(ctx, tx, &t, false)
	f := task.RevisedReason(attempts, max(t.ImageCount, 1)-settled)
	if err != nil || f == nil {
		return err
	}
	// Only the reason changes, and only a wrong one: status and reason are the guard.
	_, err = tx.ExecContext(ctx, tx.Rebind(`
		UPDATE image_generations SET error_kind = ?, error_code = ?, error_msg = ?, updated_at = now()
		WHERE id = ? AND status = 'failed' AND error_kind = ?`),
		f.Kind, null(f.Code), f.Error(), id, task.OutcomeUnknown)
	return err
}

// NextToCollect returns the oldest call of the task that the provider has taken and whose
// pictures are still to be collected; nil if there is none. One that could not be
// collected counts again after a retry by hand.
func (s *Store) NextToCollect(ctx context.Context, id int64) (*task.Attempt, error) {
	var a task.Attempt
	err := s.db.GetContext(ctx, &a, s.db.Rebind("SELECT "+attemptColumns+` FROM generation_attempt a
		WHERE a.task_id = ? AND state IN ('accepted', 'answered')
			AND (finished_at IS NULL OR finished_at < (SELECT g.retried_at FROM image_generations g WHERE g.id = a.task_id))
		ORDER BY number LIMIT 1`), id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &a, err
}

// RecordCollected notes how far the pictures of an answer have been brought into storage,
// in Answer, and which bytes lie there as they came.
func (s *Store) RecordCollected(ctx context.Context, a *task.Attempt, ownedByApp []task.RawFile) error {
	a.RawFiles = ""
	if len(ownedByApp) > 0 {
		text, err := json.Marshal(ownedByApp)
		if err != nil {
			return err
		}
		a.RawFiles = string(text)
	}
	return s.patiently(ctx, func() error {
		_, err := s.db.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET answer = ?, kept = ? WHERE "+s.call("state = 'answered'")),
			null(a.Answer), null(a.RawFiles), a.ID)
		return err
	})
}
