package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/callback"
	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/internal/httpserver"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
	"github.com/easelqueue/easel/worker/spool"
)

// maxDownloads is how many pictures a worker downloads at a time.
const maxDownloads = 64

// Run works and serves all that the mux has until ctx ends.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	handler, err := a.mux(listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Work(ctx) })
	group.Go(func() error { return (&httpserver.Server{Handler: handler}).Run(ctx, listener) })
	return group.Wait()
}

// loop is a Run of something: it ends soon after its context.
type loop func(ctx context.Context) error

// Work runs a worker for every provider, with relay and reconciler, until ctx
// ends or one of its loops fails. Then nothing new is begun, what waits is
// handed back, paid calls may end within EASEL_DRAIN, and last of all the lease
// is given up. An *OtherDatabase if the Redis serves another database.
func (a *App) Work(ctx context.Context) error {
	if err := a.alone(ctx); err != nil {
		return err
	}
	self := a.self()
	spooled, err := spool.Open(a.Config.Spool(), self.ID)
	if err != nil {
		return fmt.Errorf("EASEL_DATA: %w", err)
	}
	defer func() {
		if err := spooled.Close(); err != nil {
			a.Log.Warn().Err(err).Msg("close the spool")
		}
	}()
	return together(ctx, func(draining <-chan struct{}) (servers, support []loop) {
		w := a.worker(self, draining)
		w.Spool = spooled
		a.working.Store(w)
		for _, name := range a.Config.Services.Names() {
			s := &queue.Server{Queue: a.queue, Provider: name, Handler: w.Handle, Concurrency: a.Config.Services[name].Concurrency, Drain: a.Config.Drain}
			servers = append(servers, s.Run)
		}
		relay := &enqueue.Relay{Tasks: a.Tasks, Queue: a.queue, Services: a.Config.Services, Every: a.poll, Log: a.Log}
		reconciler := &enqueue.Reconciler{Tasks: a.Tasks, Queue: a.queue, Services: a.Config.Services, Lease: a.Lease, Log: a.Log}
		cancels := func(ctx context.Context) error { return a.queue.WatchCancels(ctx, a.cancelled(ctx)) }
		hints := func(ctx context.Context) error { return a.queue.WatchWakeUps(ctx, w.Wake) }
		announces := func(ctx context.Context) error { return a.announce(ctx, w) }
		a.Log.Info().Str("worker", w.Self.ID).Strs("providers", a.Config.Services.Names()).Msg("working")
		return append(servers, relay.Run, reconciler.Run, a.sayWhenStopping), []loop{w.Run, a.limiter.Run, cancels, hints, announces}
	})
}

// sayWhenStopping tells a person who waits for the end what is waited for.
func (a *App) sayWhenStopping(ctx context.Context) error {
	<-ctx.Done()
	a.Log.Info().Stringer("drain", a.Config.Drain).Msg("stopping: nothing new is begun, and calls that are being paid for may end")
	return nil
}

func (a *App) self() store.Worker {
	host, _ := os.Hostname()
	return store.Worker{ID: host + "-" + uuid.NewString()[:8], Host: host, PID: os.Getpid(), Version: ThisBuild().Version}
}

func (a *App) worker(self store.Worker, draining <-chan struct{}) *worker.Worker {
	return &worker.Worker{
		Self:         self,
		Journal:      a.journal(),
		Leases:       a.Tasks,
		Tasks:        a.Tasks,
		OpenCalls:    a.Tasks,
		Services:     a.Config.Services,
		Limiter:      a.limiter,
		Pictures:     a.Pictures,
		Checker:      &codec.Checker{Memory: a.Config.Memory},
		Client:       a.Config.Client(),
		Downloads:    &budget.Budget{Size: maxDownloads},
		Redeliveries: a.queue,
		Draining:     draining,
		Annotate:     a.Config.Annotate,
		CallbackURL:  a.Config.PublicURL + callback.Path,
		Temp:         a.temp,
		Lease:        a.Lease,
		Log:          a.Log,
	}
}

// journal is through what steps write.
func (a *App) journal() worker.Journal {
	if a.Config.Batched {
		return store.NewBatched(a.Tasks)
	}
	return a.Tasks
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
func (a *App) cancelled(ctx context.Context) func(ref task.Ref) {
	return func(ref task.Ref) {
		t, err := a.Tasks.Get(ctx, ref.Task)
		if err == nil && t.Delivery == ref.Delivery {
			_, err = a.Client.Cancel(ctx, t.Seen())
		}
		if err != nil {
			a.Log.Debug().Err(err).Int64("task", ref.Task).Msg("cancel from the dashboard")
		}
	}
}
