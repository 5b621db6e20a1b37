package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// historyColumns are those of attempts without what may be megabytes.
var historyColumns = strings.NewReplacer("coalesce(answer, '') AS answer", "'' AS answer", "coalesce(kept, '') AS kept", "'' AS kept").Replace(attemptColumns)

// History returns what the rows say of a task's calls and of what they have brought.
// ErrNotFound if there is no such task.
func (s *Store) History(ctx context.Context, id int64) (h *task.History, err error) {
	err = s.reads(ctx, false, func(q sqlx.ExtContext) error {
		h, err = s.history(ctx, q, id)
		return err
	})
	return h, err
}

func (s *Store) history(ctx context.Context, q sqlx.QueryerContext, id int64) (*task.History, error) {
	var t task.Task
	err := sqlx.GetContext(ctx, q, &t, s.db.Rebind(`SELECT provider, coalesce(image_count, 0) AS image_count, status, coalesce(error_kind, '') AS error_kind,
		delivery, retried_at FROM image_generations WHERE id = ?`), id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	h := &task.History{Provider: t.Provider, ImageCount: t.ImageCount, Status: t.Status, ErrorKind: t.ErrorKind, Delivery: t.Delivery, RetriedAt: t.RetriedAt}
	err = sqlx.SelectContext(ctx, q, &h.Inputs, s.db.Rebind(
		"SELECT position, source_hash, storage_key, content_type, file_size, sha256 FROM generation_input WHERE task_id = ? ORDER BY position"), id)
	if err != nil {
		return nil, err
	}
	err = sqlx.SelectContext(ctx, q, &h.Attempts, s.db.Rebind("SELECT "+historyColumns+" FROM generation_attempt WHERE task_id = ? ORDER BY number"), id)
	if err != nil || len(h.Attempts) == 0 {
		return h, err
	}
	err = sqlx.SelectContext(ctx, q, &h.Results, s.db.Rebind("SELECT "+resultColumns+" FROM generation_result WHERE task_id = ? ORDER BY attempt_id, position, id"), id)
	return h, err
}

// Attempt returns one call whole. ErrNotFound if the journal does not have it.
func (s *Store) Attempt(ctx context.Context, id int64) (*task.Attempt, error) {
	var a task.Attempt
	err := s.selectOne(ctx, &a, s.db.Rebind("SELECT "+attemptColumns+" FROM generation_attempt WHERE id = ?"), id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return &a, err
}
