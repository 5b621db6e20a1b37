package store

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// aboutFact tells of a fact what a gatherer asks.
func aboutFact(f Fact) about {
	switch f := f.(type) {
	case Accepted:
		return about{task: f.Attempt.TaskID, bytes: len(f.Attempt.Handle)}
	case Answered:
		return about{task: f.Attempt.TaskID, bytes: len(f.Attempt.Answer)}
	case AttemptEnded:
		return about{task: f.Attempt.TaskID, bytes: len(f.Attempt.ErrorMsg)}
	case Progressed:
		return about{task: f.Held.Task}
	case Collected:
		return about{task: f.Attempt.TaskID, bytes: len(f.Attempt.Answer) + len(f.Attempt.RawFiles), rare: true}
	case AttemptEndedIf:
		return about{task: f.Attempt.TaskID, rare: true}
	case BatchKept:
		return about{task: f.Held.Task, bytes: bytesOfRow * len(f.Results), rare: true}
	case NotSent:
		return about{task: f.Task, rare: true}
	case InputCopied:
		return about{task: f.Task, rare: true}
	case LearntLate:
		return about{task: f.Task, rare: true}
	case Reopened:
		return about{task: f.Task, rare: true}
	case EndedLate:
		return about{task: f.Attempt.TaskID, rare: true}
	}
	return about{rare: true}
}

// update is a fact as a row of a statement for many.
type update struct {
	form   form
	row    row
	mirror *row // of its task, which is written before; nil if there is none
}

// written reports whether the row is among those of done.
func (u update) written(tasks, calls map[int64]bool) bool {
	if u.form.table == "image_generations" {
		return tasks[u.row.task]
	}
	return calls[u.row.call]
}

// updateOf is what is written of a fact that is not rare.
func (s *Store) updateOf(f Fact) update {
	switch f := f.(type) {
	case Accepted:
		return update{form{types: "text text integer", locks: s.knownCall(" AND "+mayAccept, 4), table: "generation_attempt", sets: accepts},
			rowOf(f.Attempt, accepting(&f.Attempt)), mirrorOf(f.Held, f.JobID, f.Attempt)}
	case Answered:
		return update{form{types: "text text integer bigint text text", locks: s.knownCall(" AND "+mayAnswer, 7), table: "generation_attempt", sets: answers},
			rowOf(f.Attempt, answering(&f.Attempt)), mirrorOf(f.Held, f.JobID, f.Attempt)}
	case AttemptEnded:
		ends, row := s.endingOf(&f.Attempt)
		return update{form: ends, row: row}
	case Progressed:
		return update{form: form{types: "integer integer", locks: s.heldTask("", 3), table: "image_generations", sets: progresses},
			row: row{task: f.Held.Task, token: f.Held.Fence, args: []any{f.Percent, f.Percent}}}
	}
	return update{}
}

func rowOf(a task.Attempt, args []any) row { return row{task: a.TaskID, call: a.ID, args: args} }

// mirrorOf is the row of a task to which the provider's id of its job is mirrored; nil if there is none.
func mirrorOf(held task.Token, jobID string, a task.Attempt) *row {
	if jobID == "" {
		return nil
	}
	return &row{task: held.Task, token: held.Fence, args: []any{jobID, a.Number}}
}

// endingOf is endAttempt for many attempts, of those who hold their tasks.
func (s *Store) endingOf(a *task.Attempt) (form, row) {
	sets, args := ending(a)
	types := "text integer" + strings.Repeat(" text", len(args)-8) + " text boolean boolean bigint text text boolean text text"
	return form{types: types, locks: s.knownCall(" AND "+mayEnd, len(args)+1), table: "generation_attempt", sets: sets},
		rowOf(*a, append(args, false, a.State, a.State))
}

// recordMany is Record for many facts that are not rare. One whose task cannot be written is not
// written at all.
func (s *Store) recordMany(ctx context.Context, facts []Fact) ([]outcome[bool], error) {
	updates := make([]update, len(facts))
	var mirrored []row
	for i, f := range facts {
		updates[i] = s.updateOf(f)
		if m := updates[i].mirror; m != nil {
			mirrored = append(mirrored, *m)
		}
	}
	var tasks, calls map[int64]bool
	run := s.transacted
	if len(mirrored) == 0 && sameForm(updates) {
		run = s.autocommitted
	}
	err := run(ctx, func(q sqlx.ExtContext) (err error) {
		tasks, calls, err = s.updateAll(ctx, q, mirrored, updates)
		return err
	})
	all := make([]outcome[bool], len(facts))
	for i, u := range updates {
		if all[i].result = u.written(tasks, calls); !all[i].result {
			all[i].err = errAlone
		}
	}
	return all, err
}

func sameForm(updates []update) bool {
	for _, u := range updates {
		if u.form != updates[0].form {
			return false
		}
	}
	return true
}

// updateAll writes updates and returns which tasks and which calls were there to be written.
func (s *Store) updateAll(ctx context.Context, q sqlx.ExtContext, mirrored []row, updates []update) (tasks, calls map[int64]bool, err error) {
	tasks, calls = make(map[int64]bool), make(map[int64]bool)
	mirror := form{types: "text integer", locks: s.heldTask(" AND "+noLaterCall, 2), table: "image_generations", sets: mirrors}
	if err := s.update(ctx, q, mirror, mirrored, tasks); err != nil {
		return nil, nil, err
	}
	rows := make(map[form][]row)
	for _, u := range updates {
		if u.mirror == nil || tasks[u.mirror.task] {
			rows[u.form] = append(rows[u.form], u.row)
		}
	}
	for f, of := range rows {
		done := calls
		if f.table == "image_generations" {
			done = tasks
		}
		if err := s.update(ctx, q, f, of, done); err != nil {
			return nil, nil, err
		}
	}
	return tasks, calls, nil
}
