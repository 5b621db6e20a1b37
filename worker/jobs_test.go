package worker_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestJobs(t *testing.T) {
	inBubble(t, []claim{
		{"A job is polled, its progress shown, and completed", polledJob},
		{"A poll that fails is no failure of the task", failedPolls},
		{"A hint makes a job be asked after at once", hintedJob},
		{"A service that calls back is told where, and only one that does", calledBack},
		{"A job that never ends is given up at its deadline and not bought again", endlessJob},
	})
}

func polledJob(r *rig) {
	shown := make(chan struct{})
	r.painter.accepts(func(ctx context.Context, n int) (provider.Answer, error) {
		if n == 1 {
			return working(40), nil
		}
		select {
		case <-shown:
			return drawn(pngOf(40, 30)), nil
		case <-ctx.Done():
			return fails(task.Timeout, task.NotExecuted)
		}
	})
	r.start()
	t := r.asks()
	r.until("progress is shown", func() bool { return r.get(t.ID).Progress == 40 })
	r.same(facts{"ProviderJobID": r.get(t.ID).ProviderJobID, "states": r.states(t.ID)},
		facts{"ProviderJobID": "job-1", "states": []task.AttemptState{task.AttemptAccepted}})
	close(shown)
	r.same(r.ends(t.ID, task.Completed).Progress, 100)
	r.same(r.painter.submits.Load(), int64(1))
}

func failedPolls(r *rig) {
	r.svc.Deadline = 20 * time.Second
	r.painter.accepts(func(_ context.Context, n int) (provider.Answer, error) {
		switch n {
		case 1:
			return fails(task.Unavailable, task.NotExecuted)
		case 2:
			return provider.Answer{}, &task.Failure{Kind: task.RateLimited, Executed: task.NotExecuted, RetryAfter: 24 * time.Hour}
		}
		return drawn(pngOf(40, 30)), nil
	})
	r.start()
	t := r.asks()
	began := time.Now()
	r.same(r.ends(t.ID, task.Completed).FailedTries, 0)
	r.same(r.painter.submits.Load(), int64(1))
	if took := time.Since(began); took > r.svc.Deadline+5*time.Second {
		r.Errorf("a poll waited for %s, beyond the deadline of its job", took)
	}
}

func hintedJob(r *rig) {
	r.painter.accepts(func(_ context.Context, n int) (provider.Answer, error) {
		if n == 1 {
			return provider.Answer{Handle: json.RawMessage(`{"job":1}`), PollAfter: 10 * time.Minute}, nil
		}
		return drawn(pngOf(40, 30)), nil
	})
	p := r.start()
	t := r.asks()
	r.until("it is polled", func() bool { return r.painter.polls.Load() == 1 })
	began := time.Now()
	p.Wake(t.ID)
	p.Wake(t.ID + 1) // of no concern to this process
	r.ends(t.ID, task.Completed)
	if took := time.Since(began); took > time.Minute {
		r.Errorf("it took %s", took)
	}
}

func calledBack(r *rig) {
	r.equip = func(w *worker.Worker) { w.CallbackURL = "https://easel.test/callbacks/" }
	r.start()
	r.ends(r.asks().ID, task.Completed)
	r.painter.can.Callback = true
	r.ends(r.asks().ID, task.Completed)
	r.svc.Accounts[0].Callbacks = true
	t := r.asks()
	r.ends(t.ID, task.Completed)
	attempts, err := r.tasks.Attempts(r.Context(), t.ID)
	r.check(err)
	var urls []string
	for _, c := range r.painter.calls {
		urls = append(urls, c.CallbackURL)
	}
	r.same(urls, []string{"", "", "https://easel.test/callbacks/painter/" + attempts[0].Key})
}

func endlessJob(r *rig) {
	r.svc.Deadline = 20 * time.Second
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) { return working(0), nil })
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Timeout, "states": []task.AttemptState{task.AttemptAccepted}})

	// A person looks again: the job is asked after by its handle.
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()}, facts{"submits": int64(1), "recovers": int64(0)})
}
