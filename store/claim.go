package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/internal/pause"
	"github.com/easelqueue/easel/task"
)

// ownedByApp holds for a row that the app keeps by itself (see task.OwnedByApp): no statement of
// ours changes its status, but for deleting it by hand.
const ownedByApp = "(fence < 0 OR status = 'processing' AND worker IS NULL)"

// fenceGrows and deliveryGrows are how a row leaves everybody's hands. Each holds at the
// bound of its column, or one such row would keep all others of its statement back.
const (
	fenceGrows    = "fence = CASE WHEN fence < " + lastFence + " THEN fence + 1 ELSE fence END"
	deliveryGrows = "delivery = CASE WHEN delivery BETWEEN 0 AND 2147483646 THEN delivery + 1 ELSE 0 END"
	lastFence     = "9223372036854775807" // leaves no room for a claim
)

// Claim is a task that a worker holds, with the last call made for it.
type Claim struct {
	Task *task.Task
	// Last is the newest attempt of the task, of any delivery; nil if there is none.
	Last *task.Attempt
}

// Refusal says why a delivery was not claimed.
type Refusal struct {
	// Stale: the row is final, deleted, the app's own, or waits for another delivery.
	// There is nothing to do; Status tells which.
	Stale  bool
	Status task.Status
	// Busy: another worker holds the task, for at least Wait.
	Busy bool
	// Locked: nobody holds the task, but a transaction of somebody's has its row locked.
	// It may be claimed after Wait, or later.
	Locked bool
	Wait   time.Duration
	// FenceExhausted: the fence is at the bound of its column, so that nobody can claim the task.
	FenceExhausted bool
	// Task is the row as it was found; nil if it does not exist.
	Task *task.Task
}

// Claim takes the task for worker, if the delivery is the valid one and nobody
// else holds it: the status becomes processing and the fence grows. A row that
// carries worker's own name is free to it: the caller knows that it is not
// working on it. Exactly one of claim and refusal is returned. A row that is locked
// is tried again for a moment, in which whoever notes its delivery has done so.
func (s *Store) Claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (*Claim, *Refusal, error) {
	for wait := firstPause; ; wait *= 2 {
		c, refusal, err := s.claim(ctx, ref, worker, lease)
		if err != nil || refusal == nil || !refusal.Locked || wait > lockedPause || pause.For(ctx, wait) != nil {
			return c, refusal, err
		}
	}
}

// lockedPause is half of what the pauses between looks at a locked row add up to.
const lockedPause = 40 * time.Millisecond

// LockedWait is after how long the delivery of a locked row is to come again.
const LockedWait = time.Second

func (s *Store) claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (*Claim, *Refusal, error) {
	found, err := s.take(ctx, s.db, ref, worker, lease)
	if errors.Is(err, sql.ErrNoRows) {
		refusal, err := s.refusal(ctx, ref, lease)
		return nil, refusal, err
	}
	if err != nil {
		return nil, nil, err
	}
	c, err := s.whole(ctx, found)
	return c, nil, err
}

func (s *Store) refusal(ctx context.Context, ref task.Ref, lease time.Duration) (*Refusal, error) {
	t, err := s.Get(ctx, ref.Task)
	if errors.Is(err, ErrNotFound) {
		return &Refusal{Stale: true}, nil
	}
	if err != nil {
		return nil, err
	}
	if t.Status == task.Pending && t.Delivery == ref.Delivery && t.DeletedAt == nil && t.Fence == math.MaxInt64 {
		return &Refusal{FenceExhausted: true, Status: t.Status, Task: t}, nil
	}
	// A pending row is locked, or was given back between the two statements.
	if t.Status == task.Pending && t.Delivery == ref.Delivery && t.DeletedAt == nil && !t.OwnedByApp() {
		return &Refusal{Locked: true, Wait: LockedWait, Status: t.Status, Task: t}, nil
	}
	if t.Delivery == ref.Delivery && !t.Status.Final() && t.DeletedAt == nil && !t.OwnedByApp() {
		return &Refusal{Busy: true, Wait: lease, Status: t.Status, Task: t}, nil
	}
	return &Refusal{Stale: true, Status: t.Status, Task: t}, nil
}

// Next is what a delivery will find.
type Next struct {
	// State is that of the newest attempt of the task, or empty if there is none.
	State task.AttemptState `json:"state"`
	// FallsBack: the task names a provider to fall back to.
	FallsBack bool `json:"falls_back"`
	// Model is the one that the task names; empty is the provider's default.
	Model string `json:"model"`
	// Locked: the task waits for this delivery, its next step is to buy, and a transaction
	// of somebody's has its row locked: Claim would refuse it.
	Locked bool `json:"locked"`
}

// Buys reports whether the next step may be to buy, and is not to go on with what was bought.
func (n Next) Buys() bool {
	return n.State == "" || n.State == task.AttemptRejected || n.State == task.AttemptFailed
}

// Next looks ahead. Only who locks a row sees whether it can be locked, so that is done
// for a moment, by a transaction that no disk waits for. A row that is locked is looked at again
// for a moment: whoever notes that its delivery is published has it just when that arrives.
func (s *Store) Next(ctx context.Context, ref task.Ref) (Next, error) {
	for wait := noted; ; wait *= 2 {
		next, err := s.next(ctx, ref)
		if err != nil || !next.Locked || wait > lockedPause || pause.For(ctx, wait) != nil {
			return next, err
		}
	}
}

// noted is about how long it takes to note that a delivery is published.
const noted = time.Millisecond

func (s *Store) next(ctx context.Context, ref task.Ref) (Next, error) {
	var next Next
	row := "FROM image_generations WHERE id = ? AND delivery = ? AND status = 'pending'"
	err := s.db.GetContext(ctx, &next, s.db.Rebind(`
		SELECT state, falls_back, model, CASE WHEN waits AND state IN ('', 'rejected', 'failed') AND `+s.dialect.unflushed+` IS NOT NULL
			THEN (SELECT id `+row+s.dialect.skipLocked+`) IS NULL ELSE false END AS locked
		FROM (SELECT EXISTS (SELECT 1 `+row+`) AS waits,
			coalesce((SELECT coalesce(fallbacks, '') <> '' FROM image_generations WHERE id = ?), false) AS falls_back,
			coalesce((SELECT model FROM image_generations WHERE id = ?), '') AS model,
			coalesce((SELECT state FROM generation_attempt WHERE task_id = ? ORDER BY number DESC LIMIT 1), '') AS state) AS before`),
		ref.Task, ref.Delivery, ref.Task, ref.Delivery, ref.Task, ref.Task, ref.Task)
	return next, err
}

func (s *Store) newest(ctx context.Context, db sqlx.QueryerContext, id int64) (*task.Attempt, error) {
	var a task.Attempt
	err := sqlx.GetContext(ctx, db, &a, s.db.Rebind(
		"SELECT "+attemptColumns+" FROM generation_attempt WHERE task_id = ? ORDER BY number DESC LIMIT 1"), id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &a, err
}

// Release gives a claimed task back, to be taken again after the delay. It
// spends no attempt. Why a call has failed counts more than why the task waits, and stays,
// unless a call was answered since, whose pictures are all that it waits for and were not
// given up. ErrFenced if the task is not ours any more.
func (s *Store) Release(ctx context.Context, held task.Token, after time.Duration, reason string) error {
	return s.refusable(s.patiently(ctx, func() error { return s.release(ctx, s.db, held, after, reason) }))
}

func (s *Store) release(ctx context.Context, q sqlx.ExecerContext, held task.Token, after time.Duration, reason string) error {
	return s.fenced(q.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+s.releases(reason)+`
		WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
		after.Milliseconds(), null(reason), held.Task, held.Fence))
}

// releases are the columns of a task that is given back; their arguments are the delay in milliseconds
// and the reason, of which it is only asked here whether there is one.
func (s *Store) releases(reason string) string {
	stays := "error_kind IS NOT NULL"
	if reason != "" {
		stays += ` AND NOT EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.state = 'answered'
			AND (a.finished_at IS NULL OR a.finished_at < image_generations.retried_at))`
	}
	return `status = 'pending', run_at = ` + s.dialect.later + `, worker = NULL, lease_until = NULL,
			error_msg = CASE WHEN ` + stays + ` THEN error_msg ELSE ? END, error_kind = CASE WHEN ` + stays + ` THEN error_kind END,
			error_code = CASE WHEN ` + stays + ` THEN error_code END, error_advice = CASE WHEN ` + stays + ` THEN error_advice END,
			error_about = CASE WHEN ` + stays + ` THEN error_about END, updated_at = now(), ` + costs
}

// fenced turns an update that met no row into ErrFenced.
func (s *Store) fenced(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		return ErrFenced
	}
	return err
}

// changed reports whether an update has met a row.
func (s *Store) changed(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}
