package store

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// isOver is the condition that no delivery of the task g comes any more, and that what its
// calls still bring is kept: it was cancelled, or is held over the outcome of its calls.
const isOver = "(g.status = 'cancelled' OR g.status = 'failed' AND g.error_kind = 'outcome_unknown')"

// ToCollect returns the calls, at most limit of them and the oldest first, that providers have
// taken, that nobody has given up, and whose tasks are over: no delivery leads to them. They are
// the worker's own; of workers that are silent, the first that lives and has the provider is
// meant. Two that take one all the same do no harm: both only ask.
func (s *Store) ToCollect(ctx context.Context, worker string, limit int) ([]int64, error) {
	var ids []int64
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		ids = nil
		// The order is that of the index, and the task a question of its own about each row:
		// all failed tasks might be read for it otherwise.
		return sqlx.SelectContext(ctx, tx, &ids, s.db.Rebind(`
			SELECT id FROM generation_attempt a
			WHERE state IN ('accepted', 'answered') AND finished_at IS NULL
				AND (SELECT `+isOver+` AND g.deleted_at IS NULL AND g.provider = a.provider FROM image_generations g WHERE g.id = a.task_id)
				AND (worker = ? OR NOT EXISTS (SELECT 1 FROM easel_worker w WHERE w.id = a.worker AND w.lease_until >= now())
					AND ? = (SELECT min(w.id) FROM easel_worker w WHERE w.lease_until >= now() AND replace(w.providers, ',' || a.provider || ',', '') <> w.providers))
			ORDER BY worker LIMIT ?`), worker, worker, limit)
	})
	slices.Sort(ids)
	return ids, err
}

// EndedLate says: a call whose task was over has ended without pictures. Its State is failed, if
// the provider says so, or what it was, if nobody asks after it any more. Then it
// is the business of a person who has retried the task meanwhile, and nothing is written.
type EndedLate struct{ Attempt task.Attempt }

func (EndedLate) single() bool { return false }

func (f EndedLate) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	a := f.Attempt
	if err := s.lock(ctx, q, a.TaskID); err != nil {
		return false, err
	}
	if a.State != task.AttemptFailed {
		var final bool
		err := sqlx.GetContext(ctx, q, &final, s.db.Rebind("SELECT EXISTS (SELECT 1 FROM image_generations WHERE id = ? AND status IN ('completed', 'failed', 'cancelled'))"), a.TaskID)
		if err != nil || !final {
			return false, err
		}
	}
	if err := s.endOf(ctx, q, a.TaskID, &a, false); err != nil {
		return false, err
	}
	return true, s.reconsider(ctx, q, a.TaskID)
}
