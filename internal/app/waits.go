package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// maxWorld bounds what is read of another process's word on how things stand.
const maxWorld = 4 << 20

// Watcher tells commands why tasks wait. Where the Redis is inside the process of
// `easel up`, it asks that one.
type Watcher struct {
	waiting.Looker
	cfg   config.Config
	say   func(format string, args ...any)
	close func()
}

// NewWatcher returns what knows why tasks wait. say is told what cannot be seen; the caller
// closes it.
func NewWatcher(cfg config.Config, s *store.Store, say func(format string, args ...any)) *Watcher {
	w := &Watcher{Looker: waiting.Looker{Tasks: s, Services: cfg.Services}, cfg: cfg, say: say, close: func() {}}
	if cfg.RedisURL == "" {
		return w
	}
	client, err := queue.Redis(string(cfg.RedisURL))
	if err != nil {
		return w // the configuration has been checked
	}
	w.Queues, w.Limits = &queue.Queue{Redis: client}, &limit.Limiter{Redis: client}
	w.close = func() { _ = client.Close() }
	return w
}

// ReasonsFor says of each task that waits what it waits for. Not to know is no failure of
// the command, which has more to tell.
func (w *Watcher) ReasonsFor(ctx context.Context, tasks []task.Task) map[int64]*waiting.Reason {
	look := func() (map[int64]*waiting.Reason, error) { return w.Reasons(ctx, tasks) }
	if w.cfg.RedisURL == "" && slices.ContainsFunc(tasks, func(t task.Task) bool { return !t.Status.Final() }) {
		if world, err := w.elsewhere(ctx); err == nil {
			look = func() (map[int64]*waiting.Reason, error) { return w.ReasonsIn(ctx, world, tasks) }
		}
	}
	all, err := look()
	if err != nil && ctx.Err() == nil {
		w.say("what tasks wait for cannot be seen: %v", err)
	}
	return all
}

// World is how things stand.
func (w *Watcher) World(ctx context.Context) (*waiting.World, error) {
	if w.cfg.RedisURL == "" {
		if world, err := w.elsewhere(ctx); err == nil {
			return world, nil
		}
	}
	return w.Operations(ctx)
}

// elsewhere asks the `easel up` of this machine.
func (w *Watcher) elsewhere(ctx context.Context) (*waiting.World, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.cfg.PageURL("/operations.json"), nil)
	if err != nil {
		return nil, err
	}
	req.Host = w.cfg.PublicHost()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // through no proxy
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	var world waiting.World
	err = json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxWorld)).Decode(&world)
	if err == nil && world.At.IsZero() {
		err = errors.New("it is not easel that serves there")
	}
	return &world, err
}

// Close gives back what the watcher has opened.
func (w *Watcher) Close() { w.close() }
