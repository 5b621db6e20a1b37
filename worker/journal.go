package worker

import (
	"context"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Journal is the database as a step sees it. Its calls take plain values and may be made
// concurrently; each returns when what it writes is committed. What belongs to the holder of
// a task carries the token of its claim, and comes back as a store.ErrFenced once somebody
// else has taken it. A store.ErrRefused is about the values: the database never takes them.
type Journal interface {
	// Claim takes the task of a delivery for a worker. Exactly one of claim and refusal is
	// returned.
	Claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (*store.Claim, *store.Refusal, error)

	// Begin commits a new attempt as sending, before its call is made, and returns it with
	// its ID, Number and SentAt. After an error the call must not be made.
	Begin(ctx context.Context, a task.Attempt) (task.Attempt, error)

	// Record writes what was learnt, and reports whether it has changed anything.
	Record(ctx context.Context, f store.Fact) (changed bool, err error)

	// Finish writes how the task ends, or that another provider or another try is next. It
	// reports whether the task is completed by it.
	Finish(ctx context.Context, e store.Ending) (completed bool, err error)

	// Release gives the task back, to be taken again after the delay. It spends no try.
	Release(ctx context.Context, held task.Token, after time.Duration, reason string) error

	// History returns what is known of the task's calls and of what they have brought.
	History(ctx context.Context, id int64) (*task.History, error)

	// Attempt returns one call with its answer, which may be megabytes.
	Attempt(ctx context.Context, id int64) (*task.Attempt, error)
}

// leases is how a process keeps what it holds, and learns what it does not hold any more.
type leases interface {
	OpenHeartbeat(limit time.Duration) (*store.HeartbeatConn, error)
	ResetWatch()
	TakeCancelled(ctx context.Context, worker string) ([]int64, error)
	HeldBy(ctx context.Context, worker string) ([]task.Task, error)
	NewestAttempt(ctx context.Context) (int64, error)
}

// tasks is what is done about tasks that cannot be claimed, and about answers in the spool.
type tasks interface {
	Next(ctx context.Context, ref task.Ref) (store.Next, error)
	Get(ctx context.Context, id int64) (*task.Task, error)
	AttemptID(ctx context.Context, key string) (int64, error)
	Workers(ctx context.Context) ([]store.Worker, error)
	Retry(ctx context.Context, seen task.Seen, notCharged bool) (*task.Task, error)
	Archive(ctx context.Context, ref task.Ref, f *task.Failure) (*task.Failure, error)
	MarkUnpublished(ctx context.Context, refs []task.Ref) error
}

// openCalls is how calls are found that no delivery leads to.
type openCalls interface {
	DeadWorkers(ctx context.Context, after string, limit int) ([]string, error)
	ToCollect(ctx context.Context, worker string, after int64, limit int) ([]store.OpenCall, error)
	Deliveries(ctx context.Context, ids []int64) (map[int64]task.Task, error)
	Now(ctx context.Context) (time.Time, error)
}

// redeliveries is the part of the queue that a worker needs.
type redeliveries interface {
	// WasRun reports whether a person took the delivery out of the archive.
	WasRun(ctx context.Context, d queue.Delivery) (bool, error)
}
