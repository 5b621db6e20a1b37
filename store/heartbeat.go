package store

import (
	"context"
	"database/sql"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/migrations"
)

// Heartbeat says that one worker lives, over a connection that nobody else uses
// and that stays open: no statement of a handler stands before it, and a server
// that takes no more connections does not end it. It is not safe for concurrent use.
type Heartbeat struct {
	store *Store
	pool  *sql.DB
	own   bool      // pool is nobody else's
	conn  *sql.Conn // nil until it is needed, and after it broke
}

// Heartbeat returns one that waits for an answer of the database no longer than
// limit. It connects with the first beat, and again by itself after a connection
// is lost; past a connection pooler, if the store has a direct address. Of a pool
// that was handed in it keeps one connection.
func (s *Store) Heartbeat(limit time.Duration) (*Heartbeat, error) {
	h := &Heartbeat{store: s, pool: s.db.DB}
	if s.address == "" {
		return h, nil
	}
	pool, err := s.beatPool(limit)
	if err != nil {
		return nil, Redact(err)
	}
	pool.SetMaxOpenConns(1)
	h.pool, h.own = pool, true
	return h, nil
}

func (s *Store) beatPool(limit time.Duration) (*sql.DB, error) {
	if s.dialect.name == migrations.SQLite {
		// Its one writer has to be waited for, outside of any context.
		return sql.Open(s.dialect.driver, strings.Replace(s.address, url.QueryEscape(sqliteWait), url.QueryEscape(sqliteBeatWait), 1))
	}
	c, err := pq.NewConnector(s.direct)
	if err != nil {
		return nil, err
	}
	c.Dialer(impatient{limit})
	return sql.OpenDB(c), nil
}

// Beat is Store.Beat over the heartbeat's own connection. A connection that was
// lost since the last beat is replaced at once.
func (h *Heartbeat) Beat(ctx context.Context, w Worker, lease time.Duration) error {
	return h.again(ctx, func(c *sql.Conn) error { return h.store.beat(ctx, c, w, lease) })
}

// Leave is Store.Leave over the heartbeat's own connection, which is replaced as for Beat:
// a process that stood still for long finds it cut.
func (h *Heartbeat) Leave(ctx context.Context, id string) error {
	return h.again(ctx, func(c *sql.Conn) error { return h.store.leave(ctx, c, id) })
}

// again is on, and once more if the connection had been kept and was lost.
func (h *Heartbeat) again(ctx context.Context, f func(*sql.Conn) error) error {
	kept := h.conn != nil
	err := h.on(ctx, f)
	if err != nil && kept && h.conn == nil && ctx.Err() == nil {
		err = h.on(ctx, f)
	}
	return err
}

// Close ends the connection.
func (h *Heartbeat) Close() error {
	h.drop()
	if h.own {
		return h.pool.Close()
	}
	return nil
}

// on lends the connection to f. It is given up after an error that the database
// did not say itself: then the connection, and not the statement, is at fault.
func (h *Heartbeat) on(ctx context.Context, f func(*sql.Conn) error) error {
	if h.conn == nil {
		c, err := h.pool.Conn(ctx)
		if err != nil {
			return Redact(err)
		}
		h.conn = c
	}
	err := f(h.conn)
	if err != nil && !h.store.dialect.isAnswer(err) {
		h.drop()
	}
	return err
}

func (h *Heartbeat) drop() {
	if h.conn != nil {
		_ = h.conn.Close() // a broken one is gone already
		h.conn = nil
	}
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
