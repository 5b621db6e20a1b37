package app

import (
	"context"
	"sync"
	"time"

	"github.com/easelqueue/easel/internal/pause"
)

const (
	keptLook  = time.Second      // between two looks at what keeps a process from starting
	keptAfter = 5 * time.Second  // after which it is also said that nobody knows
	keptEvery = 30 * time.Second // how often the same is said again
)

// starting runs f, a part of a start, which waits for what is locked as long as that takes. What it
// waits for is in the log within seconds, and again now and then.
func (a *App) starting(ctx context.Context, f func(ctx context.Context) error) error {
	looking, stop := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() { a.tellWhatKeeps(looking) })
	defer telling.Wait()
	defer stop()
	return f(ctx)
}

func (a *App) tellWhatKeeps(ctx context.Context) {
	began, told := time.Now(), time.Time{}
	for pause.For(ctx, keptLook) == nil {
		if time.Since(told) < keptEvery {
			continue
		}
		locked, err := a.Tasks.LockedTable(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case locked != nil:
			a.Log.Warn().Str("table", locked.Table).Str("processes", locked.Holder).Msg("not started yet: " + locked.Waits())
		case time.Since(began) < keptAfter:
			continue // it only takes its time, or comes again in a moment
		case err != nil:
			a.Log.Warn().Err(err).Msg("not started yet: the database does not answer; this goes on when it does")
		default:
			a.Log.Warn().Msg("not started yet: the database takes its time, and nobody has a table of easel's locked")
		}
		told = time.Now()
	}
}
