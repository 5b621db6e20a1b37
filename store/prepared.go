package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

// SQLite compiles each statement before it runs it, which takes it longer than to run most of ours. So
// each connection keeps the statements that it ran last, compiled. Once the schema has changed SQLite
// compiles them anew by itself.

const (
	keptStatements = 256
	keptLength     = 16 << 10 // bytes of a statement's text; what is longer is a script or holds values, and does not come again
)

// openSQLite is sql.Open for connections that keep their statements.
func openSQLite(dsn string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(keepingConnector{c}), nil
}

type keepingConnector struct{ driver.Connector }

func (c keepingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := inner.(sqliteConn)
	if !ok {
		inner.Close()
		return nil, fmt.Errorf("a connection of modernc.org/sqlite is a %T, which is not what easel knows", inner)
	}
	return &keepingConn{sqliteConn: conn, kept: make(map[string]*keptStatement)}, nil
}

// sqliteConn is what database/sql uses of a connection of modernc.org/sqlite's.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// keepingConn is a connection that keeps its statements. database/sql has one goroutine use it at a time.
type keepingConn struct {
	sqliteConn
	kept map[string]*keptStatement
	runs int64 // of statements so far
}

// keptStatement is compiled, and runs once at a time.
type keptStatement struct {
	driver.Stmt
	busy bool  // its rows are being read
	last int64 // the number of its last run on the connection
}

// statement returns the query compiled; nil if it is to be run without.
func (c *keepingConn) statement(ctx context.Context, query string) (*keptStatement, error) {
	s := c.kept[query]
	switch {
	case len(query) > keptLength || s != nil && s.busy:
		return nil, nil
	case s == nil:
		compiled, err := c.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		c.forget()
		s = &keptStatement{Stmt: compiled}
		c.kept[query] = s
	}
	c.runs++
	s.last = c.runs
	return s, nil
}

// forget lets the statement go that has not run for longest, if there is no room for another.
func (c *keepingConn) forget() {
	if len(c.kept) < keptStatements {
		return
	}
	oldest := ""
	for query, s := range c.kept {
		if !s.busy && (oldest == "" || s.last < c.kept[oldest].last) {
			oldest = query
		}
	}
	if s := c.kept[oldest]; s != nil {
		delete(c.kept, oldest)
		_ = s.Close() // an error is that of its last run, which was told then
	}
}

func (c *keepingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (c *keepingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{rows, s}, nil
}

// Close ends the statements before their connection.
func (c *keepingConn) Close() error {
	for query, s := range c.kept {
		delete(c.kept, query)
		_ = s.Close()
	}
	return c.sqliteConn.Close()
}

// keptRows are those of a kept statement, which may run again when they are closed.
type keptRows struct {
	driver.Rows
	of *keptStatement
}

func (r *keptRows) Close() error {
	err := r.Rows.Close()
	r.of.busy = false
	return err
}
