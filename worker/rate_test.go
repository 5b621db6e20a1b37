package worker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestRateIsForCalls(t *testing.T) {
	inBubble(t, []claim{
		{"A worker whose heartbeat is late takes nothing of the rate", lateTakesNothing},
		{"An account whose breaker is open is closed again by a try that fails", triedOnce},
		{"Of those that wait for room the urgent go first and the low last", urgentFirst},
		{"A delivery of a task that this worker holds takes nothing of the rate", heldTakesNothing},
	})
}

// granted reports how many calls of ten a minute are left at once, of the two that there are.
func (r *rig) granted() (n int) {
	r.Helper()
	for range 3 {
		g, _, err := r.limiter.Acquire(r.Context(), "painter/main", r.svc.Accounts[0].Limits)
		r.check(err)
		if g != nil {
			n++
		}
	}
	return n
}

func (r *rig) tenAMinute() { r.svc.Accounts[0].Limits = provider.Limits{PerMinute: 10} }

func lateTakesNothing(r *rig) {
	r.tenAMinute()
	p := r.start()
	p.heartStops()
	r.passes(2 * r.lease)
	var asked []*task.Task
	for range 5 {
		asked = append(asked, r.asks())
	}
	for _, t := range asked {
		r.in(t.Ref(), queue.Retrying)
	}
	r.same(facts{"granted": r.granted(), "submits": r.painter.submits.Load()}, facts{"granted": 2, "submits": int64(0)})
}

func heldTakesNothing(r *rig) {
	r.tenAMinute()
	var p *process
	var once sync.Once
	t, ready, left := r.asks(), make(chan struct{}), make(chan int, 1)
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		once.Do(func() {
			<-ready
			for range 5 {
				if v := p.Handle(r.Context(), queue.Delivery{Ref: t.Ref(), Provider: "painter"}); v.Action != queue.Retry {
					r.Errorf("the delivery of a task that is held ended with %+v", v)
				}
			}
			left <- r.granted()
		})
	}}
	p = r.start()
	close(ready)
	r.ends(t.ID, task.Completed)
	r.same(<-left, 1) // the other of the two was its own
}

func lockedTakesNothing(r *rig) {
	r.tenAMinute()
	var locked []*task.Task
	for range 10 {
		locked = append(locked, r.asks())
	}
	app, err := r.tasks.DB().Begin()
	r.check(err)
	defer app.Rollback()
	_, err = app.Exec("UPDATE image_generations SET drama_id = 7")
	r.check(err)
	r.start()
	for _, t := range locked {
		r.in(t.Ref(), queue.Retrying)
	}
	if left := r.granted(); left < 2 {
		r.Errorf("%d of two calls are left", left)
	}
	r.same(r.painter.submits.Load(), int64(0))
}

func triedOnce(r *rig) {
	r.limiter.Breaker = limit.Breaker{Failures: 2, Open: 30 * time.Second}
	r.svc.Retry.Base, r.svc.Retry.Cap = time.Second, 2*time.Second
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.Unavailable, task.NotExecuted)
	}
	r.start()
	r.asksFor(task.Task{Request: task.Request{MaxAttempts: 100}})
	r.until("it was tried", func() bool { return r.painter.submits.Load() == 3 })
	r.passes(time.Second)
	s, err := r.limiter.Status(r.Context(), "painter/main")
	r.check(err)
	if s.ClosedUntil.IsZero() || r.painter.submits.Load() != 3 {
		r.Errorf("after a try that failed it is open to another: %+v", s)
	}
}

func urgentFirst(r *rig) {
	r.svc.Accounts[0].Limits = provider.Limits{InFlight: 1}
	r.forward = r.every // those that come back to the line are not overtaken meanwhile
	var mu sync.Mutex
	var order []string
	r.painter.submit = func(_ context.Context, c provider.Call) (provider.Answer, error) {
		mu.Lock()
		order = append(order, c.Model)
		mu.Unlock()
		<-time.After(10 * time.Second)
		return drawn(pngOf(4, 3)), nil
	}
	r.start()
	for _, next := range []struct {
		model    string
		priority task.Priority
		many     int
	}{{"low", task.Low, 20}, {"normal", task.Normal, 3}, {"urgent", task.High, 3}} {
		for range next.many {
			r.asksFor(task.Task{Request: task.Request{Model: next.model, Priority: next.priority}})
		}
		r.passes(2 * time.Second)
	}
	r.until("they were called", func() bool { return r.painter.submits.Load() >= 9 })
	mu.Lock()
	defer mu.Unlock()
	r.same(order[:9], []string{"low", "urgent", "urgent", "urgent", "normal", "normal", "normal", "low", "low"})
}
