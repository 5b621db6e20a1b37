package worker_test

import (
	"context"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestRecord(t *testing.T) {
	inBubble(t, []claim{
		{"A look at a job does not take the place of the call that was paid for", func(r *rig) {
			r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
				ans := drawn(pngOf(40, 30))
				ans.RequestID, ans.HTTPStatus = "req of the look", 200
				return ans, nil
			})
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				ans := working(0)
				ans.RequestID, ans.HTTPStatus = "req of the call", 202
				return ans, nil
			}
			r.start()
			t := r.asks()
			r.ends(t.ID, task.Completed)
			a := r.attempts(t.ID)[0]
			r.same(a.ProviderRequestID, "req of the call")
			r.same(*a.HTTPStatus, 202)
		}},
	})
}
