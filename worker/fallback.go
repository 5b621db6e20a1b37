package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// fallback returns the provider that the task names for when this one did not draw,
// and what it names after that. There is none unless the task was about to be parked
// for a reason that is the provider's, and certainly no call of it was carried out
// or is in doubt: one that is would be paid twice.
func (s *step) fallback(ctx context.Context, v task.Decision) (to task.Fallback, rest string, ok bool) {
	if v.Status != task.Failed || !v.Failure.MayFallBack() {
		return task.Fallback{}, "", false
	}
	list, err := s.t.FallbackList()
	if err != nil || len(list) == 0 {
		return task.Fallback{}, "", false
	}
	attempts, err := s.Tasks.Attempts(ctx, s.t.ID)
	if err != nil {
		return task.Fallback{}, "", false // parked, and a retry by hand comes here again
	}
	for _, a := range attempts {
		doubtful := a.State == task.AttemptSending || a.State == task.AttemptUnknown || a.State == task.AttemptAccepted || a.State == task.AttemptAnswered
		if doubtful && (s.last == nil || a.ID != s.last.ID || s.last.State != task.AttemptRejected) {
			return task.Fallback{}, "", false
		}
	}
	return list[0], task.JoinFallbacks(list[1:]), true
}

// fallBack gives the task to the next provider that it names. The relay rings for it
// in that one's queue.
func (s *step) fallBack(ctx context.Context, to task.Fallback, rest string, f *task.Failure, a *task.Attempt) error {
	reason := fmt.Sprintf("%s did not draw: %s", s.svc.Name, f.Error())
	err := s.persist(ctx, func(ctx context.Context) error { return s.Tasks.SwitchProvider(ctx, s.t, to, rest, reason, a) })
	if err != nil && !errors.Is(err, store.ErrFenced) {
		return s.unsaved(ctx, err)
	}
	s.log.Warn().Str("kind", string(f.Kind)).Str("to", to.String()).Str("error", f.Error()).Msg("fell back to another provider")
	return nil // this delivery means nothing any more
}
