package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
)

// Statements of Postgres for the rows of many calls. Their rows come as one parameter of JSON and are
// the table w, whose columns are task, token (a fence), call (the id of an attempt), and v1, v2 and so on,
// which stand where the statement of one call has its parameters: both are made of the same text. What
// they update is locked before, in the order of tasks and by SKIP LOCKED, so that they wait for
// nobody: a row that is locked, or of which a condition does not hold, is left out, and they return
// those that they have written.

// row is one of w.
type row struct {
	task, token, call int64
	args              []any
}

// form is such a statement.
type form struct {
	types string // of v1, v2 and so on, joined by blanks
	locks string // what is locked of w; see heldTask and knownCall
	table string // that is updated
	sets  string
	gives string // beside the row's id as id; empty is nothing
}

// heldTask locks the task of w if its token holds it, and knownCall the attempt of w; a further
// condition begins with AND, and its parameters with v<n>.
func (s *Store) heldTask(and string, n int) string {
	return ` CROSS JOIN LATERAL (SELECT id FROM image_generations WHERE id = w.task AND fence = w.token AND status = 'processing'` +
		filled(and, n) + s.dialect.skipLocked + `) AS held`
}

func (s *Store) knownCall(and string, n int) string {
	return ` CROSS JOIN LATERAL (SELECT id FROM generation_attempt WHERE id = w.call` + filled(and, n) + s.dialect.skipLocked + `) AS known`
}

// withRows is w with what is locked of it, for a statement that follows.
func withRows(types, locks string) string {
	columns := "task bigint, token bigint, call bigint"
	for i, t := range strings.Fields(types) {
		columns += fmt.Sprintf(", v%d %s", i+1, t)
	}
	return "WITH w AS MATERIALIZED (SELECT w.* FROM json_to_recordset(CAST(? AS json)) AS w (" + columns + ")" + locks + ") "
}

// filled puts v<n>, v<n+1> and so on where a text has its parameters.
func filled(text string, n int) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "w.v%d", n+i-1)
		}
		b.WriteString(part)
	}
	return b.String()
}

// columnsOfRows are v1 to v<n>.
func columnsOfRows(n int) string {
	return filled(strings.TrimSuffix(strings.Repeat("?, ", n), ", "), 1)
}

// query is the text of f. The rows are found by their ids whatever statistics say.
func (f form) query() string {
	by := map[string]string{"image_generations": "task", "generation_attempt": "call"}[f.table]
	gives := f.table + ".id"
	if f.gives != "" {
		gives += ", " + f.gives
	}
	return withRows(f.types, f.locks) + "UPDATE " + f.table + " SET " + filled(f.sets, 1) + " FROM w WHERE " + f.table + ".id = w." + by +
		" AND " + f.table + ".id = ANY (ARRAY(SELECT " + by + " FROM w)) RETURNING " + gives
}

// many runs a statement over rows and reads what it returns into a slice.
func (s *Store) many(ctx context.Context, q sqlx.QueryerContext, into any, query string, rows []row) error {
	list, err := listOf(rows)
	if err != nil {
		return err
	}
	return sqlx.SelectContext(ctx, q, into, s.db.Rebind(query), list)
}

// update runs f and adds the ids of the rows that it has written to done.
func (s *Store) update(ctx context.Context, q sqlx.QueryerContext, f form, rows []row, done map[int64]bool) error {
	if len(rows) == 0 {
		return nil
	}
	var ids []int64
	err := s.many(ctx, q, &ids, f.query(), rows)
	for _, id := range ids {
		done[id] = true
	}
	return err
}

// listOf is a parameter that holds rows, in the order of their tasks and attempts.
func listOf(rows []row) (string, error) {
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.task, b.task), cmp.Compare(a.call, b.call)) })
	var b bytes.Buffer
	b.WriteByte('[')
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"task":%d,"token":%d,"call":%d`, r.task, r.token, r.call)
		for n, v := range r.args {
			text, err := json.Marshal(v)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, `,"v%d":%s`, n+1, text)
		}
		b.WriteByte('}')
	}
	b.WriteByte(']')
	return b.String(), nil
}

// autocommitted runs f, which is one statement, as a transaction by itself.
func (s *Store) autocommitted(ctx context.Context, f func(q sqlx.ExtContext) error) error {
	return s.patiently(ctx, func() error { return f(s.db) })
}

// transacted runs f in one transaction.
func (s *Store) transacted(ctx context.Context, f func(q sqlx.ExtContext) error) error {
	return s.in(ctx, func(tx *sqlx.Tx) error { return f(tx) })
}
