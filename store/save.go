package store

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Outcome is what a successful attempt leaves on its task.
type Outcome struct {
	Results     []task.Result
	Warning     string // what of the request could not be had, such as a picture that was refused
	APIResponse string // the provider's reply, scrubbed
	// First is the picture that the task shows as its own; nil is the first of Results.
	First *task.Result
}

// completes are the columns of a completed task; see completing.
const completes = `status = 'completed', progress = 100, completed_at = now(), updated_at = now(),
	worker = NULL, lease_until = NULL, error_msg = ?, error_kind = NULL, error_code = NULL,
	image_url = ?, minio_url = ?, local_path = ?, width = ?, height = ?, api_response = coalesce(?, api_response), ` + costs

// completing returns the arguments of completes.
func (o *Outcome) completing() []any {
	first := o.first()
	return []any{null(o.Warning), first.GeneratedImageURL, null(first.ObjectURL), null(first.LocalPath), first.Width, first.Height, null(o.APIResponse)}
}

// first is the picture that the task shows; nil if there is none.
func (o *Outcome) first() *task.Result {
	if o.First == nil && len(o.Results) > 0 {
		return &o.Results[0]
	}
	return o.First
}

// Save completes the task: results, attempt, cost and status in one transaction.
// Without an attempt it completes it with pictures that are kept already, of which
// o.First is one. ErrFenced if the task is not ours any more; nothing is written then, and
// SaveLate is the way to keep what was bought.
func (s *Store) Save(ctx context.Context, t *task.Task, a *task.Attempt, o Outcome) error {
	if o.first() == nil || a != nil && len(o.Results) == 0 {
		return errors.New("a task is not completed without a picture")
	}
	return s.in(ctx, func(tx *sqlx.Tx) error {
		err := s.fenced(tx.ExecContext(ctx, tx.Rebind("UPDATE image_generations SET "+completes+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
			append(o.completing(), t.ID, t.Fence)...))
		if err == nil && a != nil {
			err = s.keep(ctx, tx, a, o.Results)
		}
		if err != nil {
			return err
		}
		return s.name(ctx, tx, t.ID, a, o.first())
	})
}

// name writes down which result the task shows that was just completed: those of its last
// call, a, have ids only now.
func (s *Store) name(ctx context.Context, tx *sqlx.Tx, id int64, a *task.Attempt, first *task.Result) error {
	attempt := first.AttemptID
	if attempt == 0 && a != nil {
		attempt = a.ID
	}
	// No fence: the statement that has completed the task in this transaction has locked it.
	_, err := tx.ExecContext(ctx, tx.Rebind(`UPDATE image_generations SET answer_result_id = coalesce(?,
			(SELECT r.id FROM generation_result r WHERE r.task_id = image_generations.id AND r.attempt_id = ? AND r.position = ?))
		WHERE id = ?`), number(first.ID), attempt, first.Position, id)
	return err
}

// SaveBatch stores the pictures of one of several calls, whose task goes on. ErrFenced
// if the task is not ours any more; nothing is written then.
func (s *Store) SaveBatch(ctx context.Context, t *task.Task, a *task.Attempt, results []task.Result, progress int) error {
	return s.in(ctx, func(tx *sqlx.Tx) error {
		err := s.fenced(tx.ExecContext(ctx, tx.Rebind(`
			UPDATE image_generations SET updated_at = now(), progress = CASE WHEN progress < ? THEN ? ELSE progress END, `+costs+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`), progress, progress, t.ID, t.Fence))
		if err != nil {
			return err
		}
		return s.keep(ctx, tx, a, results)
	})
}

// ImagesDone returns how many of the task's pictures need no further call: those that
// its calls have brought and, if refused, those that were refused to its calls, or
// could not be collected, since the last retry by hand.
func (s *Store) ImagesDone(ctx context.Context, t *task.Task, refused bool) (int, error) {
	return s.imagesDone(ctx, s.db, t, refused)
}

func (s *Store) imagesDone(ctx context.Context, db sqlx.QueryerContext, t *task.Task, refused bool) (int, error) {
	var n int
	err := sqlx.GetContext(ctx, db, &n, s.db.Rebind(`
		SELECT coalesce(sum(coalesce(images, ?)), 0) FROM generation_attempt a
		WHERE task_id = ? AND (state = 'succeeded' AND EXISTS (SELECT 1 FROM generation_result WHERE attempt_id = a.id AND storage_key IS NOT NULL)
			OR ? AND (state = 'failed' AND NOT unbilled OR state = 'answered') AND finished_at >= coalesce((SELECT g.retried_at FROM image_generations g WHERE g.id = a.task_id), finished_at))`),
		max(t.ImageCount, 1), t.ID, refused)
	return n, err
}

// ServerErrors returns how many calls at the task's provider have failed by the service's
// own fault, unbilled, since a call was last kept and since the last retry by hand.
func (s *Store) ServerErrors(ctx context.Context, t *task.Task) (int, error) {
	var n int
	err := s.db.GetContext(ctx, &n, s.db.Rebind(`
		SELECT count(*) FROM generation_attempt a
		WHERE task_id = ? AND provider = ? AND state = 'failed' AND unbilled
			AND number > coalesce((SELECT max(k.number) FROM generation_attempt k WHERE k.task_id = a.task_id AND k.state = 'succeeded'), 0)
			AND finished_at >= coalesce((SELECT g.retried_at FROM image_generations g WHERE g.id = a.task_id), finished_at)`),
		t.ID, t.Provider)
	return n, err
}

func (s *Store) keep(ctx context.Context, tx *sqlx.Tx, a *task.Attempt, results []task.Result) error {
	for _, r := range results {
		_, err := tx.ExecContext(ctx, tx.Rebind(`
			INSERT INTO generation_result (task_id, attempt_id, position, generated_image_url, source_url, model, content_type,
				file_size, width, height, sha256, storage_key, thumbnail_key, seed, revised_prompt, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now())
			ON CONFLICT (task_id, attempt_id, position) DO NOTHING`),
			a.TaskID, a.ID, r.Position, r.GeneratedImageURL, null(r.SourceURL), null(r.Model), r.ContentType,
			r.FileSize, r.Width, r.Height, r.SHA256, r.StorageKey, null(r.ThumbnailKey), r.Seed, null(r.RevisedPrompt))
		if err != nil {
			return err
		}
	}
	// An answer that holds pictures has done its duty: they are in storage.
	_, err := tx.ExecContext(ctx, tx.Rebind(`
		UPDATE generation_attempt SET state = 'succeeded', error_msg = ?, finished_at = now(), answer = CASE WHEN length(answer) <= 65536 THEN answer END
		WHERE id = ? AND state <> 'succeeded'`), null(a.ErrorMsg), a.ID)
	return err
}

// Fail writes what task.Fail decided: pending again after the delay, or failed.
// a is the attempt that ended with it, or nil. ErrFenced if the task is not
// ours any more; the attempt's end is written all the same.
func (s *Store) Fail(ctx context.Context, t *task.Task, v task.Decision, a *task.Attempt) error {
	fenced := false
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		err := s.fenced(tx.ExecContext(ctx, tx.Rebind(`
			UPDATE image_generations SET status = ?, run_at = `+s.dialect.later+`, attempt = ?, waits = ?,
				error_msg = ?, error_kind = ?, error_code = ?, worker = NULL, lease_until = NULL, updated_at = now(),
				completed_at = CASE WHEN ? THEN now() END, `+costs+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
			v.Status, v.Delay.Milliseconds(), v.FailedTries, v.Waits, null(v.Failure.Error()), v.Failure.Kind, null(v.Failure.Code),
			v.Status.Final(), t.ID, t.Fence))
		fenced = err == ErrFenced
		if err != nil && !fenced {
			return err
		}
		if fenced {
			err = s.lock(ctx, tx, t.ID)
		}
		if err == nil && a != nil {
			err = s.endOf(ctx, tx, t, a, fenced)
		}
		if err != nil || !fenced && v.Failure.Kind != task.OutcomeUnknown {
			return err
		}
		return s.reconsider(ctx, tx, t.ID) // somebody may have learnt more meanwhile
	})
	if err == nil && fenced {
		return ErrFenced
	}
	return err
}

// endOf is end for who has locked the row of t: what a turns out to have cost, or not, is
// in its sum.
func (s *Store) endOf(ctx context.Context, tx *sqlx.Tx, t *task.Task, a *task.Attempt, late bool) error {
	if err := s.end(ctx, tx, a, late); err != nil || !a.Unbilled && a.CostMicros == nil {
		return err
	}
	// No fence: what its calls have cost is true whoever holds the task.
	_, err := tx.ExecContext(ctx, tx.Rebind("UPDATE image_generations SET "+costs+" WHERE id = ?"), t.ID)
	return err
}
