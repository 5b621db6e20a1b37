package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// Workers go on while tables change. A change that waits for a table makes
// everybody who comes after it wait as well, so it waits briefly and comes again.
const (
	lockTimeout = 2 * time.Second
	lockTries   = 15
	lockPause   = 2 * time.Second // in which those who had to wait get their turn
)

// LockID is the advisory lock of who changes tables of Postgres: that of goose.
const LockID = lock.DefaultLockID

// polite is a session locker that bounds, for what is done under its lock, how
// long a statement may wait for a table.
type polite struct{ lock.SessionLocker }

func (p polite) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if err := p.SessionLocker.SessionLock(ctx, conn); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, fmt.Sprintf("SET lock_timeout = %d", lockTimeout.Milliseconds()))
	return err
}

func (p polite) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "RESET lock_timeout")
	return errors.Join(err, p.SessionLocker.SessionUnlock(ctx, conn))
}

// patiently repeats a change that did not get its table, at most tries times.
func patiently(ctx context.Context, tries int, change func() error) error {
	for {
		err := change()
		if !lockedOut(err) {
			return err
		}
		if tries--; tries <= 0 {
			return fmt.Errorf("%w; somebody holds a table that has to change for longer than this waits. Nothing is half done: "+
				"look in pg_stat_activity for the oldest xact_start, end that transaction, and run it again", err)
		}
		timer := time.NewTimer(lockPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// lockedOut recognises PostgreSQL's lock_not_available.
func lockedOut(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && coded.SQLState() == "55P03"
}

// folder is the migrations of a dialect.
func folder(d Dialect) (fs.FS, error) { return fs.Sub(files, string(d)) }
