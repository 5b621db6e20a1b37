package store

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// isOver is the condition that the open call a of the task g is collected by itself, whatever the
// task has ended as, and at whichever provider: see task.CollectedByItself, which says the same.
const isOver = "(g.status IN ('completed', 'failed', 'cancelled') AND g.deleted_at IS NULL AND coalesce(g.error_kind, '') <> 'crashed')"

// goesOn is the condition that the task g goes on with a call that is newer than a, so that its steps may
// hear of a, which was found again, only when that one has ended: see task.History.GoesOnWithout. Once it has,
// the next step asks after a itself, and buys nothing over what it hears.
const goesOn = "(g.status NOT IN ('completed', 'failed', 'cancelled') AND g.deleted_at IS NULL AND EXISTS (SELECT 1 FROM generation_attempt n " +
	"WHERE n.task_id = a.task_id AND n.number > a.number AND n.finished_at IS NULL AND n.state IN ('sending', 'accepted', 'answered')))"

// open is the condition of the index generation_attempt_collectable: the provider has taken the
// call, and nobody has given it up.
const open = "state IN ('accepted', 'answered') AND finished_at IS NULL"

// OpenCall is a call that the provider has taken and that nobody has given up.
type OpenCall struct {
	ID       int64
	Provider string
	Account  string
	State    task.AttemptState
	Late     bool // its task is over, or goes on with a newer call
}

// ToCollect returns the open calls of a worker behind the id after, in the order of their ids
// and at most limit: of tasks that run as well, so that what is read is bounded. Who has read a
// whole page goes on behind it.
func (s *Store) ToCollect(ctx context.Context, worker string, after int64, limit int) ([]OpenCall, error) {
	var calls []OpenCall
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		calls = nil
		// The task is a question of its own about each row: all failed tasks might be read for it otherwise.
		return sqlx.SelectContext(ctx, tx, &calls, s.db.Rebind(`
			SELECT id, provider, coalesce(account, '') AS account, state,
				EXISTS (SELECT 1 FROM image_generations g WHERE g.id = a.task_id AND (`+isOver+` OR `+goesOn+`)) AS late
			FROM generation_attempt a
			WHERE `+open+` AND worker = ? AND id > ?
			ORDER BY worker, id LIMIT ?`), worker, after, limit)
	})
	return calls, err
}

// DeadWorkers returns names of workers, behind the name after, in their order and at most limit,
// that have open calls and a lease that is over, or none.
func (s *Store) DeadWorkers(ctx context.Context, after string, limit int) ([]string, error) {
	var names []string
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		names = nil
		// One look into the index for each name, however many calls it has.
		return sqlx.SelectContext(ctx, tx, &names, s.db.Rebind(`
			WITH RECURSIVE callers(name) AS (
				SELECT (SELECT worker FROM generation_attempt WHERE `+open+` AND worker > ? ORDER BY worker LIMIT 1)
				UNION ALL
				SELECT (SELECT worker FROM generation_attempt WHERE `+open+` AND worker > callers.name ORDER BY worker LIMIT 1) FROM callers WHERE callers.name IS NOT NULL
			)
			SELECT name FROM callers
			WHERE name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM easel_worker w WHERE w.id = callers.name AND w.lease_until >= now())
			LIMIT ?`), after, limit)
	})
	return names, err
}

// TakenOver says: a worker asks from now on after an open call of another one, which is silent.
// It changes nothing if somebody was faster.
type TakenOver struct {
	Attempt  int64
	From, By string // workers
}

func (TakenOver) single() bool { return true }

func (f TakenOver) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	return s.changed(q.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET worker = ? WHERE "+s.call(open+" AND worker = ?")), f.By, f.Attempt, f.From))
}

// Reopened says: the provider has spoken again of a job that was given up. Whoever works on its
// task asks after it once more.
type Reopened struct{ Task, Attempt int64 }

func (Reopened) single() bool { return false }

func (f Reopened) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	if err := s.lock(ctx, q, f.Task); err != nil {
		return false, err
	}
	changed, err := s.changed(q.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET finished_at = NULL WHERE "+s.call("state = 'accepted' AND finished_at IS NOT NULL")), f.Attempt))
	if err != nil || !changed {
		return false, err
	}
	return true, s.outdateWords(ctx, q, f.Task)
}

// outdateWords has who has looked at a task that is over look again, before he says a word of it: what a
// retry does is not what it was.
func (s *Store) outdateWords(ctx context.Context, q sqlx.ExecerContext, id int64) error {
	// No fence in the condition, since nobody holds a task that is over.
	_, err := q.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+fenceGrows+" WHERE id = ? AND status IN ('completed', 'failed', 'cancelled')"), id)
	return err
}

// EndedLate says: a call that was collected late has ended without pictures. Its State is failed, if
// the provider says so, or what it was, if nobody asks after it any more. Of a task that is not over nothing
// is written unless a newer call of it runs: it is to go on with this call, whose end it hears by itself, and
// would buy another in the place of one that has failed. Nor is an answer given up beside a newer call, which
// may fail: a step that found it so would buy another in the place of what is paid for.
type EndedLate struct{ Attempt task.Attempt }

func (EndedLate) single() bool { return false }

func (f EndedLate) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	a := f.Attempt
	if err := s.lock(ctx, q, a.TaskID); err != nil {
		return false, err
	}
	var late bool
	err := sqlx.GetContext(ctx, q, &late, s.db.Rebind(`SELECT EXISTS (SELECT 1 FROM generation_attempt a, image_generations g
		WHERE a.id = ? AND g.id = a.task_id AND (g.status IN ('completed', 'failed', 'cancelled') OR ? <> 'answered' AND `+goesOn+`))`), a.ID, a.State)
	if err != nil || !late {
		return false, err
	}
	if err := s.endOf(ctx, q, a.TaskID, &a, false); err != nil {
		return false, err
	}
	if err := s.outdateWords(ctx, q, a.TaskID); err != nil {
		return false, err
	}
	return true, s.reconsider(ctx, q, a.TaskID)
}
