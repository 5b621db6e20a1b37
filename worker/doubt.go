package worker

import (
	"context"
	"errors"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// doubt is called when this worker could not beat, or hardly: others cannot
// either, and one whose lease is over need not be dead. For one lease from now
// on nothing is taken from anybody, as the reconciler does it too.
func (w *Worker) doubt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doubtful = time.Now().Add(w.lease())
}

func (w *Worker) doubts() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.doubtful)
}

// spared returns the verdict for a delivery whose task another worker held
// when the database was away; nil lets it be claimed. Such a delivery comes early: by
// asynq's own lease, which knows nothing of the database and goes by clocks
// that may be wrong.
func (w *Worker) spared(ctx context.Context, ref task.Ref) error {
	if !w.doubts() {
		return nil
	}
	t, err := w.Tasks.Get(ctx, ref.Task)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // the claim says so
	case err != nil:
		return &queue.Later{After: 2 * time.Second, Reason: "the database did not answer: " + err.Error()}
	case t.Status == task.Processing && t.Worker != w.Self.ID:
		return &queue.Later{After: w.lease() / 3, Reason: "another worker held the task before the database was away"}
	}
	return nil
}
