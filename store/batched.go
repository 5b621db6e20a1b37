package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Batched is a Store that writes together what the steps of a process ask for at the same time: each
// kind of call of a journal gathers by itself, and is a flush of some statements, however many
// ask (see gatherer). It promises what a Store does, to each caller. What a flush does not write is
// written as the Store does it, in its caller's own time: what is not the caller's any more, what the
// database refuses, and what somebody has locked, so that it keeps nobody else waiting.
type Batched struct {
	*Store
	claims   gatherer[claimed, *taken]
	begins   gatherer[task.Attempt, begun]
	records  gatherer[Fact, bool]
	finishes gatherer[Ending, finished]
	releases gatherer[released, struct{}]
}

// flushLimits keep a flush short: of most calls hundreds are as quick as one.
var flushLimits = limits{rows: 256, bytes: 4 << 20, time: 30 * time.Second}

const (
	bytesOfRow = 512       // about what a row takes beside what may be large in it
	bytesAlone = 256 << 10 // of a call that others need not wait for
)

// about is what a gatherer knows of a call.
type about struct {
	task  int64
	bytes int
	rare  bool // there is no statement of it for many rows
}

// NewBatched returns a Batched over s. It starts nothing, and what it starts ends when its calls
// have.
func NewBatched(s *Store) *Batched {
	b, left := &Batched{Store: s}, new(leftCalls)
	b.claims = gathering(s, left, s.claimMany, s.claimEach, func(c claimed) about { return about{task: c.ref.Task} })
	b.begins = gathering(s, left, s.beginMany, s.beginEach, func(a task.Attempt) about { return about{task: a.TaskID, bytes: len(a.Endpoint)} })
	b.records = gathering(s, left, s.recordMany, s.recordEach, aboutFact)
	b.finishes = gathering(s, left, s.finishMany, s.finishEach, aboutEnding)
	b.releases = gathering(s, left, s.releaseMany, s.releaseEach, func(r released) about { return about{task: r.held.Task, bytes: len(r.reason)} })
	return b
}

// gathering is a gatherer for s, by statements for many rows where the dialect has such, and
// else by one transaction around those of each.
func gathering[V, R any](s *Store, left *leftCalls, many func(context.Context, []V) ([]outcome[R], error),
	each func(context.Context, sqlx.ExtContext, V) (R, error), know func(V) about) gatherer[V, R] {
	write := many
	if !s.dialect.manyRows {
		write = func(ctx context.Context, values []V) ([]outcome[R], error) { return oneByOne(ctx, s, values, each) }
	}
	return gatherer[V, R]{write: write, limits: flushLimits, left: left,
		poisoned: func(err error) bool {
			return errors.Is(err, errLeftOut) || s.dialect.isAnswer(err) && !s.dialect.isConflict(err)
		},
		task:  func(v V) int64 { return know(v).task },
		size:  func(v V) int { return know(v).bytes + bytesOfRow },
		alone: func(v V) bool { return know(v).bytes > bytesAlone || know(v).rare && s.dialect.manyRows }}
}

// errLeftOut is what should not happen: a statement has left out a row that was locked for it.
var errLeftOut = errors.New("a row was left out that was locked before")

// gatheredOr writes v together with others, or alone if a flush does not write it.
func gatheredOr[V, R any](ctx context.Context, g *gatherer[V, R], v V, alone func() (R, error)) (R, error) {
	var none R
	if err := g.left.await(ctx, g.task(v)); err != nil {
		return none, err
	}
	r, err := g.do(ctx, v)
	if err == errAlone {
		return alone()
	}
	return r, err
}

// oneByOne writes values in one transaction, each between savepoints, so that one that fails is
// undone alone.
func oneByOne[V, R any](ctx context.Context, s *Store, values []V, write func(context.Context, sqlx.ExtContext, V) (R, error)) ([]outcome[R], error) {
	all := make([]outcome[R], len(values))
	err := s.in(ctx, func(tx *sqlx.Tx) error {
		for i, v := range values {
			if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
				return err
			}
			r, err := write(ctx, tx, v)
			if ctx.Err() != nil || s.dialect.isConflict(err) {
				return errors.Join(err, ctx.Err())
			}
			after := "RELEASE one"
			if err != nil {
				after = "ROLLBACK TO one; RELEASE one"
			}
			if _, err := tx.ExecContext(ctx, after); err != nil {
				return err
			}
			all[i] = outcome[R]{r, s.refusable(err)}
		}
		return nil
	})
	return all, err
}

// Claim is Store.Claim.
func (b *Batched) Claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (*Claim, *Refusal, error) {
	var refusal *Refusal
	var claim *Claim
	found, err := gatheredOr(ctx, &b.claims, claimed{ref, worker, lease}, func() (_ *taken, err error) {
		claim, refusal, err = b.Store.Claim(ctx, ref, worker, lease)
		return nil, err
	})
	if err == nil && found != nil {
		claim, err = b.whole(ctx, found)
	}
	return claim, refusal, err
}

// Begin is Store.Begin.
func (b *Batched) Begin(ctx context.Context, a task.Attempt) (task.Attempt, error) {
	got, err := gatheredOr(ctx, &b.begins, a, func() (begun, error) {
		one, err := b.Store.Begin(ctx, a)
		return begun{ID: one.ID, Number: one.Number, SentAt: one.SentAt}, err
	})
	if err == nil {
		a.ID, a.Number, a.SentAt = got.ID, got.Number, got.SentAt
	}
	return a, err
}

// Record is Store.Record.
func (b *Batched) Record(ctx context.Context, f Fact) (bool, error) {
	return gatheredOr(ctx, &b.records, f, func() (bool, error) { return b.Store.Record(ctx, f) })
}

// Finish is Store.Finish.
func (b *Batched) Finish(ctx context.Context, e Ending) (bool, error) {
	var completed bool
	did, err := gatheredOr(ctx, &b.finishes, e, func() (_ finished, err error) {
		completed, err = b.Store.Finish(ctx, e)
		return finished{}, err
	})
	if err == nil {
		err = did.err()
	}
	return err == nil && (completed || did.completed), err
}

// Release is Store.Release.
func (b *Batched) Release(ctx context.Context, held task.Token, after time.Duration, reason string) error {
	_, err := gatheredOr(ctx, &b.releases, released{held, after, reason}, func() (struct{}, error) {
		return struct{}{}, b.Store.Release(ctx, held, after, reason)
	})
	return err
}

// claimed and released are the arguments of calls.
type claimed struct {
	ref    task.Ref
	worker string
	lease  time.Duration
}

type released struct {
	held   task.Token
	after  time.Duration
	reason string
}

func (s *Store) claimEach(ctx context.Context, q sqlx.ExtContext, c claimed) (*taken, error) {
	t, err := s.take(ctx, q, c.ref, c.worker, c.lease)
	if errors.Is(err, sql.ErrNoRows) {
		err = errAlone // that says why not
	}
	return t, err
}

func (s *Store) beginEach(ctx context.Context, q sqlx.ExtContext, a task.Attempt) (begun, error) {
	err := s.begin(ctx, q, &a)
	return begun{ID: a.ID, Number: a.Number, SentAt: a.SentAt}, err
}

func (s *Store) recordEach(ctx context.Context, q sqlx.ExtContext, f Fact) (bool, error) {
	return f.record(ctx, s, q)
}

func (s *Store) finishEach(ctx context.Context, q sqlx.ExtContext, e Ending) (finished, error) {
	return e.finish(ctx, s, q)
}

func (s *Store) releaseEach(ctx context.Context, q sqlx.ExtContext, r released) (struct{}, error) {
	return struct{}{}, s.release(ctx, q, r.held, r.after, r.reason)
}
