package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// LastCall is how the last call of a task stands.
type LastCall struct {
	TaskID int64             `json:"task_id"`
	State  task.AttemptState `json:"state"`
	SentAt time.Time         `json:"sent_at"`
}

// LastCalls returns the last call of each of the tasks that has one, in one query.
func (s *Store) LastCalls(ctx context.Context, ids []int64) (map[int64]LastCall, error) {
	all := make(map[int64]LastCall)
	if len(ids) == 0 {
		return all, nil
	}
	query, args, err := sqlx.In(`SELECT task_id, state, sent_at FROM generation_attempt WHERE task_id IN (?) ORDER BY task_id, number`, ids)
	if err != nil {
		return nil, err
	}
	var calls []LastCall
	if err := s.selectAll(ctx, &calls, s.db.Rebind(query), args...); err != nil {
		return nil, err
	}
	for _, c := range calls {
		all[c.TaskID] = c // the last one stays
	}
	return all, nil
}

// WorkersSeen returns Workers, and beside them those that have gone or fallen silent,
// until PruneWorkers: the lease of these is over.
func (s *Store) WorkersSeen(ctx context.Context) ([]Worker, error) {
	workers := []Worker{}
	err := s.selectAll(ctx, &workers,
		"SELECT id, host, pid, version, providers, started_at, seen_at, lease_until FROM easel_worker ORDER BY started_at, id")
	return workers, err
}

// Backlog is the due tasks of one provider.
type Backlog struct {
	Provider string    `json:"provider"`
	Tasks    int       `json:"tasks"`
	Since    time.Time `json:"since"` // when the oldest became due
}

// Backlog returns the tasks that are due and that no worker holds, by provider.
func (s *Store) Backlog(ctx context.Context) ([]Backlog, error) {
	var all []Backlog
	err := s.selectAll(ctx, &all, `SELECT provider, count(*) AS tasks FROM image_generations
		WHERE status = 'pending' AND deleted_at IS NULL AND run_at <= now() AND NOT `+ownedByApp+` GROUP BY provider ORDER BY provider`)
	if err != nil {
		return nil, err
	}
	for i := range all {
		// A query of its own for each: an aggregate has lost its type on SQLite.
		err := s.selectOne(ctx, &all[i].Since, s.db.Rebind(`SELECT run_at FROM image_generations
			WHERE status = 'pending' AND deleted_at IS NULL AND run_at <= now() AND NOT `+ownedByApp+` AND provider = ? ORDER BY run_at LIMIT 1`), all[i].Provider)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
