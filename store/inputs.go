package store

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Inputs returns our copies of the task's input pictures, by position.
func (s *Store) Inputs(ctx context.Context, id int64) (map[int]task.Input, error) {
	var rows []task.Input
	err := s.db.SelectContext(ctx, &rows, s.db.Rebind(
		"SELECT position, source_hash, storage_key, content_type, file_size, sha256 FROM generation_input WHERE task_id = ?"), id)
	if err != nil {
		return nil, err
	}
	all := make(map[int]task.Input, len(rows))
	for _, in := range rows {
		all[in.Position] = in
	}
	return all, nil
}

// KeepInput notes a copy that lies in storage. Whoever copies last counts: the
// key and what lies under it follow from the task and the position.
func (s *Store) KeepInput(ctx context.Context, id int64, in task.Input) error {
	return s.in(ctx, func(tx *sqlx.Tx) error {
		if err := s.lock(ctx, tx, id); err != nil { // an input waits for the key of its task
			return err
		}
		_, err := tx.ExecContext(ctx, tx.Rebind(`
			INSERT INTO generation_input (task_id, position, source_hash, storage_key, content_type, file_size, sha256, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, now())
			ON CONFLICT (task_id, position) DO UPDATE SET source_hash = excluded.source_hash, storage_key = excluded.storage_key,
				content_type = excluded.content_type, file_size = excluded.file_size, sha256 = excluded.sha256, created_at = now()`),
			id, in.Position, in.SourceHash, in.StorageKey, in.ContentType, in.FileSize, in.SHA256)
		return err
	})
}

// SwitchProvider gives a claimed task to another provider, after a call that certainly
// was not carried out. It is rung for again, in that provider's queue, with full
// budgets. a is the attempt that ended, or nil. ErrFenced if the task is not ours
// any more; the attempt's end is written all the same.
func (s *Store) SwitchProvider(ctx context.Context, t *task.Task, to task.Fallback, rest, reason string, a *task.Attempt) error {
	fenced := false
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		err := s.fenced(tx.ExecContext(ctx, tx.Rebind(`
			UPDATE image_generations SET provider = ?, model = ?, fallbacks = ?, status = 'pending', run_at = now(), published_at = NULL,
				attempt = 0, waits = 0, crashes = 0, worker = NULL, lease_until = NULL, error_msg = ?, error_kind = NULL, error_code = NULL, updated_at = now(), `+costs+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`), to.Provider, null(to.Model), null(rest), null(reason), t.ID, t.Fence))
		fenced = err == ErrFenced
		if err != nil && !fenced || a == nil {
			return err
		}
		if err := s.lock(ctx, tx, t.ID); err != nil {
			return err
		}
		return s.endOf(ctx, tx, t, a, fenced)
	})
	if err == nil && fenced {
		return ErrFenced
	}
	return err
}
