package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Files is what a task's rows say of what lies in storage.
type Files struct {
	Keys []string // of its pictures, their thumbnails and its inputs
	Open bool     // work on the task is not over: more may be there than rows know
}

// Files returns that of the tasks among ids that exist.
func (s *Store) Files(ctx context.Context, ids []int64) (map[int64]Files, error) {
	found := make(map[int64]Files)
	if len(ids) == 0 {
		return found, nil
	}
	var tasks []struct {
		ID   int64 `json:"id"`
		Open bool  `json:"open"`
	}
	// A call that may still bring pictures leaves its task open, whatever the status: the spool
	// of a machine that is away may name those of one whose outcome is unknown. So does one that a person gave up
	// as charged: what it stored was paid for, whoever asks for it later.
	err := s.selectIn(ctx, &tasks, `SELECT id, status IN ('pending', 'processing') OR EXISTS (SELECT 1 FROM generation_attempt a
		WHERE a.task_id = t.id AND (state IN ('sending', 'accepted', 'answered', 'unknown') OR `+givenUp+`)) AS open FROM image_generations t WHERE id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		found[t.ID] = Files{Open: t.Open}
	}
	var keys []struct {
		Task int64  `json:"task_id"`
		Key  string `json:"storage_key"`
	}
	err = s.selectIn(ctx, &keys, `SELECT task_id, storage_key FROM generation_result WHERE storage_key IS NOT NULL AND task_id IN (?)
		UNION ALL SELECT task_id, thumbnail_key FROM generation_result WHERE thumbnail_key IS NOT NULL AND task_id IN (?)
		UNION ALL SELECT task_id, storage_key FROM generation_input WHERE task_id IN (?)`, ids, ids, ids)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		f := found[k.Task]
		f.Keys = append(f.Keys, k.Key)
		found[k.Task] = f
	}
	return found, s.addKept(ctx, found, ids)
}

// addKept adds the keys of bytes that lie in storage as they came.
func (s *Store) addKept(ctx context.Context, found map[int64]Files, ids []int64) error {
	var attempts []task.Attempt
	err := s.selectIn(ctx, &attempts, "SELECT task_id, kept FROM generation_attempt WHERE kept IS NOT NULL AND task_id IN (?)", ids)
	for i := range attempts {
		f := found[attempts[i].TaskID]
		for _, k := range attempts[i].RawFileList() {
			f.Keys = append(f.Keys, k.StorageKey)
		}
		found[attempts[i].TaskID] = f
	}
	return err
}

func (s *Store) selectIn(ctx context.Context, into any, query string, args ...any) error {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return err
	}
	return s.reads(ctx, true, func(tx sqlx.ExtContext) error { return sqlx.SelectContext(ctx, tx, into, s.db.Rebind(query), args...) })
}

// aged picks results whose tasks ended before a time and whom nobody has marked as a
// favourite. One that belongs to no call of ours is the app's.
const aged = ` FROM generation_result r WHERE storage_key IS NOT NULL AND attempt_id IS NOT NULL
	AND (SELECT t.completed_at FROM image_generations t WHERE t.id = r.task_id AND t.status IN ('completed', 'failed', 'cancelled')) < ?
	AND NOT EXISTS (SELECT 1 FROM favorite f WHERE f.result_id = r.id)`

// CountAged returns how many pictures Retire would let go, and their bytes.
func (s *Store) CountAged(ctx context.Context, before time.Time) (pictures int, bytes int64, err error) {
	err = s.reads(ctx, false, func(q sqlx.ExtContext) error {
		return q.QueryRowxContext(ctx, s.db.Rebind("SELECT count(*), coalesce(sum(file_size), 0)"+aged), utc(&before)).Scan(&pictures, &bytes)
	})
	return pictures, bytes, err
}

// Retire lets go of at most limit pictures of tasks that ended before then and that
// are nobody's favourite: their rows stay and say no more where they are. Their files
// are left for gc, so that no row ever names a file that is gone.
func (s *Store) Retire(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		r, err := tx.ExecContext(ctx, s.db.Rebind("UPDATE generation_result SET storage_key = NULL, thumbnail_key = NULL WHERE "+
			s.dialect.picked("SELECT r.id"+aged+" ORDER BY r.id LIMIT ?")), utc(&before), limit)
		if err == nil {
			n, err = r.RowsAffected()
		}
		return err
	})
	return int(n), err
}

// Delete removes a task with its parameters, calls and results. Its files are the
// caller's to delete. Only a task whose status is final can go, and none that the app
// keeps by itself: a NotAllowed says so. A Locked if the row could not be had within
// five seconds.
func (s *Store) Delete(ctx context.Context, id int64) error {
	var n int64
	err := s.forPerson(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		// No fence: nobody works on a final task, and the status is the guard.
		r, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM image_generations WHERE id = (SELECT id FROM image_generations "+
			"WHERE id = ? AND status IN ('completed', 'failed', 'cancelled') AND NOT "+ownedByApp+s.dialect.lock+")"), id)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	if err != nil || n > 0 {
		return err
	}
	t, err := s.rowForPerson(ctx, id)
	if err != nil {
		return err
	}
	return &NotAllowed{Task: id, Status: t.Status, Action: "deleted", OwnedByApp: t.OwnedByApp()}
}
