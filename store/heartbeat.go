package store

import (
	"context"
	"database/sql"
	"time"
)

// DefaultLease is how long a worker that is silent keeps its tasks. Workers and the
// reconciler must agree on it.
const DefaultLease = 9 * time.Second

// HeartbeatConn says that one worker lives, over a connection of its own: no statement of a
// handler stands before it, and a server that takes no more connections does not end it.
// It is not safe for concurrent use.
type HeartbeatConn struct{ own ownConn }

// OpenHeartbeat returns one that waits for an answer of the database no longer than
// limit. It connects with the first beat, and again by itself after a connection
// is lost; past a connection pooler, if the store has a direct address. Of a pool
// that was handed in it keeps one connection, unless that has no other.
func (s *Store) OpenHeartbeat(limit time.Duration) (*HeartbeatConn, error) {
	own, err := s.ownConn(limit)
	return &HeartbeatConn{own}, err
}

// Heartbeat is Store.Heartbeat over the heartbeat's own connection. A connection that was
// lost since the last beat is replaced at once.
func (h *HeartbeatConn) Heartbeat(ctx context.Context, w Worker, lease time.Duration) error {
	return h.own.again(ctx, func(c *sql.Conn) error { return h.own.store.heartbeat(ctx, c, w, lease) })
}

// Deregister is Store.Deregister over the heartbeat's own connection, which is replaced as for Heartbeat:
// a process that stood still for long finds it cut.
func (h *HeartbeatConn) Deregister(ctx context.Context, id string) error {
	return h.own.again(ctx, func(c *sql.Conn) error { return h.own.store.deregister(ctx, c, id) })
}

// Close ends the connection.
func (h *HeartbeatConn) Close() error { return h.own.close() }
