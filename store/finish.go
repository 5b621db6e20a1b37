package store

import (
	"context"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Ending is one of the ways in which a worker is done with a task, which Finish writes in one
// transaction with what its last call has come to.
type Ending interface {
	finish(ctx context.Context, s *Store, tx sqlx.ExtContext) (finished, error)
}

// finished is what came of an Ending that was written.
type finished struct {
	completed bool // the task is completed by it
	fenced    bool // the task was not ours any more; what is about the call alone is written
	drawn     bool // the task is to be completed instead; what is about the call alone is written
}

// ErrDrawn says that a task does not fail, since all its pictures have come meanwhile.
var ErrDrawn = errors.New("all pictures of the task are there")

// Finish writes an ending and reports whether the task is completed by it. An ErrFenced if
// the task is not the caller's any more, an ErrDrawn if it is to be completed instead: then at
// most the attempt is written.
func (s *Store) Finish(ctx context.Context, e Ending) (completed bool, err error) {
	var did finished
	err = s.in(ctx, func(tx *sqlx.Tx) (err error) {
		did, err = e.finish(ctx, s, tx)
		return err
	})
	if err == nil {
		err = did.err()
	}
	return did.completed && err == nil, s.refusable(err)
}

// err is why the task did not end so, although something is written.
func (did finished) err() error {
	switch {
	case did.fenced:
		return ErrFenced
	case did.drawn:
		return ErrDrawn
	}
	return nil
}

// Completed says: the pictures are in storage. Without an attempt the task is completed with
// pictures that its calls have brought before, of which Completion.First is one. If the task is
// not the holder's any more nothing is written, and CameLate is the way to keep what was bought.
type Completed struct {
	Held       task.Token
	Attempt    *task.Attempt
	Completion Completion
}

func (e Completed) finish(ctx context.Context, s *Store, tx sqlx.ExtContext) (finished, error) {
	if e.Completion.first() == nil || e.Attempt != nil && len(e.Completion.Results) == 0 {
		return finished{}, errors.New("a task is not completed without a picture")
	}
	if e.Attempt != nil {
		if err := s.hold(ctx, tx, e.Held); err != nil { // the row of the task before those of its calls
			return finished{}, err
		}
		if err := s.saveResults(ctx, tx, e.Attempt, e.Completion.Results); err != nil {
			return finished{}, err
		}
	}
	err := s.fenced(tx.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+completes+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
		append(e.Completion.completing(e.Attempt), e.Held.Task, e.Held.Fence)...))
	return finished{completed: true}, err
}

// Decided says: the task fails, or waits for another try, as task.Fail has decided. Attempt is the
// call that ended with it, or nil; its end is written also if the task is not the holder's
// any more.
type Decided struct {
	Held        task.Token
	Decision    task.Decision
	Attempt     *task.Attempt
	UnlessDrawn bool // with an ErrDrawn the task does not fail of which all pictures are there by now
}

func (e Decided) finish(ctx context.Context, s *Store, tx sqlx.ExtContext) (finished, error) {
	d := e.Decision
	if e.UnlessDrawn && d.Status == task.Failed {
		switch all, err := s.allDrawn(ctx, tx, e.Held); {
		case err != nil:
			return finished{}, err
		case all:
			did, err := s.endedWith(ctx, tx, e.Held, e.Attempt, nil)
			did.drawn = true
			return did, err
		}
	}
	err := s.fenced(tx.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+s.decides()+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
		append(deciding(d), e.Held.Task, e.Held.Fence)...))
	did, err := s.endedWith(ctx, tx, e.Held, e.Attempt, err)
	if err != nil || !did.fenced && d.Failure.Kind != task.OutcomeUnknown {
		return did, err
	}
	return did, s.reconsider(ctx, tx, e.Held.Task) // somebody may have learnt more meanwhile
}

// allDrawn reports whether all pictures of a task are there, for its holder, who locks it.
func (s *Store) allDrawn(ctx context.Context, tx sqlx.ExtContext, held task.Token) (all bool, err error) {
	if err := s.lock(ctx, tx, held.Task); err != nil {
		return false, err
	}
	err = sqlx.GetContext(ctx, tx, &all, s.db.Rebind("SELECT EXISTS (SELECT 1 FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing' AND "+drawn+")"), held.Task, held.Fence)
	return all, err
}

// decides are the columns of a task that fails or waits; their arguments are those of deciding.
func (s *Store) decides() string {
	return `status = ?, run_at = ` + s.dialect.later + `, attempt = ?, waits = ?,
				` + blamed + `, worker = NULL, lease_until = NULL, updated_at = now(),
				completed_at = CASE WHEN ? THEN now() END, ` + costs
}

func deciding(d task.Decision) []any {
	return slices.Concat([]any{d.Status, d.Delay.Milliseconds(), d.FailedTries, d.Waits}, blame(d.Failure.RowError()), []any{d.Status.Final()})
}

// endedWith ends the attempt with its task, whose update has ended with err.
func (s *Store) endedWith(ctx context.Context, tx sqlx.ExtContext, held task.Token, a *task.Attempt, err error) (finished, error) {
	did := finished{fenced: err == ErrFenced}
	if did.fenced {
		err = s.lock(ctx, tx, held.Task)
	}
	if err != nil || a == nil {
		return did, err
	}
	return did, s.endOf(ctx, tx, held.Task, a, did.fenced)
}

// Switched says: the task goes to another provider, after a call that certainly was not carried
// out. It is published again, in that one's queue, with full budgets. Attempt is the call
// that ended with it, or nil; its end is written also if the task is not the holder's any more.
type Switched struct {
	Held    task.Token
	To      task.Fallback
	Rest    string // what the task names after that
	Reason  string
	Attempt *task.Attempt
}

func (e Switched) finish(ctx context.Context, s *Store, tx sqlx.ExtContext) (finished, error) {
	err := s.fenced(tx.ExecContext(ctx, s.db.Rebind(`
			UPDATE image_generations SET provider = ?, model = ?, fallbacks = ?, status = 'pending', run_at = now(), published_at = NULL,
				attempt = 0, waits = 0, crashes = 0, worker = NULL, lease_until = NULL, error_msg = ?, `+noFailure+`, updated_at = now(), `+costs+`
			WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
		e.To.Provider, null(e.To.Model), null(e.Rest), null(e.Reason), e.Held.Task, e.Held.Fence))
	return s.endedWith(ctx, tx, e.Held, e.Attempt, err)
}

// CameLate says: pictures came after the task was taken away; they were paid for. A task that was
// held because nobody knew the outcome of its calls, or that has failed by a later one, is completed by
// them if they are all; of every other one only the cost, and a reason that is not true any more, are corrected.
type CameLate struct {
	Attempt    task.Attempt
	Completion Completion
}

func (e CameLate) finish(ctx context.Context, s *Store, tx sqlx.ExtContext) (finished, error) {
	id := e.Attempt.TaskID
	if err := s.lock(ctx, tx, id); err != nil {
		return finished{}, err
	}
	if err := s.saveResults(ctx, tx, &e.Attempt, e.Completion.Results); err != nil {
		return finished{}, err
	}
	completed, err := s.completeFound(ctx, tx, &e.Attempt, e.Completion)
	if err != nil || completed {
		return finished{completed: completed}, err
	}
	if err := s.cameAfterAll(ctx, tx, &e.Attempt); err != nil {
		return finished{}, err
	}
	return finished{}, s.reconsider(ctx, tx, id)
}
