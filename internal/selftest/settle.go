package selftest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/easelqueue/easel/internal/evidence"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// mend ends what is still broken. The producers stop.
func (r *run) mend(ctx context.Context) error {
	r.net.calm()
	err := r.control(ctx, fakeprovider.Control{Calm: true})
	for _, s := range r.slots[workers:] {
		if c := s.process(); c != nil {
			c.drain(30 * time.Second)
		}
	}
	in := asynq.NewInspectorFromRedisClient(r.redis)
	for _, name := range providers {
		_ = in.UnpauseQueue(name) // an error says that it was not paused
	}
	for _, s := range r.slots[:workers] {
		if c := s.process(); c == nil || !c.running() {
			err = errors.Join(err, s.start(ctx))
		}
	}
	return err
}

// settle waits until every task is final and the queue holds nothing but what is
// archived, twice in a row. What has not come so far by then is for the judge.
func (r *run) settle(ctx context.Context) error {
	over := time.Now().Add(settleLimit)
	for calm := 0; calm < 2 && time.Now().Before(over) && ctx.Err() == nil; {
		sleep(ctx, time.Second)
		quiet, left := r.quiet(ctx)
		if calm++; !quiet {
			calm = 0
		}
		r.Progress(r.For, r.For+30*time.Second, "letting it settle: "+left)
	}
	return ctx.Err()
}

func (r *run) quiet(ctx context.Context) (quiet bool, left string) {
	open, err := r.tasks.Count(ctx, store.Filter{Statuses: []task.Status{task.Pending, task.Processing}})
	if err != nil {
		return false, err.Error()
	}
	entries, err := evidence.Deliveries(ctx, r.redis)
	if err != nil {
		return false, err.Error()
	}
	waiting := 0
	for _, e := range entries {
		if e.State != "archived" {
			waiting++
		}
	}
	return open == 0 && waiting == 0, fmt.Sprintf("%d tasks and %d deliveries left", open, waiting)
}
