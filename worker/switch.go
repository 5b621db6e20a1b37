package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// nextProvider returns the provider that the task names for when this one did not draw,
// and what it names after that. There is none unless the task was about to fail
// for a reason that is the provider's, and certainly no call of it was carried out
// or is of unknown outcome: one that is would be paid twice.
func (s *step) nextProvider(ctx context.Context, d task.Decision) (to task.Fallback, rest string, ok bool) {
	if d.Status != task.Failed || !d.Failure.MayFallBack() {
		return task.Fallback{}, "", false
	}
	list, err := s.t.FallbackList()
	if err != nil || len(list) == 0 {
		return task.Fallback{}, "", false
	}
	rejected := int64(0)
	if s.last != nil && s.last.State == task.AttemptRejected {
		rejected = s.last.ID // which the journal does not say yet
	}
	h, err := s.w.Journal.History(ctx, s.t.ID)
	if err != nil || h.MayBePaidFor(rejected) {
		return task.Fallback{}, "", false // it fails, and a retry by hand comes here again
	}
	return list[0], task.JoinFallbacks(list[1:]), true
}

// switched gives the task to the next provider that it names. The relay publishes it
// in that one's queue.
type switched struct {
	to       task.Fallback
	rest     string
	failure  *task.Failure
	endsCall bool // the attempt has ended with it
}

func (e switched) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	_, err := s.writeEnd(ctx, store.Switched{Held: s.t.Token(), To: e.to, Rest: e.rest, Attempt: s.ended(e.endsCall),
		Reason: fmt.Sprintf("%s did not draw: %s", s.svc.Name, e.failure.Reason())})
	if err != nil && !errors.Is(err, store.ErrFenced) {
		return unwritten{err}, none
	}
	s.log.Warn().Str("kind", string(e.failure.Kind)).Str("to", e.to.String()).Str("error", e.failure.Error()).Msg("switched to another provider")
	return nil, queue.Verdict{} // this delivery means nothing any more
}
