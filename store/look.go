package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Looked is a task and its calls as a person finds them who is about to say a word of them.
type Looked struct {
	Task     *task.Task     // without its parameters
	Attempts []task.Attempt // the first one first, without Answer and RawFiles
	Next     task.RetryStep // what a retry begins with
	At       time.Time      // by the database's clock, as all times of the rows
}

// Look reads a task for a person's word. The task comes before its calls: one that is made in
// between makes its fence grow, and the word is refused. ErrNotFound if there is no such task,
// and a Locked if it could not be read within five seconds.
func (s *Store) Look(ctx context.Context, id int64) (*Looked, error) {
	var l Looked
	err := s.forPerson(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		if l.Task, err = s.row(ctx, tx, id); err != nil {
			return err
		}
		h, err := s.history(ctx, tx, id)
		if err != nil {
			return err
		}
		l.Attempts, l.Next = h.Attempts, h.AfterRetry()
		l.At, err = s.dialect.clock(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &l, nil
}

// row returns the task without its parameters, or ErrNotFound.
func (s *Store) row(ctx context.Context, q sqlx.QueryerContext, id int64) (*task.Task, error) {
	var t task.Task
	err := sqlx.GetContext(ctx, q, &t, s.db.Rebind("SELECT "+taskColumns+" FROM image_generations WHERE id = ?"), id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// rowForPerson is row for a word that was refused: a Locked if it could not be read within
// five seconds.
func (s *Store) rowForPerson(ctx context.Context, id int64) (t *task.Task, err error) {
	err = s.forPerson(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		t, err = s.row(ctx, tx, id)
		return err
	})
	return t, err
}
