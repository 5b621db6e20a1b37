package store

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// aboutEnding tells of an ending what a gatherer asks.
func aboutEnding(e Ending) about {
	switch e := e.(type) {
	case Completed:
		return about{task: e.Held.Task, bytes: len(e.Completion.APIResponse) + bytesOfRow*len(e.Completion.Results),
			rare: e.Attempt == nil || len(e.Completion.Results) == 0}
	case Decided:
		unsure := e.UnlessDrawn && e.Decision.Status == task.Failed // it has to be looked at once it is locked
		return about{task: e.Held.Task, rare: unsure || e.Decision.Failure == nil || e.Decision.Failure.Kind == task.OutcomeUnknown}
	case Switched:
		return about{task: e.Held.Task, rare: true}
	case CameLate:
		return about{task: e.Attempt.TaskID, rare: true}
	}
	return about{rare: true}
}

// finishMany is Finish for many endings that are not rare.
func (s *Store) finishMany(ctx context.Context, endings []Ending) ([]outcome[finished], error) {
	var completions []Completed
	var decisions []Decided
	for _, e := range endings {
		switch e := e.(type) {
		case Completed:
			completions = append(completions, e)
		case Decided:
			decisions = append(decisions, e)
		}
	}
	completed, decided := make(map[int64]bool), make(map[int64]bool)
	err := s.transacted(ctx, func(q sqlx.ExtContext) error {
		clear(completed)
		clear(decided)
		if err := s.completeMany(ctx, q, completions, completed); err != nil {
			return err
		}
		return s.decideMany(ctx, q, decisions, decided)
	})
	return outcomes(endings, func(e Ending) (finished, bool) {
		id := aboutEnding(e).task
		return finished{completed: completed[id]}, completed[id] || decided[id]
	}), err
}

// completeMany is Completed for many, in the steps of one: what is there to be written is locked by
// the first.
func (s *Store) completeMany(ctx context.Context, q sqlx.ExtContext, all []Completed, done map[int64]bool) error {
	if len(all) == 0 {
		return nil
	}
	calls := make([]row, len(all))
	for i, e := range all {
		calls[i] = row{task: e.Held.Task, token: e.Held.Fence, call: e.Attempt.ID, args: []any{null(e.Attempt.ErrorMsg)}}
	}
	var collected []task.Attempt
	// chr(63) is a question mark, which would be taken for a parameter.
	collect := form{types: "text", locks: s.heldTask("", 2) + s.knownCall(" AND state <> 'succeeded'", 2), table: "generation_attempt", sets: collects,
		gives: "generation_attempt.task_id, CASE WHEN strpos(answer, chr(63)) > 0 THEN answer ELSE '' END AS answer"}
	if err := s.many(ctx, q, &collected, collect.query(), calls); err != nil {
		return err
	}
	ours := make(map[int64]bool, len(collected))
	for _, a := range collected {
		ours[a.ID] = true
	}
	all = slices.DeleteFunc(slices.Clone(all), func(e Completed) bool { return !ours[e.Attempt.ID] })
	if len(all) == 0 {
		return nil
	}
	if err := s.hideSignatures(ctx, q, collected); err != nil {
		return err
	}
	return s.completeCollected(ctx, q, all, done)
}

// hideSignatures takes what signs addresses out of answers whose pictures are stored.
func (s *Store) hideSignatures(ctx context.Context, q sqlx.ExtContext, collected []task.Attempt) error {
	var rows []row
	for _, a := range collected {
		if a.Answer != "" {
			a.HideSignatures()
			rows = append(rows, rowOf(a, []any{null(a.Answer)}))
		}
	}
	hide := form{types: "text", locks: s.knownCall(" AND state = 'succeeded'", 2), table: "generation_attempt", sets: "answer = ?"}
	return s.update(ctx, q, hide, rows, make(map[int64]bool))
}

// completeCollected stores the pictures of calls that are collected and completes their tasks.
func (s *Store) completeCollected(ctx context.Context, q sqlx.ExtContext, all []Completed, done map[int64]bool) error {
	var pictures, tasks []row
	for _, e := range all {
		for _, r := range e.Completion.Results {
			pictures = append(pictures, row{task: e.Attempt.TaskID, call: e.Attempt.ID, args: bringing(&r)})
		}
		tasks = append(tasks, row{task: e.Held.Task, token: e.Held.Fence, args: e.Completion.completing(e.Attempt)})
	}
	var kept []int64
	err := s.many(ctx, q, &kept, withRows("integer text text text text bigint integer integer text text text bigint text", "")+
		"INSERT INTO generation_result (task_id, attempt_id, created_at, "+brings+") SELECT w.task, w.call, now(), "+columnsOfRows(13)+" FROM w"+onceEach+" RETURNING id", pictures)
	if err != nil {
		return err
	}
	complete := form{types: "text text text text integer integer text bigint bigint integer", locks: s.heldTask("", 11), table: "image_generations", sets: completes}
	if err := s.update(ctx, q, complete, tasks, done); err != nil {
		return err
	}
	if len(done) != len(all) {
		return errLeftOut
	}
	return nil
}

// decideMany is Decided for many.
func (s *Store) decideMany(ctx context.Context, q sqlx.ExtContext, all []Decided, done map[int64]bool) error {
	var without, with []row
	for _, e := range all {
		r := row{task: e.Held.Task, token: e.Held.Fence, args: deciding(e.Decision)}
		if e.Attempt == nil {
			without = append(without, r)
			continue
		}
		r.call = e.Attempt.ID
		with = append(with, r)
	}
	decide := form{types: "text bigint integer integer text text text text text boolean", locks: s.heldTask("", 11), table: "image_generations", sets: s.decides()}
	if err := s.update(ctx, q, decide, without, done); err != nil {
		return err
	}
	decide.locks += s.knownCall("", 11)
	if err := s.update(ctx, q, decide, with, done); err != nil {
		return err
	}
	return s.endMany(ctx, q, slices.DeleteFunc(slices.Clone(all), func(e Decided) bool { return e.Attempt == nil || !done[e.Held.Task] }))
}

// endMany ends the attempts of tasks that are decided and locked; one that has ended better stays as
// it is.
func (s *Store) endMany(ctx context.Context, q sqlx.ExtContext, all []Decided) error {
	ends := make(map[form][]row)
	var billed []row
	for _, e := range all {
		f, r := s.endingOf(e.Attempt)
		ends[f] = append(ends[f], r)
		if e.Attempt.Unbilled || e.Attempt.CostMicros != nil {
			billed = append(billed, row{task: e.Held.Task})
		}
	}
	for f, rows := range ends {
		if err := s.update(ctx, q, f, rows, make(map[int64]bool)); err != nil {
			return err
		}
	}
	// No fence: what its calls have cost is true whoever holds the task.
	return s.update(ctx, q, form{table: "image_generations", sets: costs}, billed, make(map[int64]bool))
}
