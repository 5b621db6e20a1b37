package simulation

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func (w *world) inspector() *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(w.person.redis)
}

// decide is a person who goes through failed tasks: every other unknown outcome is
// retried, some of them as not charged.
func (w *world) decide(ctx context.Context) {
	failed, err := w.person.tasks.List(ctx, store.Filter{Statuses: []task.Status{task.Failed}, Limit: store.MaxPage})
	if err != nil {
		panic(err)
	}
	for i := range failed {
		if w.rnd.IntN(3) > 0 {
			w.retry(ctx, &failed[i], w.rnd.IntN(2) == 0)
		}
	}
}

// retry is a person who retries a task, and is told so.
func (w *world) retry(ctx context.Context, t *task.Task, notCharged bool) {
	detail := ""
	if notCharged {
		detail = "not_charged"
	}
	began := time.Now()
	_, err := w.person.client.Retry(ctx, t.Seen(), notCharged)
	var not *store.NotAllowed
	var undecided *enqueue.UnknownOutcome
	switch {
	case err == nil:
		w.book.tell(toldEntry{Began: began, Event: "retry", Task: t.ID, Tag: t.Prompt, Door: "library", Detail: detail})
	case errors.As(err, &undecided): // and nothing was changed
	case !errors.As(err, &not):
		w.book.tell(toldEntry{Began: began, Event: "retry_lost", Task: t.ID, Tag: t.Prompt, Door: "library", Detail: detail})
	}
}

// retrySome and cancelSome are people who act while everything breaks.
func (w *world) retrySome(n int) {
	w.helpers.Go(func() {
		ctx := context.Background()
		failed, err := w.person.tasks.List(ctx, store.Filter{Statuses: []task.Status{task.Failed, task.Cancelled}})
		for i := range failed {
			if err == nil && i < n {
				w.retry(ctx, &failed[i], i%2 == 0)
			}
		}
	})
}

func (w *world) cancelSome(n int) {
	w.helpers.Go(func() {
		ctx := context.Background()
		open, err := w.unfinished(ctx)
		for i := range open {
			if err != nil || i >= n {
				return
			}
			began := time.Now()
			if _, err := w.person.client.Cancel(ctx, task.Seen{Task: open[i].ID}); err == nil {
				w.book.tell(toldEntry{Began: began, Event: "cancel", Task: open[i].ID, Tag: open[i].Prompt, Door: "library"})
			}
		}
	})
}

// vandalise is a person who presses buttons in asynqmon.
func (w *world) vandalise(button int) {
	w.helpers.Go(func() {
		in, name := w.inspector(), w.Providers[button%len(w.Providers)]
		switch (button / len(w.Providers)) % 9 {
		case 0:
			in.PauseQueue(name)
			<-time.After(20 * time.Second)
			in.UnpauseQueue(name)
		case 1:
			w.tellRun(name)
			in.RunAllArchivedTasks(name)
		case 2:
			in.RunAllRetryTasks(name)
		case 3:
			in.ArchiveAllPendingTasks(name)
		case 4:
			in.ArchiveAllRetryTasks(name)
		case 5:
			in.DeleteAllPendingTasks(name)
			in.DeleteAllRetryTasks(name)
		case 6:
			in.DeleteAllArchivedTasks(name)
		case 7:
			in.DeleteQueue(name, true)
		case 8:
			w.cancelInDashboard(in, name)
		}
	})
}

// cancelInDashboard cancels an active delivery, as asynqmon does it. Whoever
// hears it cancels the row; the person is told nothing.
func (w *world) cancelInDashboard(in *asynq.Inspector, name string) {
	active, err := in.ListActiveTasks(name)
	if err != nil || len(active) == 0 {
		return
	}
	in.CancelProcessing(active[0].ID)
}

// tellRun notes that a person is about to run what is archived. Whether that
// brings a row back, nobody tells them.
func (w *world) tellRun(name string) {
	archived, err := w.person.redis.ZRange(context.Background(), "asynq:{"+name+"}:archived", 0, -1).Result()
	if err != nil {
		panic(err)
	}
	for _, delivery := range archived {
		id, _, _ := strings.Cut(delivery, ".")
		number, _ := strconv.ParseInt(id, 10, 64)
		w.book.tell(toldEntry{Event: "retry_lost", Task: number, Door: "dashboard"})
	}
}
