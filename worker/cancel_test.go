package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestCancel(t *testing.T) {
	inBubble(t, []claim{
		{"Cancelling a waiting task ends it at once and takes its delivery away", func(r *rig) {
			t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}})
			r.in(t.Ref(), queue.Scheduled)
			gone, err := r.client.Cancel(r.Context(), t.ID)
			r.check(err)
			r.same(facts{"Status": gone.Status, "where": r.where(t.Ref())}, facts{"Status": task.Cancelled, "where": queue.Absent})
		}},
		{"Cancelling a running job calls the provider's cancel", cancelsJob},
		{"Where a job cannot be cancelled its late picture is kept", keepsLateJob},
		{"A cancelled task whose picture has not come says that a retry fetches it, and it does", cancelledOwes},
		{"One that is cancelled while its picture is fetched says so too", cancelledWhileFetched},
		{"A cancel during a call keeps the late picture, and a retry takes it", keepsLateCall},
		{"A picture whose task was deleted meanwhile holds nothing up", deleted},
		{"A retry of a cancelled job that still runs does not buy it again", retryWhileRunning},
	})
}

func (r *rig) cancel(id int64) {
	r.Helper()
	_, err := r.client.Cancel(r.Context(), id)
	r.check(err)
}

func cancelsJob(r *rig) {
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) { return working(0), nil })
	r.painter.cancel = func() error { return nil }
	r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	r.until("the attempt ends", func() bool { return r.states(t.ID)[0] == task.AttemptFailed })
	r.in(t.Ref(), queue.Absent)
	polls := r.painter.polls.Load()
	r.passes(20 * time.Second)
	r.same(facts{"cancels": r.painter.cancels.Load(), "polls": r.painter.polls.Load(), "Status": r.get(t.ID).Status, "ErrorKind": r.attempts(t.ID)[0].ErrorKind},
		facts{"cancels": int64(1), "polls": polls, "Status": task.Cancelled, "ErrorKind": task.Stopped})
}

func keepsLateJob(r *rig) {
	var ready atomic.Bool
	var percent atomic.Int64
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(int(percent.Add(1))), nil
	})
	r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 1 })
	r.cancel(t.ID)
	r.until("the provider refuses", func() bool { return r.painter.cancels.Load() > 0 })
	polls := r.painter.polls.Load()
	r.passes(10 * time.Second)
	if n := r.painter.polls.Load() - polls; n > 25 {
		r.Errorf("it was polled %d times in ten seconds", n)
	}
	ready.Store(true)
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	late := r.get(t.ID)
	r.same(facts{"Status": late.Status, "ImageURL": late.ImageURL, "cancels": r.painter.cancels.Load(), "states": r.states(t.ID)},
		facts{"Status": task.Cancelled, "ImageURL": "", "cancels": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func keepsLateCall(r *rig) {
	taken, answer := r.painter.hangs()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.cancel(t.ID)
	r.passes(5 * time.Second)
	answer <- drawn(pngOf(40, 30))
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.in(t.Ref(), queue.Absent)
	r.same(facts{"Status": r.get(t.ID).Status, "cancels": r.painter.cancels.Load()}, facts{"Status": task.Cancelled, "cancels": int64(0)})

	_, err := r.client.Retry(r.Context(), t.Ref(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func deleted(r *rig) {
	r.svc.Concurrency = 1
	taken, answer := r.painter.hangs()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.exec("DELETE FROM image_generations")
	answer <- drawn(pngOf(40, 30))
	r.in(t.Ref(), queue.Absent)
	next := r.asks()
	answer <- drawn(pngOf(40, 30))
	r.ends(next.ID, task.Completed)
}

func retryWhileRunning(r *rig) {
	var ready atomic.Bool
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	})
	r.start()
	r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.cancel(t.ID)
	r.until("the provider refuses", func() bool { return r.painter.cancels.Load() > 0 })
	_, err := r.client.Retry(r.Context(), t.Ref(), false)
	r.check(err)
	r.passes(20 * time.Second)
	ready.Store(true)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(1), "len results": 1})
}

func cancelledOwes(r *rig) {
	_, alive := r.dead()
	r.start()
	t := r.asks()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.cancel(t.ID)
	r.same(r.get(t.ID).ErrorMsg, "it was cancelled after a call was paid for whose picture had not come yet. A retry fetches it again and does not pay for it twice")
	alive()
	_, err := r.client.Retry(r.Context(), r.get(t.ID).Ref(), false)
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load()}, facts{"ErrorMsg": "", "submits": int64(1)})
}

func cancelledWhileFetched(r *rig) {
	gets, _ := r.dead()
	r.start()
	t := r.asks()
	r.until("it is fetched", func() bool { return gets.Load() > 0 && r.get(t.ID).Status == task.Processing })
	r.cancel(t.ID)
	r.until("it says so", func() bool { return strings.Contains(r.get(t.ID).ErrorMsg, "A retry fetches it") })
	r.same(facts{"Status": r.get(t.ID).Status, "states": r.states(t.ID)}, facts{"Status": task.Cancelled, "states": []task.AttemptState{task.AttemptAnswered}})
}
