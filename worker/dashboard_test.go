package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestDashboard(t *testing.T) {
	inBubble(t, []claim{
		{"Run on an archived delivery retries by hand", runArchived},
		{"Run on a delivery that a person archived brings it back", runArchivedByHand},
		{"Archive on a waiting delivery fails its row", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return fails(task.RateLimited, task.NotExecuted)
			}
			r.svc.Retry.Base = time.Hour
			r.start()
			t := r.asks()
			r.in(t.Ref(), queue.Retrying)
			r.dashboard("POST", "retry_tasks/"+t.Ref().String()+":archive")
			r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Archived)
			r.in(t.Ref(), queue.Archived)
		}},
		{"A deleted delivery of a waiting row is published again", func(r *rig) {
			r.start()
			t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(10 * time.Second)}})
			r.in(t.Ref(), queue.Scheduled)
			r.dashboard("DELETE", "scheduled_tasks/"+t.Ref().String())
			r.ends(t.ID, task.Completed)
		}},
		{"The archived delivery of a row that is retried elsewhere is removed", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return fails(task.Moderated, task.NotExecuted)
			}
			r.start()
			t := r.asks()
			r.in(t.Ref(), queue.Archived)
			_, err := r.tasks.Retry(r.Context(), r.get(t.ID).Seen(), false)
			r.check(err)
			r.in(t.Ref(), queue.Absent)
		}},
	})
}

func runArchived(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Moderated, task.NotExecuted)
	}
	r.start()
	t := r.asks()
	r.ends(t.ID, task.Failed)
	r.in(t.Ref(), queue.Archived)
	r.painter.submit = newPainter().submit
	r.dashboard("POST", "archived_tasks/"+t.Ref().String()+":run")
	r.until("the row is retried", func() bool { return r.get(t.ID).Delivery == 1 })
	r.same(r.ends(t.ID, task.Completed).FailedTries, 0)
	r.in(t.Ref(), queue.Absent)
	r.same(r.painter.submits.Load(), int64(2))
}

func runArchivedByHand(r *rig) {
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}})
	r.in(t.Ref(), queue.Scheduled)
	r.dashboard("POST", "scheduled_tasks/"+t.Ref().String()+":archive")
	r.ends(t.ID, task.Failed)
	r.passes(10 * time.Second)
	r.dashboard("POST", "archived_tasks/"+t.Ref().String()+":run")
	r.until("the row is retried", func() bool { return r.get(t.ID).Delivery == 1 })
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}
