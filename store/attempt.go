package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Begin commits a new attempt as sending, before its call is made, and returns it with
// its ID, Number and SentAt. ErrFenced if the task is not the caller's any more: then the
// call must not be made. The row of the task is locked meanwhile, so that whoever claims it
// next sees this attempt.
func (s *Store) Begin(ctx context.Context, a task.Attempt) (task.Attempt, error) {
	err := s.in(ctx, func(tx *sqlx.Tx) error { return s.begin(ctx, tx, &a) })
	return a, s.refusable(err)
}

func (s *Store) begin(ctx context.Context, tx sqlx.QueryerContext, a *task.Attempt) error {
	if err := s.hold(ctx, tx, task.Token{Task: a.TaskID, Fence: a.Fence}); err != nil {
		return err
	}
	return tx.QueryRowxContext(ctx, s.db.Rebind("INSERT INTO generation_attempt ("+begins+`, task_id, fence, number, sent_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM generation_attempt WHERE task_id = ?), now())
			RETURNING id, number, sent_at`), append(beginning(a), a.TaskID, a.Fence, a.TaskID)...).Scan(&a.ID, &a.Number, &a.SentAt)
}

// begins are the columns of a new attempt; their arguments are those of beginning.
const begins = "delivery, attempt_key, provider, account, endpoint, request_hash, images, state, worker"

func beginning(a *task.Attempt) []any {
	return []any{a.Delivery, a.Key, a.Provider, null(a.Account), null(a.Endpoint), null(a.RequestHash), number(a.Images), a.State, a.Worker}
}

// NewestAttempt returns the highest id of an attempt in the journal, or 0. Ids grow with
// time whatever any clock says; only a failover that has lost some gives them again.
func (s *Store) NewestAttempt(ctx context.Context) (int64, error) {
	var id int64
	err := s.db.GetContext(ctx, &id, "SELECT coalesce((SELECT id FROM generation_attempt ORDER BY id DESC LIMIT 1), 0)")
	return id, err
}

// AttemptID returns the id of the attempt with that key. ErrNotFound if the
// database does not have it.
func (s *Store) AttemptID(ctx context.Context, key string) (int64, error) {
	var id int64
	err := s.db.GetContext(ctx, &id, s.db.Rebind("SELECT id FROM generation_attempt WHERE attempt_key = ?"), key)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}
	return id, err
}

// AttemptByKey returns the attempt with that key, or ErrNotFound.
func (s *Store) AttemptByKey(ctx context.Context, key string) (*task.Attempt, error) {
	var a task.Attempt
	err := s.db.GetContext(ctx, &a, s.db.Rebind("SELECT "+attemptColumns+" FROM generation_attempt WHERE attempt_key = ?"), key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return &a, err
}

// sinceRetry is now, but never before the last retry by hand, although the clock may have been
// set back: what ends after a retry counts as ended since, or its call would be made again.
const sinceRetry = "coalesce((SELECT g.retried_at FROM image_generations g WHERE g.id = generation_attempt.task_id AND g.retried_at > now()), now())"

// endAttempt notes how an attempt ended that gave no picture, for who holds the task, and
// late for who has lost it: the new holder may have learnt more. What the provider has taken is not unknown any more. An
// answer was bought for certain, so it may come to nothing or wait for a person to
// have it collected, but it is neither unknown nor unsent.
func (s *Store) endAttempt(ctx context.Context, q sqlx.ExecerContext, a *task.Attempt, late bool) error {
	sets, args := ending(a)
	_, err := q.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET "+sets+" WHERE "+s.call(mayEnd)),
		slices.Concat(args, []any{a.ID, late, a.State, a.State})...)
	return err
}

// mayEnd is the condition that an attempt may end so: its parameters are whether that is late, and
// twice the state in which it ends.
const mayEnd = "(state IN ('sending', 'unknown') OR NOT ? AND (state = 'accepted' AND ? <> 'unknown' OR state = 'answered' AND ? IN ('failed', 'answered')))"

// ending returns the columns of an attempt that ends as a, and their arguments.
func ending(a *task.Attempt) (sets string, args []any) {
	why, args := blamed, blame(a.RowError)
	if endsAsFound(a) {
		why, args = blamedAsFound, slices.Insert(args, 0, args[0])
	}
	return `state = ?, http_status = coalesce(?, http_status), ` + why + `,
			provider_request_id = coalesce(?, provider_request_id), finished_at = ` + sinceRetry + `,
			unbilled = ?, cost_micros = CASE WHEN ? THEN 0 ELSE coalesce(cost_micros, ?) END,
			currency = coalesce(currency, ?), price_version = coalesce(price_version, ?)`,
		slices.Concat([]any{a.State, a.HTTPStatus}, args, []any{null(a.ProviderRequestID),
			a.Unbilled, a.Unbilled, a.CostMicros, null(a.Currency), null(a.PriceVersion)})
}

// endsAsFound reports whether a is one of blamedAsFound.
func endsAsFound(a *task.Attempt) bool { return a.State == task.AttemptFailed && !a.Unbilled }

// endOf is endAttempt for who has locked the row of its task: what a turns out to have cost,
// or not, is in its sum.
func (s *Store) endOf(ctx context.Context, q sqlx.ExecerContext, id int64, a *task.Attempt, late bool) error {
	if err := s.endAttempt(ctx, q, a, late); err != nil || !a.Unbilled && a.CostMicros == nil {
		return err
	}
	// No fence: what its calls have cost is true whoever holds the task.
	_, err := q.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+costs+" WHERE id = ?"), id)
	return err
}

// call is the condition that a row is the attempt of a parameter and holds. An app that
// deletes a task has its attempts locked too: they are waited for as tasks are, see patiently.
func (s *Store) call(holds string) string {
	return "id = (SELECT id FROM generation_attempt WHERE id = ? AND " + holds + s.dialect.lock + ")"
}
