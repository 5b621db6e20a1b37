package enqueue

import (
	"context"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// markUnknownOutcome lets tasks that read as archived be held again for a call of unknown outcome.
func (r *Reconciler) markUnknownOutcome(ctx context.Context, deliveries []queue.Delivery, rows map[int64]task.Task) error {
	var archived []task.Ref
	for _, delivery := range deliveries {
		if row := rows[delivery.Task]; row.Delivery == delivery.Delivery && row.Status == task.Failed && row.ErrorKind == task.Archived {
			archived = append(archived, delivery.Ref)
		}
	}
	n, err := r.Tasks.MarkUnknownOutcome(ctx, archived)
	if n > 0 {
		r.Log.Warn().Int64("tasks", n).Msg("archived tasks have a last call of unknown outcome; they are held for that")
	}
	return err
}

// archive fails a waiting row whose delivery is archived: a person has archived it, or
// the app has set a failed row back to pending.
func (r *Reconciler) archive(ctx context.Context, delivery queue.Delivery) error {
	f := &task.Failure{Kind: task.Archived, Executed: task.NotExecuted, Message: "archived by hand in the dashboard", Advice: task.RetryByHand}
	// The row may have been retried or claimed since it was read; Archive decides.
	why, err := r.Tasks.Archive(ctx, delivery.Ref, f)
	if err != nil || why == nil {
		return err
	}
	r.Log.Info().Int64("task", delivery.Task).Str("kind", string(why.Kind)).Str("error", why.Error()).Msg("failed, as its delivery is archived")
	return r.Queue.Archive(ctx, delivery, why.Error())
}
