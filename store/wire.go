package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
)

// lib/pq ends a statement whose context has ended by asking the server to cancel it, and then
// waits for what the server says. One that says nothing (it is frozen, or a network swallows
// what it sends) keeps the caller for ever. So each connection is cut a moment after the context
// of what runs on it has ended.

const (
	cutAfter     = 2 * time.Second  // in which a server that lives obeys a cancel
	connectLimit = 30 * time.Second // of a connection that is made, whatever its context says
	unackedLimit = 30 * time.Second // for what was sent to be taken by the other machine, if the system can be told
	cancelLimit  = 10 * time.Second // of the connection on which lib/pq asks the server to cancel a statement
)

// alive finds a peer out that is gone without a word, while nothing is sent to it.
var alive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// openPostgres is sql.Open for connections that end with their contexts.
func openPostgres(dsn string) (*sql.DB, error) {
	c, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	c.Dialer(dialer{})
	return sql.OpenDB(connector{c}), nil
}

type connector struct{ *pq.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	w := new(wire)
	stop := context.AfterFunc(limited, w.cut)
	inner, err := c.Connector.Connect(context.WithValue(limited, wireKey{}, w))
	if !stop() && err == nil {
		inner.Close()
		err = limited.Err()
	}
	switch ours, ok := inner.(pqConn); {
	case err != nil && limited.Err() != nil:
		return nil, fmt.Errorf("the server does not answer: %w", limited.Err())
	case err != nil:
		return nil, err
	case ok:
		return &conn{ours, w}, nil
	}
	return inner, nil
}

// wireKey names, in the context of a Connect, the wire that is to hold what is dialled.
type wireKey struct{}

// dialer tells lib/pq's connections from those on which it asks for a cancel.
type dialer struct{}

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d dialer) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{KeepAliveConfig: alive, Control: impatientSocket}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if w, ok := ctx.Value(wireKey{}).(*wire); ok {
		w.hold(c)
		return c, nil
	}
	return c, c.SetDeadline(time.Now().Add(cancelLimit))
}

// wire is what a connection goes over.
type wire struct {
	mu   sync.Mutex
	conn net.Conn
	gone bool
}

func (w *wire) hold(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn = c; w.gone {
		_ = c.SetDeadline(time.Unix(1, 0))
	}
}

// cut ends all that is read from it or written to it, now and later. lib/pq does not use it again.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone = true; w.conn != nil {
		_ = w.conn.SetDeadline(time.Unix(1, 0))
	}
}

// why is err, or why the wire was cut.
func (w *wire) why(ctx context.Context, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || !w.gone || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("the server does not answer: %w", ctx.Err())
}

// follow cuts the wire a moment after ctx has ended, unless it is let go before.
func (w *wire) follow(ctx context.Context) (letGo func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(cutAfter)
		defer timer.Stop()
		select {
		case <-over:
		case <-timer.C:
			w.cut()
		}
	})
	return sync.OnceFunc(func() { close(over); stop() })
}

// pqConn is what database/sql uses of a connection of lib/pq's.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	pqConn
	wire *wire
}

func (c *conn) Ping(ctx context.Context) error {
	defer c.wire.follow(ctx)()
	return c.wire.why(ctx, c.pqConn.Ping(ctx))
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	defer c.wire.follow(ctx)()
	stmt, err := c.pqConn.PrepareContext(ctx, query)
	return stmt, c.wire.why(ctx, err)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.wire.follow(ctx)()
	result, err := c.pqConn.ExecContext(ctx, query, args)
	return result, c.wire.why(ctx, err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	letGo := c.wire.follow(ctx)
	inner, err := c.pqConn.QueryContext(ctx, query, args)
	if rows, ok := inner.(pqRows); ok && err == nil {
		return &followedRows{rows, letGo}, nil
	}
	letGo()
	return inner, c.wire.why(ctx, err)
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	letGo := c.wire.follow(ctx)
	inner, err := c.pqConn.BeginTx(ctx, opts)
	if err != nil {
		letGo()
		return nil, c.wire.why(ctx, err)
	}
	return &followedTx{inner, letGo}, nil
}

// pqRows is what database/sql uses of rows of lib/pq's.
type pqRows interface {
	driver.Rows
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

type followedRows struct {
	pqRows
	letGo func()
}

func (r *followedRows) Close() error {
	defer r.letGo()
	return r.pqRows.Close()
}

type followedTx struct {
	driver.Tx
	letGo func()
}

func (t *followedTx) Commit() error {
	defer t.letGo()
	return t.Tx.Commit()
}

func (t *followedTx) Rollback() error {
	defer t.letGo()
	return t.Tx.Rollback()
}
