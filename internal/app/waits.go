package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
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
	store *store.Store
	say   func(format string, args ...any)
	told  sync.Once // that the one which serves here has another database
	other error     // the same, once it is seen
	close func()
}

// NewWatcher returns what knows why tasks wait. say is told what cannot be seen; the caller
// closes it.
func NewWatcher(cfg config.Config, s *store.Store, say func(format string, args ...any)) *Watcher {
	w := &Watcher{Looker: waiting.Looker{Tasks: s, Services: cfg.Services}, cfg: cfg, store: s, say: say, close: func() {}}
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
	look := func(ctx context.Context) (map[int64]*waiting.Reason, error) { return w.Reasons(ctx, tasks) }
	if w.cfg.RedisURL == "" && slices.ContainsFunc(tasks, func(t task.Task) bool { return !t.Status.Final() }) {
		if world, err := w.elsewhere(ctx); err == nil {
			look = func(ctx context.Context) (map[int64]*waiting.Reason, error) { return w.ReasonsIn(ctx, world, tasks) }
		}
	}
	var all map[int64]*waiting.Reason
	err := w.store.ForPerson(ctx, func(ctx context.Context) (err error) {
		all, err = look(ctx)
		return err
	})
	if err != nil && ctx.Err() == nil {
		w.say("what tasks wait for cannot be seen: %v", err)
	}
	return all
}

// World is how things stand. A *store.Locked if that could not be read for five seconds.
func (w *Watcher) World(ctx context.Context) (world *waiting.World, err error) {
	err = w.store.ForPerson(ctx, func(ctx context.Context) (err error) {
		world, err = w.world(ctx)
		return err
	})
	return world, err
}

func (w *Watcher) world(ctx context.Context) (*waiting.World, error) {
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
	switch err = json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxWorld)).Decode(&world); {
	case err != nil:
		return nil, err
	case world.At.IsZero():
		return nil, errors.New("it is not easel that serves there")
	}
	return &world, w.sameDatabase(ctx, &world)
}

// sameDatabase returns an error, and says so once, if none of the workers that the other
// process sees is in the database of this one. A worker's id is random, and stays in its
// database for as long as it is seen.
func (w *Watcher) sameDatabase(ctx context.Context, world *waiting.World) error {
	if len(world.Workers) == 0 {
		return nil
	}
	ours, err := w.Tasks.WorkersSeen(ctx)
	if err != nil {
		return err
	}
	for _, theirs := range world.Workers {
		if slices.ContainsFunc(ours, func(o store.Worker) bool { return o.ID == theirs.ID }) {
			return nil
		}
	}
	err = fmt.Errorf("the easel at %s works on another database than %s; start this command in its folder, or with its EASEL_DATABASE_URL and EASEL_DATA",
		w.cfg.PageURL("/"), w.cfg.DatabaseURL)
	w.other = err
	w.told.Do(func() { w.say("%v", err) })
	return err
}

// Other says that the easel which serves on this machine works on another database; nil if
// that was not seen.
func (w *Watcher) Other() error { return w.other }

// Close gives back what the watcher has opened.
func (w *Watcher) Close() { w.close() }
