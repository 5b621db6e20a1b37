package worker

import (
	"context"
	"time"

	"github.com/easelqueue/easel/queue"
)

// lookForCancelled tells running steps that their task was cancelled.
func (w *Worker) lookForCancelled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.lease()/4)
	defer cancel()
	ids, err := w.Leases.TakeCancelled(ctx, w.Self.ID)
	if err != nil {
		return // the heartbeat says when the database is away
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if h, ok := w.holding[id]; ok {
			h.stop(errCancelled)
		}
	}
}

// releaseLost gives back tasks whose rows say that this worker holds them though it
// does not: the answer to their claim, or to the last write of a step, was
// lost. Our heartbeat would keep them from everybody else.
//
// A row that an app has locked is tried for a moment only, so that it does not keep
// those after it.
func (w *Worker) releaseLost(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, w.lease()/4)
	defer cancel()
	rows, err := w.Leases.HeldBy(looking, w.Self.ID)
	if err != nil {
		return
	}
	for i := range rows {
		if w.holds(rows[i].ID) {
			continue
		}
		// A step that took the row since it was read has taken its fence too.
		giving, cancel := context.WithTimeout(ctx, w.lease()/8)
		if err := w.Journal.Release(giving, rows[i].Token(), 0, ""); err == nil {
			w.Log.Warn().Int64("task", rows[i].ID).Msg("a lost claim was given back")
		}
		cancel()
	}
}

func (w *Worker) holds(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, held := w.holding[id]
	return held
}

// held is what reaches a running step from outside.
type held struct {
	stop  context.CancelCauseFunc
	wake  chan struct{} // holds one wake-up that is not heard yet
	tries bool          // to claim the task, and may find that its delivery means nothing any more
}

// claimed notes that the step which holds the task has claimed it.
func (w *Worker) claimed(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.holding[id]
	h.tries = false
	w.holding[id] = h
}

// holdsAlready is the verdict on a delivery of a task that this worker has in hand.
func (w *Worker) holdsAlready(id int64) queue.Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	after := w.lease()
	if h, held := w.holding[id]; !held || h.tries { // with an older delivery of the task perhaps, and it may just have let go
		after = time.Second
	}
	return retry(after, "this worker holds the task already")
}

// Wake makes the step that waits for the task's provider ask at once.
func (w *Worker) Wake(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h, ok := w.holding[id]; ok {
		select {
		case h.wake <- struct{}{}:
		default: // it will ask anyway
		}
	}
}

// hold registers a running step, or returns nil if this process has one for the
// task: a row that carries our name may be claimed again only when it does not.
// The context is for waiting: it ends with errCancelled when the task is cancelled;
// wakeUps say that there is something to ask for. A step that tries to claim the task says so.
func (w *Worker) hold(ctx context.Context, id int64, tries bool) (waiting context.Context, wakeUps chan struct{}, letGo func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, busy := w.holding[id]; busy {
		return nil, nil, nil
	}
	if w.holding == nil {
		w.holding = make(map[int64]held)
	}
	waiting, stop := context.WithCancelCause(ctx)
	wakeUps = make(chan struct{}, 1)
	w.holding[id] = held{stop, wakeUps, tries}
	return waiting, wakeUps, func() {
		w.mu.Lock()
		delete(w.holding, id)
		w.mu.Unlock()
		stop(nil)
	}
}
