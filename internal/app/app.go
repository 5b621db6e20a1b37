// Package app wires easel: it is the only room that imports rooms of every kind. New opens
// what they stand on, Run and Work start their loops and wait for them, Close closes.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/dir"
	"github.com/easelqueue/easel/picture/s3"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/worker"
)

const pingLimit = 5 * time.Second

// App is easel wired together.
type App struct {
	Config config.Config
	Log    zerolog.Logger
	Tasks  *store.Store
	Redis  redis.UniversalClient
	Client *enqueue.Client
	Lease  time.Duration // after which a dead worker's tasks are taken back, beside a look of the reconciler

	// Pictures are those of the configuration. Whoever keeps them elsewhere sets it before Run and Work.
	Pictures picture.Lister

	queue   *queue.Queue
	sweep   func(olderThan time.Duration) (int, error) // removes what was only half stored; nil where nothing can be
	limiter *limit.Limiter
	temp    string        // folder for downloads on their way
	poll    time.Duration // of the relay: a database that cannot notify is looked at more often

	working atomic.Pointer[worker.Worker] // nil until it works

	closers []func() error // in the order in which things were opened
}

// New opens all that easel works with. The caller closes it. migrate also
// brings the tables to the newest version.
func New(ctx context.Context, cfg config.Config, log zerolog.Logger, migrate bool) (_ *App, err error) {
	a := &App{Config: cfg, Log: log, Lease: store.DefaultLease, poll: time.Second}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	for _, open := range []func(context.Context) error{a.openRedis, a.openStore} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.starting(ctx, func(ctx context.Context) error { return a.prepareTables(ctx, migrate) }); err != nil {
		return nil, err
	}
	if err := a.openPictures(ctx); err != nil {
		return nil, err
	}
	if err := a.tidy(); err != nil {
		return nil, err
	}
	a.queue = &queue.Queue{Redis: a.Redis, Log: log}
	a.Client = &enqueue.Client{Tasks: a.Tasks, Queue: a.queue, Services: cfg.Services, Log: log}
	a.limiter = &limit.Limiter{Redis: a.Redis, Log: log}
	return a, nil
}

func (a *App) prepareTables(ctx context.Context, migrate bool) error {
	if migrate {
		if _, err := a.Tasks.Migrate(ctx); err != nil {
			return err
		}
	}
	return a.Tasks.Ready(ctx)
}

func (a *App) openRedis(ctx context.Context) (err error) {
	address := string(a.Config.RedisURL)
	if address == "" {
		if err := a.lockData(); err != nil {
			return err
		}
		if address, err = a.embedRedis(); err != nil {
			return err
		}
	}
	if a.Redis, err = queue.Redis(address); err != nil {
		return fmt.Errorf("EASEL_REDIS_URL: %w", err)
	}
	a.closers = append(a.closers, a.Redis.Close)
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if err := a.Redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis at %s does not answer: %w; tasks are safe in the database, start it or check EASEL_REDIS_URL", a.Config.RedisURL, err)
	}
	return nil
}

// embedRedis starts a Redis inside this process. It forgets everything when the
// process ends; the rows bring it back.
func (a *App) embedRedis() (address string, err error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("start the embedded redis: %w", err)
	}
	m.ClockTTL(true)
	a.closers = append(a.closers, func() error { m.Close(); return nil })
	return "redis://" + m.Addr(), nil
}

// lockData keeps a second process from working on a folder whose queue lives in
// the memory of the first.
func (a *App) lockData() error {
	if err := os.MkdirAll(a.Config.Data, 0o755); err != nil {
		return fmt.Errorf("EASEL_DATA: %w; let easel make and write the folder, or name another", err)
	}
	path := filepath.Join(a.Config.Data, "lock")
	unlock, err := lockFile(path)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("another easel works in %s already; stop it, choose another EASEL_DATA, or give both an EASEL_REDIS_URL", a.Config.Data)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	a.closers = append(a.closers, unlock)
	return nil
}

func (a *App) openStore(ctx context.Context) (err error) {
	if a.Tasks, err = Connect(ctx, a.Config); err != nil {
		return err
	}
	a.closers = append(a.closers, a.Tasks.Close)
	if a.Config.DatabaseURL.Scheme() == "sqlite" {
		a.poll = 25 * time.Millisecond
	}
	return nil
}

// openPictures opens the folder or the bucket. A bucket that refuses us is an error
// now; one that is away may come back, and pictures wait for it.
func (a *App) openPictures(ctx context.Context) error {
	shelf, done, err := OpenPictures(a.Config)
	if err != nil {
		return err
	}
	a.Pictures = shelf
	a.closers = append(a.closers, done)
	if folder, ok := shelf.(*dir.Store); ok {
		a.sweep = folder.Sweep
	}
	bucket, ok := shelf.(*s3.Store)
	if !ok {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	var away net.Error
	switch err := bucket.Ready(asking); {
	case err == nil:
	case errors.As(err, &away), errors.Is(err, context.DeadlineExceeded):
		a.Log.Warn().Err(err).Msg("the bucket does not answer; pictures wait until it does")
	default:
		return fmt.Errorf("EASEL_PICTURES: %w", err)
	}
	return nil
}

// OpenPictures opens the place of the pictures, and asks nobody whether it works.
func OpenPictures(cfg config.Config) (shelf picture.Lister, done func() error, err error) {
	at := cfg.PublicURL + picturesPath
	if cfg.InBucket() {
		bucket, err := s3.New(cfg.Bucket(at))
		if err != nil {
			return nil, nil, fmt.Errorf("EASEL_PICTURES: %w", err)
		}
		return bucket, func() error { return nil }, nil
	}
	folder, err := dir.New(cfg.Pictures, at)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; mend it there, or name another folder in EASEL_PICTURES", err)
	}
	return folder, folder.Close, nil
}

// Close closes what New has opened, in the opposite order. It may be called again.
func (a *App) Close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil {
			a.Log.Debug().Err(err).Msg("close")
		}
	}
	a.closers = nil
}

// ready says why this process does not work, or not reliably; see /readyz.
func (a *App) ready() error {
	if w := a.working.Load(); w != nil {
		return w.Ready()
	}
	return errors.New("the worker has not begun to work yet")
}
