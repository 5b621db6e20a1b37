package enqueue

import (
	"context"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// What each part of the package needs of the database. A *store.Store is all of them, and its
// methods say what they promise.

// clientTasks is where a Client stores tasks, and what a person may change about them.
type clientTasks interface {
	intake
	words
}

// intake takes new tasks, and notes which are published.
type intake interface {
	Insert(ctx context.Context, tasks []*task.Task) (fresh []bool, err error)
	InsertNotify(ctx context.Context, tasks []*task.Task) (fresh []bool, err error)
	InsertTx(ctx context.Context, tx store.Tx, tasks []*task.Task) (fresh []bool, err error)
	MarkPublished(ctx context.Context, refs []task.Ref) error
	HasWorkerFor(ctx context.Context, provider string) (bool, error)
}

// words are what a person looks at before he says something of a task, and what he says.
type words interface {
	List(ctx context.Context, f store.Filter) ([]task.Task, error)
	Look(ctx context.Context, id int64) (*store.Looked, error)

	Retry(ctx context.Context, seen task.Seen, notCharged bool) (*task.Task, error)
	BuyAgain(ctx context.Context, seen task.Seen, taken ...task.SeenCall) (*task.Task, error)
	GiveUp(ctx context.Context, seen task.Seen, cost *task.Money) (*task.Task, error)
	Cancel(ctx context.Context, seen task.Seen) (*task.Task, error)
}

// relayTasks is where a Relay finds what nobody has published.
type relayTasks interface {
	Listen(ctx context.Context, woken func()) error
	PublishDue(ctx context.Context, page store.UnpublishedPage, publish func([]task.Task) ([]task.Ref, error)) (store.PublishResult, error)
	HasWorkerFor(ctx context.Context, provider string) (bool, error)
	MarkPublished(ctx context.Context, refs []task.Ref) error
	Archive(ctx context.Context, ref task.Ref, f *task.Failure) (*task.Failure, error)
	ArchiveNeverClaimed(ctx context.Context, refs []task.Ref, f *task.Failure) (int64, error)
}

// reconcilerTasks is what a Reconciler compares with the workers that live and with the queue.
type reconcilerTasks interface {
	watchedWorkers
	compared
}

// watchedWorkers are the workers' heartbeats, and the tasks of those that are dead.
type watchedWorkers interface {
	Observe(ctx context.Context, every time.Duration) (dead []string, err error)
	ResetWatch()
	ReclaimExpired(ctx context.Context, limit int) ([]task.Task, error)
	PruneWorkers(ctx context.Context, after time.Duration) (int64, error)
}

// compared are the rows that deliveries belong to, and what is mended about them.
type compared interface {
	PublishedWaiting(ctx context.Context, after int64, grace time.Duration, looks int) (due []task.Task, next int64, err error)
	Deliveries(ctx context.Context, ids []int64) (map[int64]task.Task, error)
	MarkUnpublished(ctx context.Context, refs []task.Ref) error
	ResetPublished(ctx context.Context) (int64, error)
	Redeliver(ctx context.Context, refs []task.Ref) error
	Archive(ctx context.Context, ref task.Ref, f *task.Failure) (*task.Failure, error)
	MarkUnknownOutcome(ctx context.Context, refs []task.Ref) (int64, error)
}
