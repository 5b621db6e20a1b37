package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Begin commits a new attempt as sending, before its call is made, and fills in
// its ID, Number, Fence and SentAt. ErrFenced if the task is not ours any more:
// then the call must not be made. The row of the task is locked meanwhile, so
// that whoever claims it next sees this attempt.
func (s *Store) Begin(ctx context.Context, t *task.Task, a *task.Attempt) error {
	a.TaskID, a.Delivery, a.Fence, a.State, a.Worker = t.ID, t.Delivery, t.Fence, task.AttemptSending, t.Worker
	return s.in(ctx, func(tx *sqlx.Tx) error {
		var id int64
		err := tx.GetContext(ctx, &id, tx.Rebind(
			"SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'"+s.dialect.lock), t.ID, t.Fence)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrFenced
		}
		if err != nil {
			return err
		}
		return tx.QueryRowxContext(ctx, tx.Rebind(`
			INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, account, endpoint, request_hash,
				images, state, worker, fence, sent_at)
			VALUES (?, ?, (SELECT coalesce(max(number), 0) + 1 FROM generation_attempt WHERE task_id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, now())
			RETURNING id, number, sent_at`),
			t.ID, t.Delivery, t.ID, a.Key, a.Provider, null(a.Account), null(a.Endpoint), null(a.RequestHash),
			number(a.Images), a.State, a.Worker, a.Fence).Scan(&a.ID, &a.Number, &a.SentAt)
	})
}

// Accept notes that the provider has the job, and mirrors its id to the task if
// the task is still ours. The attempt is written even if it is not: the job
// was bought, and whoever goes on needs the handle.
func (s *Store) Accept(ctx context.Context, t *task.Task, a *task.Attempt, jobID string) error {
	return s.journal(ctx, t, a, jobID, `UPDATE generation_attempt SET state = ?, handle = ?, provider_request_id = ?, http_status = ?,
			error_kind = NULL, error_code = NULL, error_msg = NULL, finished_at = NULL
		WHERE `+s.call("state IN ('sending', 'unknown')"),
		a.State, null(a.Handle), null(a.ProviderRequestID), a.HTTPStatus, a.ID)
}

// Answer notes what the provider drew, before the pictures are kept. Like
// Accept it is written by whoever learns it, and however late: an attempt that
// was given up has been paid for after all.
func (s *Store) Answer(ctx context.Context, t *task.Task, a *task.Attempt, jobID string) error {
	return s.journal(ctx, t, a, jobID, `UPDATE generation_attempt SET state = ?, answer = ?, provider_request_id = coalesce(?, provider_request_id),
			http_status = ?, cost_micros = ?, currency = ?, price_version = ?, error_kind = NULL, error_code = NULL, error_msg = NULL,
			unbilled = false, answered_at = now(), finished_at = NULL
		WHERE `+s.call("state NOT IN ('answered', 'succeeded')"),
		a.State, null(a.Answer), null(a.ProviderRequestID), a.HTTPStatus, a.CostMicros, null(a.Currency), null(a.PriceVersion), a.ID)
}

func (s *Store) journal(ctx context.Context, t *task.Task, a *task.Attempt, jobID, query string, args ...any) error {
	if jobID == "" {
		return s.patiently(ctx, func() error {
			_, err := s.db.ExecContext(ctx, s.db.Rebind(query), args...)
			return err
		})
	}
	return s.in(ctx, func(tx *sqlx.Tx) error {
		// The task before the attempt, as everywhere: two orders would be a deadlock.
		if err := s.lock(ctx, tx, t.ID); err != nil {
			return err
		}
		err := s.fenced(tx.ExecContext(ctx, tx.Rebind(
			"UPDATE image_generations SET task_id = ?, updated_at = now() WHERE id = ? AND fence = ? AND status = 'processing'"),
			jobID, t.ID, t.Fence))
		late := err == ErrFenced
		if err != nil && !late {
			return err
		}
		if _, err := tx.ExecContext(ctx, tx.Rebind(query), args...); err != nil || !late {
			return err
		}
		return s.reconsider(ctx, tx, a.TaskID)
	})
}

// NewestAttempt returns the highest id of an attempt in the journal, or 0. Ids grow with
// time whatever any clock says; only a failover that has lost some gives them again.
func (s *Store) NewestAttempt(ctx context.Context) (int64, error) {
	var id int64
	err := s.db.GetContext(ctx, &id, "SELECT coalesce((SELECT id FROM generation_attempt ORDER BY id DESC LIMIT 1), 0)")
	return id, err
}

// AttemptID returns the id of the attempt with that key. ErrNotFound if the
// database does not have it.
func (s *Store) AttemptID(ctx context.Context, key string) (int64, error) {
	var id int64
	err := s.db.GetContext(ctx, &id, s.db.Rebind("SELECT id FROM generation_attempt WHERE attempt_key = ?"), key)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}
	return id, err
}

// AttemptByKey returns the attempt with that key, or ErrNotFound.
func (s *Store) AttemptByKey(ctx context.Context, key string) (*task.Attempt, error) {
	var a task.Attempt
	err := s.db.GetContext(ctx, &a, s.db.Rebind("SELECT "+attemptColumns+" FROM generation_attempt WHERE attempt_key = ?"), key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return &a, err
}

// MarkNotSent ends the attempt of that key, if it was journalled at all, as rejected:
// its worker knows that the call was not made. Somebody else may have called it
// unknown meanwhile.
func (s *Store) MarkNotSent(ctx context.Context, t *task.Task, key string) error {
	return s.in(ctx, func(tx *sqlx.Tx) error {
		if err := s.lock(ctx, tx, t.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, tx.Rebind(`
			UPDATE generation_attempt SET state = 'rejected', error_kind = NULL, error_code = NULL, error_msg = 'the call was not made', finished_at = now()
			WHERE attempt_key = ? AND state IN ('sending', 'unknown')`), key)
		if err != nil {
			return err
		}
		return s.reconsider(ctx, tx, t.ID)
	})
}

// FinishAttempt notes how an attempt ended that gave no picture, from its State and
// error fields. An attempt that has ended better meanwhile stays as it is.
func (s *Store) FinishAttempt(ctx context.Context, a *task.Attempt) error {
	return s.patiently(ctx, func() error { return s.end(ctx, s.db, a, false) })
}

// FinishIf is End for who only heard about a call that others may still be
// working on: it writes nothing unless the attempt is in the state in which it
// was read, and reports whether it was.
func (s *Store) FinishIf(ctx context.Context, a *task.Attempt, from task.AttemptState) (bool, error) {
	var n int64
	err := s.patiently(ctx, func() error {
		r, err := s.db.ExecContext(ctx, s.db.Rebind(`
			UPDATE generation_attempt SET state = ?, error_kind = ?, error_code = ?, error_msg = ?, finished_at = now()
			WHERE `+s.call("state = ?")),
			a.State, null(string(a.ErrorKind)), null(a.ErrorCode), null(a.ErrorMsg), a.ID, from)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return n > 0, err
}

// sinceRetry is now, but never before the last retry by hand, although the clock may have been
// set back: what ends after a retry counts as ended since, or its call would be made again.
const sinceRetry = "coalesce((SELECT g.retried_at FROM image_generations g WHERE g.id = generation_attempt.task_id AND g.retried_at > now()), now())"

// end is End for who holds the task, and late for who has lost it: the new
// holder may have learnt more. What the provider has taken is not unknown any more. An
// answer was bought for certain, so it may come to nothing or wait for a person to
// have it collected, but it is neither unknown nor unsent.
func (s *Store) end(ctx context.Context, db sqlx.ExtContext, a *task.Attempt, late bool) error {
	_, err := db.ExecContext(ctx, s.db.Rebind(`
		UPDATE generation_attempt SET state = ?, http_status = coalesce(?, http_status), error_kind = ?, error_code = ?, error_msg = ?,
			provider_request_id = coalesce(?, provider_request_id), finished_at = `+sinceRetry+`,
			unbilled = ?, cost_micros = CASE WHEN ? THEN 0 ELSE coalesce(cost_micros, ?) END,
			currency = coalesce(currency, ?), price_version = coalesce(price_version, ?)
		WHERE `+s.call(`(state IN ('sending', 'unknown') OR NOT ? AND (state = 'accepted' AND ? <> 'unknown' OR state = 'answered' AND ? IN ('failed', 'answered')))`)),
		a.State, a.HTTPStatus, null(string(a.ErrorKind)), null(a.ErrorCode), null(a.ErrorMsg), null(a.ProviderRequestID),
		a.Unbilled, a.Unbilled, a.CostMicros, null(a.Currency), null(a.PriceVersion), a.ID, late, a.State, a.State)
	return err
}

// call is the condition that a row is the attempt of a parameter and holds. An app that
// deletes a task has its attempts locked too: they are waited for as tasks are, see patiently.
func (s *Store) call(holds string) string {
	return "id = (SELECT id FROM generation_attempt WHERE id = ? AND " + holds + s.dialect.lock + ")"
}
