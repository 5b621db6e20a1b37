package main

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
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/dir"
	"github.com/easelqueue/easel/picture/s3"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/worker"
)

const pingLimit = 5 * time.Second

// engine is the program wired together. This file and work.go are the only place
// where packages meet.
type engine struct {
	cfg      config
	log      zerolog.Logger
	tasks    *store.Store
	redis    redis.UniversalClient
	queue    *queue.Queue
	client   *enqueue.Client
	pictures picture.Lister
	sweep    func(olderThan time.Duration) (int, error) // removes what was only half stored; nil where nothing can be
	limiter  *limit.Limiter
	temp     string        // folder for downloads on their way
	poll     time.Duration // of the relay: a database that cannot notify is looked at more often

	working atomic.Pointer[worker.Worker] // nil until it works

	closers []func() error // in the order in which things were opened
}

// newEngine opens all that easel works with. The caller closes it. migrate also
// brings the tables to the newest version.
func newEngine(ctx context.Context, cfg config, log zerolog.Logger, migrate bool) (_ *engine, err error) {
	e := &engine{cfg: cfg, log: log, poll: time.Second}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	for _, open := range []func(context.Context) error{e.openRedis, e.openStore} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	if migrate {
		if _, err := e.tasks.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	if err := e.tasks.Ready(ctx); err != nil {
		return nil, err
	}
	if err := e.openPictures(ctx); err != nil {
		return nil, err
	}
	if err := e.tidy(); err != nil {
		return nil, err
	}
	e.queue = &queue.Queue{Redis: e.redis, Log: log}
	e.client = &enqueue.Client{Tasks: e.tasks, Queue: e.queue, Services: cfg.Services, Log: log}
	e.limiter = &limit.Limiter{Redis: e.redis, Log: log}
	return e, nil
}

func (e *engine) openRedis(ctx context.Context) (err error) {
	address := string(e.cfg.RedisURL)
	if address == "" {
		if err := e.lockData(); err != nil {
			return err
		}
		if address, err = e.embedRedis(); err != nil {
			return err
		}
	}
	if e.redis, err = queue.Redis(address); err != nil {
		return fmt.Errorf("EASEL_REDIS_URL: %w", err)
	}
	e.closers = append(e.closers, e.redis.Close)
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if err := e.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis at %s does not answer: %w; tasks are safe in the database, start it or check EASEL_REDIS_URL", e.cfg.RedisURL, err)
	}
	return nil
}

// embedRedis starts a Redis inside this process. It forgets everything when the
// process ends; the rows bring it back.
func (e *engine) embedRedis() (address string, err error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("start the embedded redis: %w", err)
	}
	m.ClockTTL(true)
	e.closers = append(e.closers, func() error { m.Close(); return nil })
	return "redis://" + m.Addr(), nil
}

// lockData keeps a second process from working on a folder whose queue lives in
// the memory of the first.
func (e *engine) lockData() error {
	if err := os.MkdirAll(e.cfg.Data, 0o755); err != nil {
		return fmt.Errorf("EASEL_DATA: %w", err)
	}
	path := filepath.Join(e.cfg.Data, "lock")
	unlock, err := lockFile(path)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("another easel works in %s already; stop it, choose another EASEL_DATA, or give both an EASEL_REDIS_URL", e.cfg.Data)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	e.closers = append(e.closers, unlock)
	return nil
}

func (e *engine) openStore(ctx context.Context) (err error) {
	if e.tasks, err = connect(ctx, e.cfg); err != nil {
		return err
	}
	e.closers = append(e.closers, e.tasks.Close)
	if e.cfg.DatabaseURL.scheme() == "sqlite" {
		e.poll = 25 * time.Millisecond
	}
	return nil
}

// openPictures opens the folder or the bucket. A bucket that refuses us is an error
// now; one that is away may come back, and pictures wait for it.
func (e *engine) openPictures(ctx context.Context) error {
	shelf, done, err := openShelf(e.cfg)
	if err != nil {
		return err
	}
	e.pictures = shelf
	e.closers = append(e.closers, done)
	if folder, ok := shelf.(*dir.Store); ok {
		e.sweep = folder.Sweep
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
		e.log.Warn().Err(err).Msg("the bucket does not answer; pictures wait until it does")
	default:
		return fmt.Errorf("EASEL_PICTURES: %w", err)
	}
	return nil
}

// openShelf opens the place of the pictures, and asks nobody whether it works.
func openShelf(cfg config) (shelf picture.Lister, done func() error, err error) {
	at := cfg.PublicURL + "/pictures"
	if cfg.inBucket() {
		bucket, err := s3.New(cfg.bucket(at))
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

func (e *engine) close() {
	for i := len(e.closers) - 1; i >= 0; i-- {
		if err := e.closers[i](); err != nil {
			e.log.Debug().Err(err).Msg("close")
		}
	}
	e.closers = nil
}

// ready says why this process does not work, or not reliably; see /readyz.
func (e *engine) ready() error {
	if w := e.working.Load(); w != nil {
		return w.Ready()
	}
	return errors.New("the worker has not begun to work yet")
}
