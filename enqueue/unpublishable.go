package enqueue

import (
	"context"
	"fmt"
	"math"

	"github.com/easelqueue/easel/task"
)

// unpublishable is why no delivery can be published of a row that came by SQL, or nil.
func unpublishable(ref task.Ref) *task.Failure {
	f := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted}
	switch {
	case ref.Task < 1:
		f.Message = fmt.Sprintf("id is %d; accepted are ids from 1 to %d", ref.Task, math.MaxInt64)
		f.Advice = task.InsertWithoutID
	case ref.Delivery < 0:
		f.Message = fmt.Sprintf("delivery was %d; accepted are numbers from 0 to %d; it is 0 now", ref.Delivery, math.MaxInt32)
		f.Advice = task.RetryByHand
	default:
		return nil
	}
	return f
}

// archiveUnpublishable fails a waiting row of which nothing can be published, and returns how many rows it changed.
func (r *Relay) archiveUnpublishable(ctx context.Context, ref task.Ref, f *task.Failure) (int, error) {
	why, err := r.Tasks.Archive(ctx, ref, f)
	if err != nil || why == nil {
		return 0, err
	}
	r.Log.Warn().Int64("task", ref.Task).Int("delivery", ref.Delivery).Str("error", why.Error()).Msg("refused: no delivery of the row can be published")
	return 1, nil
}
