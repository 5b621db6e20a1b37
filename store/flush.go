package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// outcomes are those of values of which a flush has written some.
func outcomes[V, R any](values []V, of func(V) (R, bool)) []outcome[R] {
	all := make([]outcome[R], len(values))
	for i, v := range values {
		var written bool
		if all[i].result, written = of(v); !written {
			all[i].err = errAlone
		}
	}
	return all
}

// claimMany is Claim for many deliveries, by a statement for each worker, of which a process has one.
func (s *Store) claimMany(ctx context.Context, claims []claimed) ([]outcome[*taken], error) {
	type holder struct {
		worker string
		lease  time.Duration
	}
	refs := make(map[holder][]task.Ref)
	for _, c := range claims {
		h := holder{c.worker, c.lease}
		refs[h] = append(refs[h], c.ref)
	}
	got := make(map[int64]*taken, len(claims))
	take := func(q sqlx.ExtContext) error {
		clear(got)
		for h, of := range refs {
			if err := s.takeMany(ctx, q, of, h.worker, h.lease, got); err != nil {
				return err
			}
		}
		return nil
	}
	run := s.autocommitted
	if len(refs) > 1 {
		run = s.transacted
	}
	err := run(ctx, take)
	return outcomes(claims, func(c claimed) (*taken, bool) { t := got[c.ref.Task]; return t, t != nil }), err
}

func (s *Store) takeMany(ctx context.Context, q sqlx.ExtContext, refs []task.Ref, worker string, lease time.Duration, got map[int64]*taken) error {
	return s.taking(worker, lease, s.dialect.among, []any{list(refs)}, func(query string, args []any) error {
		var all []taken
		err := sqlx.SelectContext(ctx, q, &all, query, args...)
		for i := range all {
			got[all[i].ID] = &all[i]
		}
		return err
	})
}

// begun is what Begin finds out of an attempt.
type begun struct {
	Task   int64     `json:"task_id"`
	ID     int64     `json:"id"`
	Number int       `json:"number"`
	SentAt time.Time `json:"sent_at"`
}

// beginMany is Begin for many attempts. It sees those of before it began, and its rows are locked
// later than that; but only their holder begins another, and has heard of the last. That two would
// get one number is refused.
func (s *Store) beginMany(ctx context.Context, attempts []task.Attempt) ([]outcome[begun], error) {
	rows := make([]row, len(attempts))
	for i, a := range attempts {
		rows[i] = row{task: a.TaskID, token: a.Fence, args: beginning(&a)}
	}
	query := withRows("integer text text text text text integer text text", s.heldTask("", 1)) +
		"INSERT INTO generation_attempt (" + begins + ", task_id, fence, number, sent_at) SELECT " + columnsOfRows(9) + `, w.task, w.token,
			(SELECT coalesce(max(number), 0) + 1 FROM generation_attempt a WHERE a.task_id = w.task), now() FROM w
		RETURNING task_id, id, number, sent_at`
	var all []begun
	err := s.autocommitted(ctx, func(q sqlx.ExtContext) error {
		all = all[:0]
		return s.many(ctx, q, &all, query, rows)
	})
	by := make(map[int64]begun, len(all))
	for _, a := range all {
		by[a.Task] = a
	}
	return outcomes(attempts, func(a task.Attempt) (begun, bool) { got, ok := by[a.TaskID]; return got, ok }), err
}

// releaseMany is Release for many tasks.
func (s *Store) releaseMany(ctx context.Context, releases []released) ([]outcome[struct{}], error) {
	rows := make(map[form][]row)
	for _, r := range releases {
		f := form{types: "bigint text", locks: s.heldTask("", 1), table: "image_generations", sets: s.releases(r.reason)}
		if r.reason != "" {
			f.sets = s.releases("some") // whichever it is
		}
		rows[f] = append(rows[f], row{task: r.held.Task, token: r.held.Fence, args: []any{r.after.Milliseconds(), null(r.reason)}})
	}
	done := make(map[int64]bool)
	run := s.transacted
	if len(rows) == 1 {
		run = s.autocommitted
	}
	err := run(ctx, func(q sqlx.ExtContext) error {
		clear(done)
		for f, of := range rows {
			if err := s.update(ctx, q, f, of, done); err != nil {
				return err
			}
		}
		return nil
	})
	return outcomes(releases, func(r released) (struct{}, bool) { return struct{}{}, done[r.held.Task] }), err
}
