package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/callback"
	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
	"github.com/easelqueue/easel/worker/spool"
)

// maxDownloads is how many pictures a worker downloads at a time.
const maxDownloads = 64

// lease is after how long a dead worker's tasks are taken back, beside a look of
// the reconciler. Only tests change it.
var lease = 9 * time.Second

// loop is a Run of something: it ends soon after its context.
type loop func(ctx context.Context) error

// work runs a worker for every provider, with relay and reconciler, until ctx
// ends or one of its loops fails. Then nothing new is begun, what waits is
// handed back, paid calls may end within EASEL_DRAIN, and last of all the lease
// is given up.
func (e *engine) work(ctx context.Context) error {
	self := e.self()
	spooled, err := spool.Open(filepath.Join(e.cfg.Data, spoolFolder), self.ID)
	if err != nil {
		return fmt.Errorf("EASEL_DATA: %w", err)
	}
	defer func() {
		if err := spooled.Close(); err != nil {
			e.log.Warn().Err(err).Msg("close the spool")
		}
	}()
	return together(ctx, func(draining <-chan struct{}) (servers, support []loop) {
		w := e.worker(self, draining)
		w.Spool = spooled
		e.working.Store(w)
		for _, name := range e.cfg.Services.Names() {
			s := &queue.Server{Queue: e.queue, Provider: name, Handler: w.Handle, Concurrency: e.cfg.Services[name].Concurrency, Drain: e.cfg.Drain}
			servers = append(servers, s.Run)
		}
		relay := &enqueue.Relay{Tasks: e.tasks, Queue: e.queue, Services: e.cfg.Services, Every: e.poll, Log: e.log}
		reconciler := &enqueue.Reconciler{Tasks: e.tasks, Queue: e.queue, Services: e.cfg.Services, Lease: lease, Log: e.log}
		cancels := func(ctx context.Context) error { return e.queue.WatchCancels(ctx, e.cancelled(ctx)) }
		hints := func(ctx context.Context) error { return e.queue.WatchWakeUps(ctx, w.Wake) }
		e.log.Info().Str("worker", w.Self.ID).Strs("providers", e.cfg.Services.Names()).Msg("working")
		return append(servers, relay.Run, reconciler.Run, e.sayWhenStopping), []loop{w.Run, e.limiter.Run, cancels, hints}
	})
}

// sayWhenStopping tells a person who waits for the end what is waited for.
func (e *engine) sayWhenStopping(ctx context.Context) error {
	<-ctx.Done()
	e.log.Info().Stringer("drain", e.cfg.Drain).Msg("stopping: nothing new is begun, and calls that are being paid for may end")
	return nil
}

// spoolFolder is where workers keep paid answers while the database is away.
const spoolFolder = "spool"

func (e *engine) self() store.Worker {
	host, _ := os.Hostname()
	return store.Worker{ID: host + "-" + uuid.NewString()[:8], Host: host, PID: os.Getpid(), Version: thisBuild().Version}
}

func (e *engine) worker(self store.Worker, draining <-chan struct{}) *worker.Worker {
	return &worker.Worker{
		Self:         self,
		Tasks:        e.tasks,
		Services:     e.cfg.Services,
		Limiter:      e.limiter,
		Pictures:     e.pictures,
		Checker:      &codec.Checker{Memory: e.cfg.Memory},
		Client:       newClient(&e.cfg),
		Downloads:    &budget.Budget{Size: maxDownloads},
		Redeliveries: e.queue,
		Draining:     draining,
		Annotate:     e.cfg.Annotate,
		CallbackURL:  e.cfg.PublicURL + callback.Path,
		Temp:         e.temp,
		Lease:        lease,
		Log:          e.log,
	}
}

// together runs what hire returns. When ctx ends, or any loop fails, draining is
// closed and the servers are to end; what supports them ends only after they
// have, since running calls still need it.
func together(ctx context.Context, hire func(draining <-chan struct{}) (servers, support []loop)) error {
	helping, ctx := errgroup.WithContext(ctx)
	serving, ctx := errgroup.WithContext(ctx)
	servers, support := hire(ctx.Done())
	supporting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	for _, run := range support {
		helping.Go(func() error { return run(supporting) })
	}
	for _, run := range servers {
		serving.Go(func() error { return run(ctx) })
	}
	err := serving.Wait()
	stop()
	return errors.Join(err, helping.Wait())
}

// cancelled follows a person who cancels a running delivery in asynqmon. The
// page may be an old one: a delivery that the task has left behind is ignored.
func (e *engine) cancelled(ctx context.Context) func(ref task.Ref) {
	return func(ref task.Ref) {
		t, err := e.tasks.Get(ctx, ref.Task)
		if err == nil && t.Delivery == ref.Delivery {
			_, err = e.client.Cancel(ctx, ref.Task)
		}
		if err != nil {
			e.log.Debug().Err(err).Int64("task", ref.Task).Msg("cancel from the dashboard")
		}
	}
}
