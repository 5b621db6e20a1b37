package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// A task for more pictures than one call makes is drawn in several batches, one after the
// other. Each is an attempt with its own row and cost, and ends in a step of its
// own: what is drawn is journalled before the next is begun. Pictures are done
// when they are kept, by whichever call, or when a call since the last retry
// by hand was refused them or could not have them collected; what is not done is left to draw.

// count reads the journal and counts what needs no further call. What has been read is read
// again only after the provider was asked, which takes long: a call of a worker that had stood
// still may have come to something meanwhile.
func (s *step) count(ctx context.Context) (*task.History, error) {
	if s.history != nil {
		return s.history, nil
	}
	h, err := s.w.Journal.History(ctx, s.t.ID)
	if err != nil {
		return nil, err
	}
	s.history, s.imagesDone = h, h.ImagesDone(s.severalCalls())
	return h, nil
}

// severalCalls reports whether the task asks for more than one call makes, at the provider that it
// names: an earlier call may have been made at another one.
func (s *step) severalCalls() bool {
	svc, known := s.w.Services[s.t.Provider]
	if !known || len(svc.Accounts) == 0 {
		return false
	}
	most := svc.Capabilities(svc.Accounts[0].Provider, s.t).MaxImages
	return most > 0 && s.t.ImageCount > most
}

// left is how many pictures are still to be drawn, those of the last attempt included
// while it is not done.
func (s *step) left() int { return max(s.t.ImageCount, 1) - s.imagesDone }

// asked is how many pictures the last attempt asks for.
func (s *step) asked() int {
	if s.last.Images > 0 {
		return s.last.Images
	}
	return max(s.t.ImageCount, 1)
}

// locate finds where among the task's pictures those of a call belong.
func (s *step) locate(h *task.History, number, images int) {
	s.before = s.imagesDone
	if s.imagesDone > 0 && s.severalCalls() {
		s.before = h.Offset(number, images)
	}
}

// drawsOn reports whether f refuses the pictures of one of several calls: then the
// others are drawn all the same. What the service failed by its own fault is no refusal:
// it is drawn again.
func (s *step) drawsOn(f *task.Failure) bool {
	refused := f.Kind == task.Moderated || f.Kind == task.BadAnswer || f.Kind == task.ProviderError
	return s.last != nil && s.last.Images > 0 && s.severalCalls() && refused && f.Executed == task.Executed && !f.Unbilled
}

// batchKept stores the pictures of one of several calls. The next call is made by the
// next step, which asks for room as every call does.
type batchKept struct{ results []task.Result }

func (e batchKept) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	percent := 100 * (s.imagesDone + s.asked()) / s.t.ImageCount
	_, err := s.write(ctx, store.BatchKept{Held: s.t.Token(), Attempt: *s.last, Results: e.results, Progress: percent})
	switch {
	case errors.Is(err, store.ErrFenced):
		return cameLate{store.Completion{Results: e.results, Warning: s.last.ErrorMsg}}, none
	case err != nil:
		return unwritten{err}, none
	}
	s.log.Info().Int("pictures", len(e.results)).Int("left", s.left()-s.asked()).Msg("a batch is kept")
	return released{}, none
}

// emptyBatch ends one of several calls without its pictures, in that state, and goes on
// with the rest.
type emptyBatch struct {
	failure *task.Failure
	state   task.AttemptState
}

func (e emptyBatch) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	s.last.State = e.state
	s.blame(e.failure)
	if _, err := s.write(ctx, store.AttemptEnded{Attempt: *s.last}); err != nil {
		return unwritten{err}, none
	}
	s.log.Info().Str("kind", string(e.failure.Kind)).Str("error", e.failure.Error()).Msg("a batch brought nothing")
	if s.left() > s.asked() {
		return released{}, none
	}
	s.imagesDone += s.asked()
	return allDrawn{}, none
}

// uncollectedBatch returns the first of several calls that was paid for and could not be
// collected, over which the task is not completed; nil if there is none.
func (s *step) uncollectedBatch(ctx context.Context) (*task.Attempt, error) {
	if !s.severalCalls() {
		return nil, nil
	}
	h, err := s.w.Journal.History(ctx, s.t.ID)
	if err != nil {
		return nil, err
	}
	return h.Uncollected(), nil
}

// owing is how a task ends of which nothing is left to draw but what its call a was paid for.
// What the others have brought stays, and a retry by hand collects the rest.
func (s *step) owing(a *task.Attempt) ending {
	many := max(s.t.ImageCount, 1)
	f := &task.Failure{Kind: a.ErrorKind, Executed: task.Executed, Code: a.ErrorCode, Advice: task.RetryCollects,
		Message: fmt.Sprintf("call %d for %d of %d pictures: %s", a.Number, cmp.Or(a.Images, many), many, strings.TrimRight(a.Reason(), ". "))}
	return decided{decision: s.fails(f)}
}
