package worker

import (
	"context"
	"errors"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// callSucceeded completes the task with what its last call has brought, or leaves it to the
// calls that are still to be made.
type callSucceeded struct{ results []task.Result }

func (e callSucceeded) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	if s.late() {
		return e.writeLate(ctx, s)
	}
	if s.left() > s.asked() {
		return batchKept(e), none
	}
	owed, err := s.uncollectedBatch(ctx)
	if err != nil {
		return unwritten{err}, none
	}
	if owed != nil {
		return batchKept(e), none // the next step finds nothing to draw, and ends the task
	}
	o, err := s.completion(ctx, e.results)
	if err != nil {
		return unwritten{err}, none
	}
	o.APIResponse = string(s.answer.Raw)
	_, err = s.writeEnd(ctx, store.Completed{Held: s.t.Token(), Attempt: s.last, Completion: o})
	switch {
	case errors.Is(err, store.ErrFenced):
		return cameLate{o}, none
	case err != nil:
		return unwritten{err}, none
	}
	crash.At("row saved")
	s.log.Info().Int("pictures", len(e.results)).Dur("took", time.Since(s.last.SentAt)).Str("status", string(task.Completed)).Msg("completed")
	return nil, queue.Verdict{}
}

func (e callSucceeded) writeLate(ctx context.Context, s *step) (ending, queue.Verdict) {
	o, err := s.completion(ctx, e.results)
	if err != nil {
		return unwritten{err}, none
	}
	o.APIResponse = string(s.answer.Raw)
	return cameLate{o}, none
}

// cameLate keeps pictures whose task was taken away, unless it is gone altogether.
// They complete a task that is held over its calls, or has failed by a later one.
type cameLate struct{ completion store.Completion }

func (e cameLate) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	completed := false
	err := s.persist(ctx, func(ctx context.Context) (err error) {
		completed, err = s.w.Journal.Finish(ctx, store.CameLate{Attempt: *s.last, Completion: e.completion})
		if err == nil {
			return nil
		}
		if _, gone := s.w.Journal.History(ctx, s.t.ID); errors.Is(gone, store.ErrNotFound) {
			return store.ErrFenced
		}
		return err
	})
	s.log.Info().Int("pictures", len(e.completion.Results)).Bool("completed", completed).Msg("too late: the pictures are kept beside the task, or complete one that was held for them")
	if err != nil {
		return unwritten{err}, none
	}
	return nil, queue.Verdict{}
}

// allDrawn completes a task of which nothing is left to draw with what its calls have
// brought, also while the task was taken away; if that is nothing, it fails as the
// last of them did, and if one is still to be collected, as that one did.
type allDrawn struct{}

func (allDrawn) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	owed, err := s.uncollectedBatch(ctx)
	if err != nil {
		return unwritten{err}, none
	}
	if owed != nil {
		return s.owing(owed), none
	}
	o, err := s.completion(ctx, nil)
	if err != nil {
		return unwritten{err}, none
	}
	if o.First == nil {
		return taskFailed{failure: s.last.Failure(task.Executed)}, none
	}
	s.log.Info().Str("status", string(task.Completed)).Msg("completed with pictures that are kept already")
	if _, err := s.writeEnd(ctx, store.Completed{Held: s.t.Token(), Completion: o}); err != nil {
		return unwritten{err}, none
	}
	return nil, queue.Verdict{}
}

// completion is what the task ends with: the pictures that the last call has brought, the
// first of all that are kept, and what is missing.
func (s *step) completion(ctx context.Context, results []task.Result) (store.Completion, error) {
	o := store.Completion{Results: results}
	if s.imagesDone == 0 || len(results) >= max(s.t.ImageCount, 1) { // others came too late for it
		o.Warning = s.last.ErrorMsg
		return o, nil
	}
	h, err := s.w.Journal.History(ctx, s.t.ID)
	if err != nil {
		return o, err
	}
	if first := h.FirstStored(results); first != nil {
		at := s.w.Pictures.Locate(first.StorageKey)
		first.LocalPath, first.ObjectURL = at.LocalPath, at.ObjectURL
		o.First = first
	}
	o.Warning = h.Missing(s.last)
	return o, nil
}
