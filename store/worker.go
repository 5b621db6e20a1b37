package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Worker is one worker process.
type Worker struct {
	ID         string    `json:"id"`
	Host       string    `json:"host"`
	PID        int       `json:"pid"`
	Version    string    `json:"version"`
	Providers  string    `json:"providers"` // names it serves, between commas: ",openai,sketch,"
	StartedAt  time.Time `json:"started_at"`
	SeenAt     time.Time `json:"seen_at"`
	LeaseUntil time.Time `json:"lease_until"`
}

// Heartbeat says that the worker lives, and so extends the lease of every task it
// holds, in one statement.
func (s *Store) Heartbeat(ctx context.Context, w Worker, lease time.Duration) error {
	return s.heartbeat(ctx, s.db, w, lease)
}

func (s *Store) heartbeat(ctx context.Context, db sqlx.ExecerContext, w Worker, lease time.Duration) error {
	_, err := db.ExecContext(ctx, s.db.Rebind(`
		INSERT INTO easel_worker (id, host, pid, version, providers, started_at, seen_at, lease_until)
		VALUES (?, ?, ?, ?, ?, now(), `+s.dialect.unflushed+`, `+s.dialect.later+`)
		ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, lease_until = excluded.lease_until`),
		w.ID, w.Host, w.PID, w.Version, w.Providers, lease.Milliseconds())
	return err
}

// Deregister says that the worker has stopped and holds nothing any more: its lease
// ends before it was last seen. Its row stays until PruneWorkers.
func (s *Store) Deregister(ctx context.Context, id string) error { return s.deregister(ctx, s.db, id) }

func (s *Store) deregister(ctx context.Context, db sqlx.ExecerContext, id string) error {
	_, err := db.ExecContext(ctx, s.db.Rebind("UPDATE easel_worker SET seen_at = now(), lease_until = "+s.dialect.later+" WHERE id = ?"), -1000, id)
	return err
}

// HasWorkerFor reports whether a worker serves the provider, or did until PruneWorkers: one that
// is silent or has gone may be on its way back, and a clock that jumps makes none of
// them a stranger.
func (s *Store) HasWorkerFor(ctx context.Context, provider string) (bool, error) {
	var served bool
	err := s.selectOne(ctx, &served, s.db.Rebind(
		"SELECT EXISTS (SELECT 1 FROM easel_worker WHERE replace(providers, ',' || ? || ',', '') <> providers)"), provider)
	return served, err
}

// Workers returns the processes whose heartbeat is alive.
func (s *Store) Workers(ctx context.Context) ([]Worker, error) {
	workers := []Worker{}
	err := s.selectAll(ctx, &workers,
		"SELECT id, host, pid, version, providers, started_at, seen_at, lease_until FROM easel_worker WHERE lease_until >= now() ORDER BY started_at, id")
	return workers, err
}

// HeldBy returns the tasks that the worker holds by their rows, with what
// Release needs. A claim whose answer was lost is among them: the worker does
// not know of it and must give it back, since its own heartbeat keeps everybody
// else away.
func (s *Store) HeldBy(ctx context.Context, worker string) ([]task.Task, error) {
	held := []task.Task{}
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		held = held[:0]
		return sqlx.SelectContext(ctx, tx, &held, s.db.Rebind("SELECT "+deliveryColumns+
			", fence FROM image_generations WHERE status = 'processing' AND worker = ? ORDER BY worker"), worker)
	})
	slices.SortFunc(held, func(a, b task.Task) int { return cmp.Compare(a.ID, b.ID) })
	return held, err
}

// TakeCancelled returns the tasks of the worker that were cancelled while it held them
// and lets go of them: each is returned once.
func (s *Store) TakeCancelled(ctx context.Context, worker string) ([]int64, error) {
	var ids []int64
	// No fence: cancelling has taken it, and the row is final.
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) error {
		ids = nil
		// A range, so that there is an order to follow the index of such rows by.
		return sqlx.SelectContext(ctx, tx, &ids, s.db.Rebind("UPDATE image_generations SET worker = NULL WHERE "+s.dialect.picked(
			"SELECT id FROM image_generations WHERE status = 'cancelled' AND worker BETWEEN ? AND ? ORDER BY worker"+s.dialect.skipLocked)+" RETURNING id"), worker, worker)
	})
	return ids, err
}

// ReclaimExpired takes tasks away from workers that have died or left, up to limit at a time:
// each becomes pending under a new delivery, with one more crash on its count.
// It returns the deliveries that are not valid any more. The order by worker is that
// of the index of held tasks: by id the whole table might be read for it.
func (s *Store) ReclaimExpired(ctx context.Context, limit int) ([]task.Task, error) {
	var reclaimed []task.Task
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		reclaimed = nil
		if err := s.followIndexes(ctx, tx); err != nil {
			return err
		}
		dead, args := s.leaseDead()
		err := tx.SelectContext(ctx, &reclaimed, tx.Rebind("SELECT "+deliveryColumns+` FROM image_generations
			WHERE status = 'processing' AND `+dead+` ORDER BY worker LIMIT ?`+s.dialect.skipLocked), append(args, limit)...)
		if err != nil || len(reclaimed) == 0 {
			return err
		}
		refs := make([]task.Ref, len(reclaimed))
		for i := range reclaimed {
			refs[i] = reclaimed[i].Ref()
		}
		// No fence in the condition: the rows are locked, and their holders dead.
		// The fence grows, so that one who only slept writes nothing.
		_, err = s.updateUnlocked(ctx, tx, refs, "status = 'processing'", `status = 'pending', `+deliveryGrows+`, `+fenceGrows+`,
			crashes = crashes + 1, published_at = NULL, run_at = now(), worker = NULL, lease_until = NULL, updated_at = now(), `+costs)
		return err
	})
	slices.SortFunc(reclaimed, func(a, b task.Task) int { return cmp.Compare(a.ID, b.ID) })
	return reclaimed, err
}

// PruneWorkers deletes workers that have been dead for long, and returns how many.
func (s *Store) PruneWorkers(ctx context.Context, after time.Duration) (int64, error) {
	silent, args := s.watch.silent() // the clock alone may have jumped over the living
	r, err := s.db.ExecContext(ctx, s.db.Rebind("DELETE FROM easel_worker AS w WHERE lease_until < "+s.dialect.later+" AND (lease_until < seen_at OR "+silent+")"),
		append([]any{-after.Milliseconds()}, args...)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
