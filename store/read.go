package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// MaxPage bounds what one List returns.
const MaxPage = 10_000

// Filter picks tasks. An empty field picks all.
type Filter struct {
	IDs          []int64
	Statuses     []task.Status
	Kinds        []task.Kind
	Provider     string
	UserID       *int64
	Ours         bool      // not those that the app keeps by itself
	Since, Until time.Time // of creation, Until not included
	Before       int64     // ids below this one, for the next page
	Limit        int       // at most MaxPage; 0 is 100
}

// Get returns the task with its parameters, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id int64) (t *task.Task, err error) {
	err = s.reads(ctx, false, func(q sqlx.ExtContext) error {
		if t, err = s.row(ctx, q, id); err != nil {
			return err
		}
		return s.loadParameters(ctx, q, t)
	})
	return t, err
}

func (s *Store) loadParameters(ctx context.Context, q sqlx.QueryerContext, t *task.Task) error {
	rows, err := q.QueryContext(ctx, s.db.Rebind(
		"SELECT parameter_name, coalesce(parameter_value, '') FROM generation_parameter WHERE task_id = ?"), t.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return err
		}
		if t.Parameters == nil {
			t.Parameters = make(map[string]string)
		}
		t.Parameters[name] = value
	}
	return rows.Err()
}

// List returns tasks, the newest first, without their parameters and without
// inputs and replies of more than 4 kB.
func (s *Store) List(ctx context.Context, f Filter) ([]task.Task, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	where, args, err := f.where()
	if err != nil {
		return nil, err
	}
	tasks := []task.Task{}
	// In the order of ids all others' tasks would be read for these.
	byCost := f.UserID != nil || !f.Since.IsZero() || !f.Until.IsZero()
	err = s.reads(ctx, !byCost, func(tx sqlx.ExtContext) error {
		tasks = tasks[:0]
		return sqlx.SelectContext(ctx, tx, &tasks, s.db.Rebind("SELECT "+listColumns+" FROM image_generations WHERE "+where+" ORDER BY id DESC LIMIT ?"),
			append(args, min(limit, MaxPage))...)
	})
	return tasks, err
}

// Count returns how many tasks f picks, whatever its Limit.
func (s *Store) Count(ctx context.Context, f Filter) (int, error) {
	where, args, err := f.where()
	if err != nil {
		return 0, err
	}
	var n int
	err = s.selectOne(ctx, &n, s.db.Rebind("SELECT count(*) FROM image_generations WHERE "+where), args...)
	return n, err
}

// Tally counts the tasks of f by status and kind of failure.
func (s *Store) Tally(ctx context.Context, f Filter) ([]Tally, error) {
	where, args, err := f.where()
	if err != nil {
		return nil, err
	}
	tallies := []Tally{}
	err = s.selectAll(ctx, &tallies, s.db.Rebind(
		"SELECT status, provider, coalesce(kind, '') AS error_kind, count(*) AS tasks FROM (SELECT status, provider, "+kindIs+" AS kind FROM image_generations WHERE "+where+
			") AS tasks GROUP BY status, provider, coalesce(kind, '') ORDER BY status, provider, error_kind"), args...)
	return tallies, err
}

// selectAll and selectOne are Select and Get of sqlx, within the bounds of reads.
func (s *Store) selectAll(ctx context.Context, into any, query string, args ...any) error {
	return s.reads(ctx, false, func(q sqlx.ExtContext) error { return sqlx.SelectContext(ctx, q, into, query, args...) })
}

func (s *Store) selectOne(ctx context.Context, into any, query string, args ...any) error {
	return s.reads(ctx, false, func(q sqlx.ExtContext) error { return sqlx.GetContext(ctx, q, into, query, args...) })
}

// Tally is one line of a count.
type Tally struct {
	Status    task.Status `json:"status"`
	Provider  string      `json:"provider"`
	ErrorKind task.Kind   `json:"error_kind,omitempty"`
	Tasks     int         `json:"tasks"`
}

// Attempts returns all calls made for the task, the first one first.
func (s *Store) Attempts(ctx context.Context, id int64) ([]task.Attempt, error) {
	attempts := []task.Attempt{}
	err := s.selectAll(ctx, &attempts, s.db.Rebind(
		"SELECT "+attemptColumns+" FROM generation_attempt WHERE task_id = ? ORDER BY number"), id)
	return attempts, err
}

// Results returns all pictures of the task, those of the first attempt first.
// Late ones of a cancelled or repeated call are among them, and before all others
// those that an app has added by itself.
func (s *Store) Results(ctx context.Context, id int64) ([]task.Result, error) {
	results := []task.Result{}
	err := s.selectAll(ctx, &results, s.db.Rebind(
		"SELECT "+resultColumns+" FROM generation_result WHERE task_id = ? ORDER BY attempt_id, position, id"), id)
	return results, err
}

// ResultsOf is Results for many tasks in one query, by their ids.
func (s *Store) ResultsOf(ctx context.Context, ids []int64) (map[int64][]task.Result, error) {
	all := make(map[int64][]task.Result)
	if len(ids) == 0 {
		return all, nil
	}
	var results []task.Result
	err := s.selectIn(ctx, &results, "SELECT "+resultColumns+" FROM generation_result WHERE task_id IN (?) ORDER BY task_id, attempt_id, position, id", ids)
	for _, r := range results {
		all[r.TaskID] = append(all[r.TaskID], r)
	}
	return all, err
}

// kindIs is why a task failed, by its row and its journal.
const kindIs = "(CASE WHEN " + hiddenUnknown + " THEN 'outcome_unknown' ELSE error_kind END)"

func (f Filter) where() (string, []any, error) {
	conditions := []string{"deleted_at IS NULL"}
	var args []any
	add := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	if len(f.IDs) > 0 {
		add("id IN (?)", f.IDs)
	}
	if len(f.Statuses) > 0 {
		add("status IN (?)", f.Statuses)
	}
	if len(f.Kinds) > 0 {
		add(kindIs+" IN (?)", f.Kinds)
	}
	if f.Provider != "" {
		add("provider = ?", f.Provider)
	}
	if f.UserID != nil {
		add("user_id = ?", *f.UserID)
	}
	if f.Ours {
		add("NOT " + ownedByApp)
	}
	if !f.Since.IsZero() {
		add("created_at >= ?", utc(&f.Since))
	}
	if !f.Until.IsZero() {
		add("created_at < ?", utc(&f.Until))
	}
	if f.Before > 0 {
		add("id < ?", f.Before)
	}
	return sqlx.In(strings.Join(conditions, " AND "), args...)
}

// scanOne reads the single row of a query made on a caller's transaction.
func (s *Store) scanOne(rows *sql.Rows, into any) error {
	r := &sqlx.Rows{Rows: rows, Mapper: s.db.Mapper}
	if !r.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return fmt.Errorf("a row that was just written cannot be read: %w", sql.ErrNoRows)
	}
	return r.StructScan(into)
}
