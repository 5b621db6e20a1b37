package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/callback"
	"github.com/easelqueue/easel/internal/httpserver"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
	"github.com/easelqueue/easel/web"
)

const upHelp = `Run everything in one process: workers for every provider, relay, reconciler,
and the web pages with asynqmon at /queues.

Without configuration the database is a file and the queue lives in the memory
of this process, both under ./easel-data. EASEL_DATABASE_URL and EASEL_REDIS_URL
turn each into a real server; see ` + "`easel help environment`" + `.

^C or SIGTERM: nothing new is begun, what waits is handed back, and calls that are
being paid for may end within EASEL_DRAIN. A second signal ends the process at once.`

func (a *app) upCommand() *cobra.Command {
	return &cobra.Command{Use: "up", Short: "Run everything in one process", Long: upHelp, Args: takes(0, 0),
		Example: "  easel up\n  EASEL_LISTEN=127.0.0.1:9090 easel up\n  EASEL_DATABASE_URL=postgres://… EASEL_REDIS_URL=redis://… easel up",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withEngine(c.Context(), true, func(ctx context.Context, e *engine) error {
				listener, err := listen(ctx, e.cfg)
				if err != nil {
					return err
				}
				a.out.say("pages at %s, queues at %s/queues, data in %s", e.cfg.PublicURL, e.cfg.PublicURL, e.cfg.Data)
				return e.up(ctx, listener)
			})
		}}
}

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{Use: "worker", Short: "Run a worker for every provider, without pages",
		Long: "Run a worker for every provider, with relay and reconciler. As many may run, on as many machines,\nas share a database, a Redis and the place of the pictures. Signals are those of `easel up`.",
		Args: takes(0, 0), Example: "  EASEL_DATABASE_URL=postgres://… EASEL_REDIS_URL=redis://… easel worker",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withEngine(c.Context(), false, func(ctx context.Context, e *engine) error { return e.work(ctx) })
		}}
}

// withEngine wires the program and runs work with it.
func (a *app) withEngine(ctx context.Context, migrate bool, work func(context.Context, *engine) error) error {
	cfg, err := loadConfig(a.env)
	if err != nil {
		return err
	}
	holdMemory(a.env, cfg)
	log := newLog(a.out, cfg)
	e, err := newEngine(ctx, cfg, log, migrate)
	if err != nil {
		return err // and nothing else: `easel doctor` shows the configuration
	}
	defer e.close()
	log.Info().EmbedObject(&cfg).Msg("configuration")
	return work(ctx, e)
}

// overhead is what the process takes besides what its budget lends.
const overhead = 96 << 20

// holdMemory lets the garbage of pictures be collected before it adds to their memory,
// unless GOMEMLIMIT says when.
func holdMemory(env []string, cfg config) {
	if variables(env)["GOMEMLIMIT"] == "" {
		debug.SetMemoryLimit(cfg.Memory.Size + overhead)
	}
}

// newLog writes to stderr: for a person on a terminal, else JSON.
func newLog(o *output, cfg config) zerolog.Logger {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.DurationFieldUnit = time.Millisecond
	log := zerolog.New(o.stderr)
	if cfg.LogFormat == logConsole || cfg.LogFormat == logAuto && o.errTerminal {
		log = zerolog.New(zerolog.ConsoleWriter{Out: o.stderr, TimeFormat: "15:04:05.000", NoColor: !o.errColor})
	}
	return log.Level(cfg.LogLevel).With().Timestamp().Logger()
}

func listen(ctx context.Context, cfg config) (net.Listener, error) {
	var l net.ListenConfig
	listener, err := l.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("EASEL_LISTEN: %w; choose another address", err)
	}
	return listener, nil
}

// up works and serves the pages until ctx ends.
func (e *engine) up(ctx context.Context, listener net.Listener) error {
	site, err := e.site(listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.work(ctx) })
	group.Go(func() error { return (&httpserver.Server{Handler: site}).Run(ctx, listener) })
	return group.Wait()
}

// undecided says of a task's calls whether the last waits for a person's word, and where
// that person looks it up.
func (e *engine) undecided(attempts []task.Attempt) (bool, string) {
	if !e.cfg.Services.Undecided(attempts) {
		return false, ""
	}
	return true, e.cfg.Services.Console(attempts[len(attempts)-1].Provider)
}

// site is the pages. Nobody logs in.
func (e *engine) site(at net.Addr) (http.Handler, error) {
	writable, hosts := e.cfg.access(at)
	queues, err := e.queue.Dashboard("/queues", !writable || e.cfg.Queues != pagesWrite)
	if err != nil {
		return nil, err
	}
	looker := &waiting.Looker{Tasks: e.tasks, Queues: e.queue, Limits: e.limiter, Services: e.cfg.Services}
	site := &web.Site{Tasks: e.tasks, Waits: looker, Actions: e.client, Pictures: e.pictures, Lend: e.cfg.S3.Lend, Queues: queues, Callbacks: e.callbacks(), Ready: e.ready, Log: e.log, ReadOnly: !writable, Hosts: hosts,
		Undecided: e.undecided, Asks: e.cfg.Services.Asks}
	return site.Handler(), nil
}

// callbacks takes in what providers call back.
func (e *engine) callbacks() http.Handler {
	return &callback.Handler{Tasks: e.tasks, Services: e.cfg.Services, Queue: e.queue, Log: e.log}
}

// access says whether pages that listen at an address take changes, and by which
// names they may be called. A listener on loopback is not enough to take
// changes by itself: a proxy before it may let the world in, under its public name.
func (c *config) access(at net.Addr) (writable bool, hosts []string) {
	tcp, ok := at.(*net.TCPAddr)
	listens := ok && tcp.IP.IsLoopback()
	public := c.publicHost()
	named := isLoopback(public)
	hosts = []string{public}
	if listens || named {
		hosts = slices.Concat(hosts, web.LoopbackHosts())
	}
	return c.Pages == pagesWrite || c.Pages == pagesAuto && listens && named, hosts
}

// publicHost is the name by which people call the pages, without its port; an
// IPv6 address is in brackets.
func (c *config) publicHost() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	if name := u.Hostname(); !strings.Contains(name, ":") {
		return name
	}
	return "[" + u.Hostname() + "]"
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(strings.Trim(host, "[]")).IsLoopback()
}
