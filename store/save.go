package store

import (
	"context"
	"database/sql"
	"errors"
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

// saveResults stores the pictures of a call, which is done with them. Those of one that
// somebody else has stored stay as they are: whoever comes second may have counted them as
// pictures of another call.
func (s *Store) saveResults(ctx context.Context, tx sqlx.ExtContext, a *task.Attempt, results []task.Result) error {
	// An answer has done its duty: its pictures are in storage. What is large in it goes, and what
	// signs the addresses of pictures, which may be good for days.
	var collected task.Attempt
	err := sqlx.GetContext(ctx, tx, &collected, s.db.Rebind("UPDATE generation_attempt SET "+collects+
		" WHERE id = ? AND state <> 'succeeded' RETURNING id, coalesce(answer, '') AS answer"), null(a.ErrorMsg), a.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	for _, r := range results {
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.db.Rebind("INSERT INTO generation_result (task_id, attempt_id, created_at, "+brings+`)
			VALUES (?, ?, now(), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+onceEach), append([]any{a.TaskID, a.ID}, bringing(&r)...)...)
	}
	if err != nil || !strings.Contains(collected.Answer, "?") {
		return err
	}
	collected.HideSignatures()
	_, err = tx.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET answer = ? WHERE id = ? AND state = 'succeeded'"), null(collected.Answer), a.ID)
	return err
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
