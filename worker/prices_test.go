package worker_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestPrices(t *testing.T) {
	inBubble(t, []claim{
		{"A row without a model gets the default's price and name", func(r *rig) {
			r.svc.Prices = provider.Prices{{Model: "brush", Micros: 7}}
			r.start()
			t := r.asks()
			r.same(*r.ends(t.ID, task.Completed).CostMicros, int64(7))
			r.same(r.results(t.ID)[0].Model, "brush")
		}},
		{"What nobody can price has no cost, and what is free costs nothing", func(r *rig) {
			r.svc.Prices = nil
			r.start()
			r.same(r.ends(r.asks().ID, task.Completed).CostMicros, (*int64)(nil))
			r.painter.can.Free = true
			r.same(*r.ends(r.asks().ID, task.Completed).CostMicros, int64(0))
		}},
		{"A picture that turns out to be broken was billed all the same", func(r *rig) {
			r.svc.Prices = provider.Prices{{Micros: 7}}
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return drawn(pngOf(40, 30)[:60]), nil }
			r.start()
			t := r.asks()
			cost := r.ends(t.ID, task.Failed).CostMicros
			r.same(cost != nil && *cost == 7, true)
		}},
		{"A job that failed and is billed has its price, and one that is not billed none", func(r *rig) {
			r.svc.Prices = provider.Prices{{Micros: 7, Currency: "USD"}}
			var billed atomic.Bool
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return provider.Answer{}, &task.Failure{Kind: task.Moderated, Executed: task.Executed, Billed: billed.Load(), Message: "refused"}
			}
			r.start()
			t := r.asks()
			r.same(r.ends(t.ID, task.Failed).CostMicros, (*int64)(nil))
			billed.Store(true)
			t = r.asks()
			got := r.ends(t.ID, task.Failed)
			r.same(got.CostMicros, new(int64(7*max(got.ImageCount, 1))))
			r.same(facts{"Currency": got.Currency, "CostMicros": r.attempts(t.ID)[0].CostMicros}, facts{"Currency": "USD", "CostMicros": got.CostMicros})
		}},
	})
}
