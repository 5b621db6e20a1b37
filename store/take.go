package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// taken is a row that a claim has just taken, with what a step needs beside it.
type taken struct {
	task.Task
	Given string  `json:"given"` // its parameters, a JSON object
	Photo *string `json:"photo"` // nil if there is none, or the table was not asked
	Last  *string `json:"last"`  // its newest attempt, a JSON object; nil if there is none
	// Alone: nobody can have begun an attempt between the statement's look at the tables
	// and its lock on the row, so that Last is the newest one.
	Alone bool `json:"alone"`
}

// take is the statement of a claim: it takes the row and reads what belongs to it.
// sql.ErrNoRows if the delivery is not free. On Postgres it sees all tables as they were
// when it began, and the row as it is when it is locked; dialect.alone tells whether that is
// the same. It is, but for a row that somebody else had in hand: then whole looks once more.
func (s *Store) take(ctx context.Context, db sqlx.ExtContext, ref task.Ref, worker string, lease time.Duration) (*taken, error) {
	one := func(holds string) string {
		return "id = (SELECT id FROM image_generations WHERE id = ? AND delivery = ? AND " + holds + s.dialect.skipLocked + ")"
	}
	var t taken
	err := s.taking(worker, lease, one, []any{ref.Task, ref.Delivery}, func(query string, args []any) error {
		return sqlx.GetContext(ctx, db, &t, query, args...)
	})
	return &t, err
}

// taking runs the statement of claims by worker. which makes the condition of the rows that are taken
// of what must hold for each of them, and has the parameters names before it.
func (s *Store) taking(worker string, lease time.Duration, which func(holds string) string, names []any, run func(query string, args []any) error) error {
	dead, more := s.leaseDead()
	args := slices.Concat([]any{worker, lease.Milliseconds(), worker}, names, []any{worker}, more)
	query := func(photo string) string {
		return s.db.Rebind(`
			UPDATE image_generations SET status = 'processing', fence = fence + 1, worker = ?, lease_until = ` + s.dialect.later + `,
				crashes = crashes + CASE WHEN status = 'processing' AND worker <> ? THEN 1 ELSE 0 END,
				started_at = coalesce(started_at, now()), published_at = coalesce(published_at, now()), updated_at = now()
			WHERE ` + which(`deleted_at IS NULL AND fence >= 0 AND fence < `+lastFence+`
				AND (status = 'pending' OR status = 'processing' AND (worker = ? OR `+dead+`))`) + `
			RETURNING ` + taskColumns + `, ` + s.dialect.alone + ` AS alone, ` + photo + ` AS photo,
				(SELECT coalesce(` + s.dialect.object + `(parameter_name, CAST(coalesce(parameter_value, '') AS text)), '{}')
					FROM generation_parameter WHERE task_id = image_generations.id) AS given,
				(SELECT ` + s.dialect.attempt + ` FROM (SELECT ` + attemptColumns + ` FROM generation_attempt
					WHERE task_id = image_generations.id ORDER BY number DESC LIMIT 1) AS last) AS last`)
	}
	if !s.oddPhotos.Load() {
		err := run(query("(SELECT CAST(image_url AS text) FROM photo WHERE photo.id = image_generations.input_image_id)"), args)
		if err == nil || !s.dialect.isMisfit(err) {
			return err
		}
	}
	err := run(query("NULL"), args)
	if err == nil {
		s.oddPhotos.Store(true) // an app's own photo table, of another shape: nothing else was in the way
	}
	return err
}

// whole is the claim of a row that is taken. The fence is ours, so what the statement could
// not tell for certain is read without a transaction: nobody begins an attempt any more.
func (s *Store) whole(ctx context.Context, found *taken) (*Claim, error) {
	c := &Claim{Task: &found.Task}
	if found.Photo != nil {
		c.Task.PhotoURL = *found.Photo
	}
	if s.oddPhotos.Load() || !found.Alone {
		if err := s.loadPhoto(ctx, c.Task); err != nil {
			return nil, err
		}
	}
	if !found.Alone || !utf8.ValidString(found.Given) { // JSON would replace what is not UTF-8
		if err := s.loadParameters(ctx, s.db, c.Task); err != nil {
			return nil, err
		}
		last, err := s.newest(ctx, s.db, c.Task.ID)
		c.Last = last
		return c, err
	}
	if err := json.Unmarshal([]byte(found.Given), &c.Task.Parameters); err != nil {
		return nil, err
	}
	if len(c.Task.Parameters) == 0 {
		c.Task.Parameters = nil
	}
	if found.Last == nil {
		return c, nil
	}
	c.Last = new(task.Attempt)
	return c, json.Unmarshal([]byte(*found.Last), c.Last)
}

func (s *Store) loadPhoto(ctx context.Context, t *task.Task) error {
	if t.InputImageID == nil {
		return nil
	}
	err := s.db.GetContext(ctx, &t.PhotoURL, s.db.Rebind("SELECT coalesce(image_url, '') FROM photo WHERE id = ?"), *t.InputImageID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the worker sees the id without an address and says so
	}
	if err != nil && s.dialect.isMisfit(err) {
		return nil // an app's own photo table, of another shape
	}
	return err
}
