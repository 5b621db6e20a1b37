package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Completion is what a successful attempt leaves on its task.
type Completion struct {
	Results     []task.Result
	Warning     string // what of the request could not be had, such as a picture that was refused
	APIResponse string // the provider's reply, scrubbed
	// First is the picture that the task shows as its own; nil is the first of Results.
	First *task.Result
}

// completes are the columns of a completed task; see completing.
const completes = `status = 'completed', progress = 100, completed_at = now(), updated_at = now(),
	worker = NULL, lease_until = NULL, error_msg = ?, ` + noFailure + `,
	image_url = ?, minio_url = ?, local_path = ?, width = ?, height = ?, api_response = coalesce(?, api_response),
	answer_result_id = coalesce(?, (SELECT r.id FROM generation_result r WHERE r.task_id = image_generations.id AND r.attempt_id = ? AND r.position = ?)), ` + costs

// completing returns the arguments of completes. a is the call whose results have just been
// stored, and have ids only since then; nil if there is none.
func (o *Completion) completing(a *task.Attempt) []any {
	first := o.first()
	attempt := first.AttemptID
	if attempt == 0 && a != nil {
		attempt = a.ID
	}
	return []any{null(o.Warning), first.GeneratedImageURL, null(first.ObjectURL), null(first.LocalPath), first.Width, first.Height, null(o.APIResponse),
		number(first.ID), attempt, first.Position}
}

// first is the picture that the task shows; nil if there is none.
func (o *Completion) first() *task.Result {
	if o.First == nil && len(o.Results) > 0 {
		return &o.Results[0]
	}
	return o.First
}

// saveResults stores the pictures of a call, which is done with them. Of one with which somebody else
// is done those are stored that he did not have: see saveMissed.
func (s *Store) saveResults(ctx context.Context, tx sqlx.ExtContext, a *task.Attempt, results []task.Result) error {
	// An answer has done its duty: its pictures are in storage. What is large in it goes, and what
	// signs the addresses of pictures, which may be good for days.
	var collected task.Attempt
	err := sqlx.GetContext(ctx, tx, &collected, s.db.Rebind("UPDATE generation_attempt SET "+collects+
		" WHERE id = ? AND state <> 'succeeded' RETURNING id, coalesce(answer, '') AS answer"), null(a.ErrorMsg), a.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return s.saveMissed(ctx, tx, a, results)
	}
	if err == nil {
		err = s.insertResults(ctx, tx, a, results)
	}
	if err != nil || !strings.Contains(collected.Answer, "?") {
		return err
	}
	collected.HideSignatures()
	_, err = tx.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET answer = ? WHERE id = ? AND state = 'succeeded'"), null(collected.Answer), a.ID)
	return err
}

// saveMissed stores the pictures of a call with which somebody else is done who did not have them: he may have
// found only a part in storage. Those that he had stay as they are, since whoever comes second may have
// counted them as pictures of another call. What was said to be missing is not any more.
func (s *Store) saveMissed(ctx context.Context, tx sqlx.ExtContext, a *task.Attempt, results []task.Result) error {
	var had []string
	if err := sqlx.SelectContext(ctx, tx, &had, s.db.Rebind("SELECT coalesce(storage_key, '') FROM generation_result WHERE attempt_id = ?"), a.ID); err != nil {
		return err
	}
	missed := slices.DeleteFunc(slices.Clone(results), func(r task.Result) bool { return slices.Contains(had, r.StorageKey) })
	if len(missed) == 0 {
		return nil
	}
	if err := s.insertResults(ctx, tx, a, missed); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET error_msg = ? WHERE id = ? AND state = 'succeeded'"), null(a.ErrorMsg), a.ID); err != nil {
		return err
	}
	h, err := s.history(ctx, tx, a.TaskID)
	if err != nil {
		return err
	}
	// No fence: nobody holds a completed task, and its status is the guard.
	_, err = tx.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET error_msg = ?, updated_at = now() WHERE id = ? AND status = 'completed'"), null(h.Missing(a)), a.TaskID)
	return err
}

func (s *Store) insertResults(ctx context.Context, tx sqlx.ExtContext, a *task.Attempt, results []task.Result) error {
	for _, r := range results {
		_, err := tx.ExecContext(ctx, s.db.Rebind("INSERT INTO generation_result (task_id, attempt_id, created_at, "+brings+`)
			VALUES (?, ?, now(), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+onceEach), append([]any{a.TaskID, a.ID}, bringing(&r)...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// collects are the columns of an attempt whose pictures are stored; their argument is its note.
var collects = "state = 'succeeded', error_msg = coalesce(?, " + foundAgain + "), error_advice = NULL, error_about = NULL, " +
	"finished_at = now(), answer = CASE WHEN length(answer) <= 65536 THEN answer END"

// brings are the columns of a picture; their arguments are those of bringing.
const (
	brings = "position, generated_image_url, source_url, model, content_type, file_size, width, height, sha256, storage_key, thumbnail_key, seed, revised_prompt"

	onceEach = " ON CONFLICT (task_id, attempt_id, position) DO NOTHING"
)

func bringing(r *task.Result) []any {
	return []any{r.Position, r.GeneratedImageURL, null(r.SourceURL), null(r.Model), r.ContentType,
		r.FileSize, r.Width, r.Height, r.SHA256, r.StorageKey, null(r.ThumbnailKey), r.Seed, null(r.RevisedPrompt)}
}
