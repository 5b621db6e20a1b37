package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// A call that was paid for may outlive its task: a cancelled job is drawn all the same, a
// call that was given up for lost is found again by its callback or in a spool. No delivery
// leads to such a call. Each process asks after those that it has made itself, and after
// those of processes that have gone; see store.ToCollect. It never buys.

const (
	lateEvery  = 5 * time.Second  // between two looks for such calls
	lateAgain  = 30 * time.Second // until one that did not end is taken again
	lateAtOnce = 100              // in one process
	rowEvery   = 10 * time.Second // between two looks whether a person has retried the task
)

// lateCalls are those that this process has had in hand, and when it may take them again.
type lateCalls struct {
	mu    sync.Mutex
	again map[int64]time.Time // the zero time while it has it in hand
}

// take reports whether the call may be taken now, and takes it.
func (l *lateCalls) take(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	again, known := l.again[id]
	if known && (again.IsZero() || time.Now().Before(again)) {
		return false
	}
	if l.again == nil {
		l.again = make(map[int64]time.Time)
	}
	l.again[id] = time.Time{}
	return true
}

func (l *lateCalls) put(id int64, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again[id] = time.Now().Add(after)
}

// keep forgets all that may be taken again but those: they have ended.
func (l *lateCalls) keep(ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	listed := make(map[int64]bool, len(ids))
	for _, id := range ids {
		listed[id] = true
	}
	for id, again := range l.again {
		if !again.IsZero() && !listed[id] {
			delete(l.again, id)
		}
	}
}

// lookForLate begins to collect calls whose tasks are over, each in the group of goroutines
// that Run waits for.
func (w *Worker) lookForLate(ctx context.Context, loops *errgroup.Group) {
	if w.draining() {
		return
	}
	looking, cancel := context.WithTimeout(ctx, w.lease()/4)
	defer cancel()
	ids, err := w.Tasks.ToCollect(looking, w.Self.ID, lateAtOnce)
	if err != nil {
		return // the heartbeat says when the database is away
	}
	w.late.keep(ids)
	for _, id := range ids {
		if w.late.take(id) {
			loops.Go(func() error {
				w.late.put(id, w.collectLate(ctx, id))
				return nil
			})
		}
	}
}

// collectLate asks after a call whose task is over, and keeps what it brings beside the task;
// a task that is held over it is completed. It returns after how long it may be taken
// again if it did not end. A panic, which only a fault of ours or of an adapter can cause, is
// this one task's.
func (w *Worker) collectLate(ctx context.Context, id int64) (again time.Duration) {
	again = lateAgain
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error().Int64("attempt_id", id).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("panic")
		}
	}()
	a, err := w.Journal.Attempt(ctx, id)
	if err != nil || !a.Collectable() {
		return again
	}
	t, err := w.Tasks.Get(ctx, a.TaskID)
	svc, known := w.Services[a.Provider]
	if err != nil || !known || !t.Status.Final() {
		return again
	}
	s := &step{w: w, svc: svc, t: t, last: a, late: true,
		log: w.Log.With().Str("provider", svc.Name).Int64("task", t.ID).Int("attempt", a.Number).Bool("late", true).Logger()}
	s.waiting, s.wakeUps, s.letGo = w.hold(ctx, t.ID)
	if s.waiting == nil {
		return again // a step of this process has it in hand
	}
	defer s.end(ctx)
	verdict := s.run(ctx, resuming)
	return max(again, verdict.After)
}

// resumeLate goes on with a call whose task is over. One that was cancelled is cancelled
// upstream once more: whoever was to do it may have died before.
func (s *step) resumeLate(ctx context.Context) (phase, queue.Verdict) {
	h, err := s.count(ctx)
	if err != nil {
		return s.endWith(released{})
	}
	s.w.looks.note(s.last.ID, time.Now(), s.w.longestWait())
	switch next, verdict := s.goOn(ctx, h); {
	case next == polling && s.t.Status == task.Cancelled:
		return cancelling, none
	default:
		return next, verdict
	}
}

// retried reports whether a person has brought the task back since it was over, or deleted
// it: whoever works on it then asks after its job too.
func (s *step) retried(ctx context.Context, j *job) bool {
	if time.Since(j.seen) < rowEvery {
		return false
	}
	j.seen = time.Now()
	t, err := s.w.Tasks.Get(ctx, s.t.ID)
	return errors.Is(err, store.ErrNotFound) || err == nil && (t.Delivery != s.t.Delivery || !t.Status.Final())
}

// endedLate ends a call whose task is over, in that state: failed as the provider says, or
// as it was, and not asked after any more.
type endedLate struct {
	failure *task.Failure
	state   task.AttemptState
}

func (e endedLate) write(ctx context.Context, s *step) (ending, queue.Verdict) {
	s.last.State = e.state
	s.last.Unbilled = e.state == task.AttemptFailed && e.failure.Unbilled
	s.blame(e.failure)
	if _, err := s.write(ctx, store.EndedLate{Attempt: *s.last}); err != nil {
		return unwritten{err}, none
	}
	s.log.Info().Str("kind", string(e.failure.Kind)).Str("error", e.failure.Error()).Msg("a call whose task was over brought nothing")
	return nil, queue.Verdict{}
}
