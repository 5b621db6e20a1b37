package app

import (
	"context"
	"errors"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/callback"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/httpserver"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
	"github.com/easelqueue/easel/web"
)

// Run works and serves the pages until ctx ends.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	site, err := a.site(listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Work(ctx) })
	group.Go(func() error { return (&httpserver.Server{Handler: site}).Run(ctx, listener) })
	return group.Wait()
}

// undecided says of a task's calls whether the last waits for a person's word, and where
// that person looks it up.
func (a *App) undecided(attempts []task.Attempt) (bool, string) {
	if !a.Config.Services.Undecided(attempts) {
		return false, ""
	}
	return true, a.Config.Services.Console(attempts[len(attempts)-1].Provider)
}

// site is the pages. Nobody logs in.
func (a *App) site(at net.Addr) (http.Handler, error) {
	writable, hosts := a.Config.Access(at)
	queues, err := a.queue.Dashboard("/queues", !writable || a.Config.Queues != config.Write)
	if err != nil {
		return nil, err
	}
	looker := &waiting.Looker{Tasks: a.Tasks, Queues: a.queue, Limits: a.limiter, Services: a.Config.Services}
	site := &web.Site{Tasks: a.Tasks, Waits: looker, Actions: a.Client, Pictures: a.pictures, Lend: a.Config.S3.Lend, Queues: queues, Callbacks: a.callbacks(), Ready: a.ready, Log: a.Log, ReadOnly: !writable, Hosts: hosts,
		Undecided: a.undecided, Asks: a.Config.Services.Asks}
	return site.Handler(), nil
}

// callbacks takes in what providers call back.
func (a *App) callbacks() http.Handler {
	return &callback.Handler{Tasks: a.Tasks, Services: a.Config.Services, Queue: a.queue, Log: a.Log}
}
