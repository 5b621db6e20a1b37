package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// NotAllowed says that a task is not as it must be for what a person asked for. Nothing was
// changed.
type NotAllowed struct {
	Task       int64
	Status     task.Status
	Kind       task.Kind
	Action     string      // "retried", "cancelled"
	Was        task.Status // how the person saw it; empty if he did not look
	Moved      bool        // it has moved on since the person saw it
	Again      bool        // and was brought back meanwhile
	OwnedByApp bool        // the app keeps the row by itself
}

func (e *NotAllowed) Error() string {
	if e.OwnedByApp {
		return fmt.Sprintf("task %d is managed by the app itself and cannot be %s from here; the app has to do it", e.Task, e.Action)
	}
	if e.Moved {
		return fmt.Sprintf("task %d has moved on since you looked: %s; look again", e.Task, e.Since())
	}
	return fmt.Sprintf("task %d is %s and cannot be %s", e.Task, e.Status, e.Action)
}

// Since says what became of a task that has moved on.
func (e *NotAllowed) Since() string {
	switch {
	case e.Was != e.Status:
		return fmt.Sprintf("it was %s, and is %s now", e.Was, e.Status)
	case e.Kind == task.Charged:
		return "a call of it was given up as charged, or was heard of after that"
	case e.Again:
		return fmt.Sprintf("it was brought back meanwhile, and is %s again", e.Status)
	}
	return "what is known of it has changed"
}

// NotLookedAt says that a word was said of a task that nobody has looked at. Nothing was changed.
type NotLookedAt struct{ Task int64 }

func (e *NotLookedAt) Error() string {
	return fmt.Sprintf("task %d was not looked at, and a retry may buy: read the task, and give what its Seen returns", e.Task)
}

// asSeen is the condition that a task is as a person saw it.
const asSeen = "delivery = ? AND fence = ?"

// wordGrows is fenceGrows for a word of a person, after which no older one counts, and which
// makes a task with a fence at the bound one that can be claimed: far from all that claims reach.
const wordGrows = "fence = CASE WHEN fence < " + lastFence + " THEN fence + 1 ELSE 4611686018427387904 END"

// Retry brings a failed or cancelled task back by hand, with a new delivery and
// all budgets full. A NotAllowed if the task is not as the person saw it any more, and a
// NotLookedAt if he did not look. notCharged also records that calls whose
// outcome is unknown were not billed, so that they may be made again: those that are
// called unknown, and those whose worker died while it sent them. The row comes back as
// it is now, and not published. With notCharged a NothingUnknown if there is no such call.
// A BuysAgain if it could only buy where a call was given up as charged. A Locked if it could not be had within five seconds.
func (s *Store) Retry(ctx context.Context, seen task.Seen, notCharged bool) (*task.Task, error) {
	return s.retry(ctx, seen, func(tx *sqlx.Tx) error {
		if notCharged {
			if err := s.callNotCharged(ctx, tx, seen.Task); err != nil {
				return err
			}
		}
		h, err := s.history(ctx, tx, seen.Task)
		if err != nil || h.AfterRetry() != task.BuysAgain {
			return err
		}
		return &BuysAgain{Task: seen.Task, Attempt: h.GivenUp().Number}
	})
}

// callNotCharged ends the calls of unknown outcome for who has found that they were not charged.
func (s *Store) callNotCharged(ctx context.Context, tx *sqlx.Tx, id int64) error {
	r, err := tx.ExecContext(ctx, tx.Rebind(`
		UPDATE generation_attempt SET state = 'rejected', finished_at = now(), error_kind = 'not_charged', error_advice = NULL, error_about = NULL, error_msg = '`+saidNotCharged+`'
		WHERE task_id = ? AND (state = 'unknown' OR state = 'sending' AND NOT EXISTS (SELECT 1 FROM easel_worker w
			WHERE w.id = generation_attempt.worker AND w.lease_until >= now()))`), id)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return &NothingUnknown{id}
}

// NothingUnknown says that a task has no call whose outcome is unknown, so that nobody
// can say of one that it was not charged: somebody may have said that it was. Nothing was changed.
type NothingUnknown struct{ Task int64 }

func (e *NothingUnknown) Error() string {
	return fmt.Sprintf("task %d has no call whose outcome is unknown, so nothing was changed; look at it again", e.Task)
}

// retry brings the task back and lets with write about its calls in the same transaction.
func (s *Store) retry(ctx context.Context, seen task.Seen, with func(*sqlx.Tx) error) (*task.Task, error) {
	if !seen.Looked() {
		return nil, &NotLookedAt{seen.Task}
	}
	if !seen.Status.Final() { // its claim may make a call yet that nobody has seen
		return nil, s.notAllowed(ctx, seen, "retried")
	}
	var t task.Task
	err := s.forPerson(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		// The fence is the one that the person saw, and his word takes it. Nobody but a
		// person moves a task out of its final status.
		err := tx.GetContext(ctx, &t, tx.Rebind(`
			UPDATE image_generations SET status = 'pending', `+deliveryGrows+`, `+wordGrows+`, attempt = 0, waits = 0, crashes = 0,
				published_at = NULL, run_at = now(), retried_at = now(), cancel_requested_at = NULL, progress = 0, worker = NULL, lease_until = NULL,
				`+blameless+`, completed_at = NULL, updated_at = now(),
				deadline_at = CASE WHEN deadline_at > now() THEN deadline_at END
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND `+asSeen+` AND status IN ('failed', 'cancelled')
				AND deleted_at IS NULL AND NOT `+ownedByApp+s.dialect.lock+`)
			RETURNING `+taskColumns), seen.Task, seen.Delivery, seen.Fence)
		if err != nil {
			return err
		}
		// What is paid for is collected anew, also if the clock was set back since it was given up.
		_, err = tx.ExecContext(ctx, tx.Rebind("UPDATE generation_attempt SET finished_at = NULL WHERE task_id = ? AND state IN ('accepted', 'answered')"), seen.Task)
		if err != nil {
			return err
		}
		return with(tx)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, s.notAllowed(ctx, seen, "retried")
	}
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// owed says of a cancelled task that a picture of it was paid for and has not come. It is fetched by
// itself; missed says so of one that could not be had then.
var (
	owed   = &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "it was cancelled after a call was paid for whose picture had not come yet", Advice: task.Wait}
	missed = &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: owed.Message, Advice: task.RetryCollects}
)

// owes is the condition that a task has such a call; awaits, that one of them is still asked for.
const (
	owes   = "EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.state = 'answered')"
	awaits = "EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.state = 'answered' AND a.finished_at IS NULL)"
)

// Cancel ends a task that is not final, whatever has been done for the delivery that the
// person saw, or for any if he did not look: it buys nothing. What a machine has taken back from a
// dead worker since has another delivery, and is ended too: only a person who has brought the task
// back wants it again. Of a task that was ever brought back the row does not tell the two apart,
// and the delivery has to be the one that was seen. A worker that holds it learns it from
// the row (see TakeCancelled); what the provider still draws is kept as late. A Locked if
// the row could not be had within five seconds.
func (s *Store) Cancel(ctx context.Context, seen task.Seen) (*task.Task, error) {
	var t task.Task
	// No fence: cancelling takes it. The worker's name stays, so that it can see
	// that it is meant.
	err := s.forPerson(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		return tx.GetContext(ctx, &t, tx.Rebind(`
			UPDATE image_generations SET status = 'cancelled', `+fenceGrows+`, cancel_requested_at = now(), completed_at = now(),
				lease_until = NULL, updated_at = now(), error_msg = CASE WHEN status = 'pending' AND `+owes+` THEN ? ELSE error_msg END,
				error_advice = CASE WHEN status = 'pending' AND `+owes+` THEN ? ELSE error_advice END,
				error_about = CASE WHEN status = 'pending' AND `+owes+` THEN NULL ELSE error_about END, `+costs+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND (delivery = ? OR retried_at IS NULL OR ?) AND status IN ('pending', 'processing')
				AND deleted_at IS NULL AND NOT `+ownedByApp+s.dialect.lock+`)
			RETURNING `+taskColumns), owed.Error(), owed.Advice, seen.Task, seen.Delivery, !seen.Looked())
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, s.notAllowed(ctx, seen, "cancelled")
	}
	return &t, err
}

// ArchiveNeverClaimed moves waiting tasks that no worker has ever taken to the dead-letter
// queue, because none would, and returns how many it moved. One that was taken
// before was no mistake when it was written: it waits.
func (s *Store) ArchiveNeverClaimed(ctx context.Context, refs []task.Ref, f *task.Failure) (int64, error) {
	return s.archiveAll(ctx, refs, "status = 'pending' AND started_at IS NULL", f)
}

func (s *Store) archiveAll(ctx context.Context, refs []task.Ref, holds string, f *task.Failure) (int64, error) {
	// No fence in the condition: nobody holds a pending task, and its delivery is the guard.
	var n int64
	err := s.byIndex(ctx, func(tx sqlx.ExtContext) (err error) {
		n, err = s.updateUnlocked(ctx, tx, refs, holds, `status = 'failed', `+fenceGrows+`, `+blamed+`,
			completed_at = now(), updated_at = now(), `+costs, blame(f.RowError())...)
		return err
	})
	return n, err
}

func (s *Store) notAllowed(ctx context.Context, seen task.Seen, action string) error {
	t, err := s.rowForPerson(ctx, seen.Task)
	if err != nil {
		return err
	}
	return &NotAllowed{Task: t.ID, Status: t.Status, Kind: t.ErrorKind, Action: action, Was: seen.Status,
		Moved: seen.Looked() && t.Seen() != seen, Again: t.Delivery != seen.Delivery, OwnedByApp: t.OwnedByApp()}
}
