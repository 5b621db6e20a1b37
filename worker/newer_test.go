package worker_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestLaterReleases(t *testing.T) {
	inBubble(t, []claim{
		{"A handle of a later release waits for a worker of it, spends nothing and is then polled", func(r *rig) {
			later := true
			r.painter.poll = func(context.Context, int) (provider.Answer, error) {
				if later {
					return provider.Answer{}, provider.Newer("handle", 2, 1)
				}
				return drawn(pngOf(40, 30)), nil
			}
			id := r.leaves(r.accepted).ID
			r.waitsForLater(id)
			later = false
			r.ends(id, task.Completed)
		}},
		{"So does a journalled answer", func(r *rig) {
			id := r.leaves(func(t *task.Task, a *task.Attempt) {
				a.State, a.Answer = task.AttemptAnswered, `{"v":2,"pictures":"somewhere new"}`
				r.check(tables.Err(r.tasks.Record(r.Context(), store.Answered{Held: t.Token(), Attempt: *a})))
			}).ID
			r.waitsForLater(id)
			text, err := json.Marshal(map[string]any{"v": 1, "outputs": drawn(pngOf(40, 30)).Outputs})
			r.check(err)
			r.exec("UPDATE generation_attempt SET answer = '" + string(text) + "'")
			r.ends(id, task.Completed)
		}},
	})
}

// waitsForLater lets a worker of this release try for two minutes, and sees that it
// has spent nothing of the task.
func (r *rig) waitsForLater(id int64) {
	r.Helper()
	r.start()
	r.passes(2 * time.Minute)
	t := r.get(id)
	if t.Status != task.Pending && t.Status != task.Processing || t.FailedTries != 0 || t.Waits != 0 || t.Crashes > 1 {
		r.Errorf("it is %s with %d tries, %d waits and %d crashes spent: %s", t.Status, t.FailedTries, t.Waits, t.Crashes, t.ErrorMsg)
	}
	if t.ErrorMsg == "" {
		r.Error("nothing says what it waits for")
	}
	if n := r.painter.submits.Load(); n != 0 {
		r.Errorf("%d calls were made", n)
	}
}
