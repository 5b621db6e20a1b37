package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestDrain(t *testing.T) {
	inBubble(t, []claim{
		{"A drain hands polled jobs back at once, and another worker ends them", drainsPolls},
		{"A drain hands back what waits for a limit, without a trace", drainsLimits},
		{"A drain lets a call end and keeps its picture", drainsCalls},
		{"A call that outlasts the drain ends as unknown at once", drainOver},
		{"An answer that comes as the drain ends is journalled all the same", lastAnswer},
	})
}

func drainsPolls(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	first := r.start()
	var tasks []*task.Task
	for i := range 20 {
		tasks = append(tasks, r.asksFor(task.Task{Request: task.Request{Prompt: fmt.Sprint("lighthouse ", i)}}))
	}
	r.until("all are polled", func() bool { return r.painter.polls.Load() > 40 })
	began := time.Now()
	r.stop(first)
	if took := time.Since(began); took > 5*time.Second {
		r.Errorf("the drain took %s", took)
	}
	for _, t := range tasks {
		back := r.get(t.ID)
		r.same(facts{"Status": back.Status, "Worker": back.Worker, "FailedTries": back.FailedTries, "Waits": back.Waits, "Crashes": back.Crashes},
			facts{"Status": task.Pending, "Worker": "", "FailedTries": 0, "Waits": 0, "Crashes": 0})
	}
	ready.Store(true)
	r.start()
	for _, t := range tasks {
		r.ends(t.ID, task.Completed)
	}
	r.same(r.painter.submits.Load(), int64(20))
}

func drainsLimits(r *rig) {
	r.check(r.limiter.Close(r.Context(), "painter/main", time.Hour, limit.Why{Reason: "maintenance"}))
	first := r.start()
	t := r.asks()
	before := r.get(t.ID)
	r.passes(5 * time.Second)
	began := time.Now()
	r.stop(first)
	if took := time.Since(began); took > 5*time.Second {
		r.Errorf("the drain took %s", took)
	}
	r.same(facts{"Fence": r.get(t.ID).Fence, "Status": r.get(t.ID).Status}, facts{"Fence": before.Fence, "Status": task.Pending})
	r.same(r.painter.submits.Load(), int64(0))
	r.redis.Del(r.Context(), "easel:limit:{painter/main}:closed")
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func drainsCalls(r *rig) {
	taken, answer := r.painter.hangs()
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	time.AfterFunc(time.Minute, func() { answer <- drawn(pngOf(40, 30)) })
	r.stop(first)
	r.same(facts{"Status": r.get(t.ID).Status, "submits": r.painter.submits.Load()}, facts{"Status": task.Completed, "submits": int64(1)})
}

func drainOver(r *rig) {
	r.drain = 5 * time.Second
	taken, _ := r.painter.hangs()
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.stop(first)
	failed := r.get(t.ID)
	r.same(facts{"Status": failed.Status, "ErrorKind": failed.ErrorKind, "states": r.states(t.ID)},
		facts{"Status": task.Failed, "ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}})
}

func lastAnswer(r *rig) {
	r.drain = 5 * time.Second
	taken := make(chan struct{})
	r.painter.submit = func(ctx context.Context, _ provider.Call) (provider.Answer, error) {
		close(taken)
		<-ctx.Done()
		return working(0), nil
	}
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.stop(first)
	r.same(facts{"Status": r.get(t.ID).Status, "states": r.states(t.ID)}, facts{"Status": task.Pending, "states": []task.AttemptState{task.AttemptAccepted}})
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	r.start()
	r.same(r.ends(t.ID, task.Completed).Crashes, 0)
	r.same(r.painter.submits.Load(), int64(1))
}
