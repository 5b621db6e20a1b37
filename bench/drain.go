//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

const (
	drainLimit = 10 * time.Minute
	lookEvery  = 10 * time.Millisecond
)

// drain lets one worker complete tasks that wait. It counts from when a tenth of them is done:
// before that the worker and its connections come up.
func (m *measurement) drain(ctx context.Context) (err error) {
	for left := m.Tasks; left > 0; left -= 500 {
		if _, err := m.Enqueue(ctx, min(left, 500)); err != nil {
			return err
		}
	}
	db, err := sqlx.ConnectContext(ctx, "postgres", m.at.Postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := m.admin.ExecContext(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	profile, err := m.beginProfile(ctx)
	if err != nil {
		return err
	}
	w, err := m.hire(orders{Profile: profileName(m.Profile, m.name)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.dismiss()) }()

	first, err := m.until(ctx, db, w, m.Tasks/10)
	if err != nil {
		return err
	}
	last, err := m.until(ctx, db, w, m.Tasks)
	if err != nil {
		return err
	}
	if err := profile.end(ctx); err != nil {
		return err
	}
	m.compare(first, last)
	m.note("worker_mib", highest(w.pid()))
	m.note("postgres_mib", shares(m.postgres.Pid()))
	m.note("redis_mib", resident(m.redis.Pid()))
	return m.check(ctx, db)
}

// mark is how far a drain is, and what it has taken.
type mark struct {
	at                      time.Time
	done                    int
	worker, postgres, redis time.Duration
}

// until returns when n results are there. The last of them may be about to be committed.
func (m *measurement) until(ctx context.Context, db *sqlx.DB, w *worker, n int) (mark, error) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		var k mark
		// The last number that was given away: to count the rows would cost more than the work.
		if err := db.GetContext(ctx, &k.done, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "+m.Results()); err != nil {
			return k, fmt.Errorf("%w; %d of %d are done", err, k.done, n)
		}
		if k.done >= n {
			return m.marked(k, w)
		}
		select {
		case err := <-w.ended:
			return k, fmt.Errorf("the worker has ended: %w: %s", err, w.fault.String())
		case <-look.C:
		}
	}
}

func (m *measurement) marked(k mark, w *worker) (mark, error) {
	var errs [3]error
	k.at = time.Now()
	k.worker, errs[0] = spent(w.pid())
	k.postgres, errs[1] = spentByAll(m.postgres.Pid())
	k.redis, errs[2] = spent(m.redis.Pid())
	return k, errors.Join(errs[:]...)
}

// compare notes the rate between two marks, and what a task has taken, in milliseconds.
func (m *measurement) compare(a, b mark) {
	tasks := float64(b.done - a.done)
	each := func(a, b time.Duration) float64 { return (b - a).Seconds() * 1000 / tasks }
	m.note("drain", tasks/b.at.Sub(a.at).Seconds())
	m.note("worker_ms", each(a.worker, b.worker))
	m.note("postgres_ms", each(a.postgres, b.postgres))
	m.note("redis_ms", each(a.redis, b.redis))
	m.note("all_ms", each(a.worker+a.postgres+a.redis, b.worker+b.postgres+b.redis))
}

// check makes sure that the work was done.
func (m *measurement) check(ctx context.Context, db *sqlx.DB) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		var n int
		if err := db.GetContext(ctx, &n, m.Completed()); err != nil {
			return fmt.Errorf("%d of %d tasks are completed: %w", n, m.Tasks, err)
		}
		if n == m.Tasks {
			return nil
		}
		<-look.C
	}
}
