package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/pause"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/worker"
)

const (
	announceEvery = 5 * time.Second
	strangeEvery  = time.Minute // how often a worker looks for workers of another database
	strangeLooks  = 3           // how often one that starts does, before it gives up
	strangePause  = 4 * time.Second
	seenFor       = time.Minute // a worker that the database has not heard of for so long is another one's, if it lives
)

// OtherDatabase says that workers of another database use the same Redis.
type OtherDatabase struct {
	Workers  []string
	Database string // ours, without its password
}

// What is what was found, and Do what helps.
func (e *OtherDatabase) What() string {
	return fmt.Sprintf("another easel works on this Redis with another database than %s, which does not know its worker %s: the two take deliveries from each other, and tasks fail as archived by hand",
		e.Database, strings.Join(e.Workers, ", "))
}

func (e *OtherDatabase) Do() string {
	return "give each database a Redis database of its own (the number at the end of EASEL_REDIS_URL, such as redis://HOST:6379/1); to put this one in the place of the other, stop the other's workers and start these 20 seconds later"
}

func (e *OtherDatabase) Error() string { return e.What() + "; " + e.Do() }

// Neighbours returns an *OtherDatabase if workers use this Redis that the database has not
// heard of: it knows each of its own by a random id, which says every few seconds that it lives.
func Neighbours(ctx context.Context, cfg config.Config, s *store.Store, q *queue.Queue) error {
	ids, err := q.Announced(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	ours, err := s.WorkersSeen(ctx)
	if err != nil {
		return err
	}
	strange := slices.DeleteFunc(ids, func(id string) bool {
		return slices.ContainsFunc(ours, func(w store.Worker) bool { return w.ID == id && now.Sub(w.SeenAt) < seenFor })
	})
	if len(strange) == 0 {
		return nil
	}
	return &OtherDatabase{Workers: strange, Database: cfg.DatabaseURL.String()}
}

// alone refuses to work on a Redis that serves another database. Whoever has just come back, or
// whose database has, is seen again by a later look.
func (a *App) alone(ctx context.Context) error {
	for look := 1; ; look++ {
		err := a.starting(ctx, func(ctx context.Context) error { return Neighbours(ctx, a.Config, a.Tasks, a.queue) })
		var other *OtherDatabase
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &other):
			a.Log.Warn().Err(err).Msg("whether another database uses this Redis is not known")
			return nil
		case look == strangeLooks:
			return other
		}
		if pause.For(ctx, strangePause) != nil {
			return nil // the loops end by themselves
		}
	}
}

// announce says in Redis that the worker lives, as long as its database hears so too, and
// in the log if another database has come to use this Redis.
func (a *App) announce(ctx context.Context, w *worker.Worker) error {
	var looked time.Time
	for {
		if w.Ready() == nil {
			if err := a.queue.Announce(ctx, w.Self.ID); err != nil && ctx.Err() == nil {
				a.Log.Debug().Err(err).Msg("this worker is not announced")
			}
		}
		if time.Since(looked) >= strangeEvery {
			looked = time.Now()
			var other *OtherDatabase
			if err := Neighbours(ctx, a.Config, a.Tasks, a.queue); errors.As(err, &other) {
				a.Log.Error().Strs("workers", other.Workers).Msg(other.Error())
			}
		}
		if pause.For(ctx, announceEvery) != nil {
			return nil
		}
	}
}
