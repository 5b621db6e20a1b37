package enqueue

import (
	"context"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// hold lets tasks that read as archived be held again for a call of unknown outcome.
func (r *Reconciler) hold(ctx context.Context, rings []queue.Ring, rows map[int64]task.Task) error {
	var archived []task.Ref
	for _, ring := range rings {
		if row := rows[ring.Task]; row.Delivery == ring.Delivery && row.Status == task.Failed && row.ErrorKind == task.Archived {
			archived = append(archived, ring.Ref)
		}
	}
	n, err := r.Tasks.Hold(ctx, archived)
	if n > 0 {
		r.Log.Warn().Int64("tasks", n).Msg("archived tasks have a last call of unknown outcome; they are held for that")
	}
	return err
}

// park parks a waiting row whose delivery lies in the archive: a person put it there, or
// the app has set a parked row back to pending.
func (r *Reconciler) park(ctx context.Context, ring queue.Ring) error {
	f := &task.Failure{Kind: task.Archived, Executed: task.No, Message: "archived by hand in the dashboard", Next: "`easel retry` or Run in the dashboard brings it back"}
	// The row may have been retried or claimed since it was read; Park decides.
	why, err := r.Tasks.Park(ctx, ring.Ref, f)
	if err != nil || why == nil {
		return err
	}
	r.Log.Info().Int64("task", ring.Task).Str("kind", string(why.Kind)).Str("error", why.Error()).Msg("parked, as its delivery is archived")
	return r.Queue.Park(ctx, ring, why.Error())
}
