package simulation

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
)

func (d *database) exec(query string, args []driver.NamedValue) (driver.Result, error) {
	if strings.Contains(query, ";") { // a migration
		return d.real.(driver.ExecerContext).ExecContext(context.Background(), query, args)
	}
	s, err := d.prepared(d.dated(query))
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtExecContext).ExecContext(context.Background(), args)
}

// query reads all rows, so that no cursor outlives the turn.
func (d *database) query(query string, args []driver.NamedValue) (*rows, error) {
	s, err := d.prepared(d.dated(query))
	if err != nil {
		return nil, err
	}
	from, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	r := &rows{columns: from.Columns()}
	for {
		row := make([]driver.Value, len(r.columns))
		err := from.Next(row)
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return nil, err
		}
		r.all = append(r.all, row)
	}
}

// dated is the query as the database's clock has it.
func (d *database) dated(query string) string {
	if d.ahead == 0 {
		return query
	}
	ms := fmt.Sprint(d.ahead.Milliseconds())
	return strings.NewReplacer("now()", "later("+ms+")", "later(?)", "later(? + "+ms+")").Replace(query)
}

func (d *database) prepared(query string) (driver.Stmt, error) {
	if s, ok := d.kept[query]; ok {
		return s, nil
	}
	s, err := d.real.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err == nil && len(d.kept) < 500 {
		d.kept[query] = s
	}
	return s, err
}

// rows are rows in memory.
type rows struct {
	columns []string
	all     [][]driver.Value
	next    int
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(into []driver.Value) error {
	if r.next == len(r.all) {
		return io.EOF
	}
	copy(into, r.all[r.next])
	r.next++
	return nil
}

// sqlOps are the statements at which a fault can be placed, by what only they contain.
var sqlOps = []struct{ text, op string }{
	{"SET status = 'processing', fence", "claim"},
	{"INSERT INTO generation_attempt", "begin"},
	{"SET handle = ?, provider_request_id", "accept"},
	{"SET state = 'answered', answer", "answer"},
	{"SET answer = ?, kept", "answer"},
	{"SET status = 'completed'", "save"},
	{"SET status = ?, run_at", "fail"},
	{"SET status = 'pending', run_at", "release"},
	{"SET status = 'cancelled'", "cancel"},
	{"retried_at = now()", "retry"},
	{"INSERT INTO image_generations", "insert"},
	{"INSERT INTO easel_worker", "heartbeat"},
	{"SET published_at = now()", "published"},
}

func sqlOp(query string) string {
	for _, o := range sqlOps {
		if strings.Contains(query, o.text) {
			return o.op
		}
	}
	return "other sql"
}
