package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/pause"
)

// Listen calls woken whenever a task was committed that its producer does not
// publish, and after each reconnect, since what was sent meanwhile is lost. It
// blocks until ctx ends. A database that cannot notify never calls it, nor one
// behind a pooler whose direct address is not known. Nothing may depend on the
// calls but speed.
func (s *Store) Listen(ctx context.Context, woken func()) error {
	if !s.canListen(ctx) {
		<-ctx.Done()
		return nil
	}
	l := pq.NewListener(s.direct, 100*time.Millisecond, 5*time.Second, nil)
	defer l.Close()
	// Listen waits for a connection as long as it takes, and only Close ends that.
	defer context.AfterFunc(ctx, func() { l.Close() })()
	if err := l.Listen("easel_ring"); err != nil && ctx.Err() == nil {
		return Redact(err)
	}
	alive := time.NewTicker(30 * time.Second) // a dead connection is silent
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.Notify: // nil after a reconnect
			woken()
		case <-alive.C:
			go l.Ping()
		}
	}
}

// canListen waits until the database says what stands before it. Behind a pooler
// that gives servers to transactions nothing would come, and somebody else would
// be woken.
func (s *Store) canListen(ctx context.Context) bool {
	if !s.dialect.notifies || s.direct == "" {
		return false
	}
	for {
		pooler, err := poolerAt(ctx, s.direct)
		if err == nil {
			return pooler != TransactionPooler
		}
		if pause.For(ctx, time.Second) != nil {
			return false
		}
	}
}
