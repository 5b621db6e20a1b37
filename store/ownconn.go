package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/migrations"
)

// ownConn is a connection that stays open and that nobody else uses, for what must not
// stand in line.
type ownConn struct {
	store *Store
	limit time.Duration // of waiting for an answer
	pool  *sql.DB
	ours  bool      // pool is nobody else's
	conn  *sql.Conn // nil until it is needed, and after it broke
}

func (s *Store) ownConn(limit time.Duration) (ownConn, error) {
	own := ownConn{store: s, limit: limit, pool: s.db.DB}
	if s.address == "" {
		return own, nil
	}
	pool, err := s.impatientPool(limit)
	if err != nil {
		return ownConn{}, Redact(err)
	}
	pool.SetMaxOpenConns(1)
	own.pool, own.ours = pool, true
	return own, nil
}

func (s *Store) impatientPool(limit time.Duration) (*sql.DB, error) {
	if s.dialect.name == migrations.SQLite {
		// Its one writer has to be waited for, outside of any context.
		return openSQLite(strings.Replace(s.address, url.QueryEscape(sqliteWait), url.QueryEscape(sqliteBeatWait), 1))
	}
	c, err := pq.NewConnector(s.direct)
	if err != nil {
		return nil, err
	}
	c.Dialer(impatient{limit})
	return sql.OpenDB(c), nil
}

// again is on, and once more if the connection had been kept and was lost.
func (o *ownConn) again(ctx context.Context, f func(*sql.Conn) error) error {
	ownedByApp := o.conn != nil
	err := o.on(ctx, f)
	if err != nil && ownedByApp && o.conn == nil && ctx.Err() == nil {
		err = o.on(ctx, f)
	}
	return err
}

// on lends the connection to f. It is given up after an error that the database
// did not say itself: then the connection, and not the statement, is at fault.
func (o *ownConn) on(ctx context.Context, f func(*sql.Conn) error) error {
	if o.conn == nil {
		c, err := o.pool.Conn(ctx)
		if err != nil {
			return Redact(err)
		}
		o.conn = c
	}
	err := f(o.conn)
	if err != nil && !o.store.dialect.isAnswer(err) {
		// Else a pool of one would lend the same again, to a server that takes no writes any more.
		_ = o.conn.Raw(func(any) error { return driver.ErrBadConn })
		o.drop()
	}
	if !o.keeps() {
		o.drop()
	}
	return err
}

// keeps reports whether the connection may be kept: all others would wait for the only
// one of a pool that was handed in.
func (o *ownConn) keeps() bool { return o.ours || o.pool.Stats().MaxOpenConnections != 1 }

func (o *ownConn) drop() {
	if o.conn != nil {
		_ = o.conn.Close() // a broken one is gone already
		o.conn = nil
	}
}

func (o *ownConn) close() error {
	o.drop()
	if o.ours {
		return o.pool.Close()
	}
	return nil
}

// impatient is a pq.Dialer whose connections give up on a server, or a network,
// that is silent for as long: lib/pq goes on reading whatever its context says.
type impatient struct{ limit time.Duration }

func (d impatient) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, d.limit)
}

func (d impatient) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, min(timeout, d.limit))
	return impatientConn{c, d.limit}, err
}

func (d impatient) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: d.limit}).DialContext(ctx, network, address)
	return impatientConn{c, d.limit}, err
}

type impatientConn struct {
	net.Conn
	limit time.Duration
}

func (c impatientConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c impatientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
