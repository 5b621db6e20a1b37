package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Servers that have nothing to do wait for a message instead of asking Redis a
// hundred times a second. Nothing depends on the message but speed: without it
// a server looks again after Poll.

// wakeUpChannel is where Publish tells the servers of a provider that it has published. Its
// name is one that workers of a former release know.
func wakeUpChannel(provider string) string { return "easel:rings:" + provider }

// wakeUp wakes a server that waits at its empty queues. It holds one signal, so that
// one which comes just before the waiting is not lost.
type wakeUp chan struct{}

func newWakeUp() wakeUp { return make(wakeUp, 1) }

func (a wakeUp) signal() {
	select {
	case a <- struct{}{}:
	default:
	}
}

// listen signals with each message for the provider until ctx ends.
func (a wakeUp) listen(ctx context.Context, client redis.UniversalClient, provider string) {
	sub := client.Subscribe(ctx, wakeUpChannel(provider))
	defer sub.Close()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-messages:
			if !open { // the client was closed
				return
			}
			a.signal()
		}
	}
}

// waiter notes which of a server's queues asynq has found empty. asynq asks for
// them from one goroutine, one script call after the other, each time in another order.
// What becomes due is for all servers, whichever of them moved it: one that
// cannot work on it would otherwise be the only one to try.
type waiter struct {
	queues int
	poll   time.Duration
	wakeUp wakeUp
	wake   func()          // tells all servers of the provider, ours too
	empty  map[string]bool // the queues that were found empty since the last waiting
}

// observe takes note of a script's answer and waits after a round of empty queues,
// until there is a wake-up, Poll is over, or the server drains. Then asynq
// begins another round.
func (i *waiter) observe(ctx context.Context, keys []string, cmd *redis.Cmd, draining <-chan struct{}) {
	switch {
	case isForward(keys):
		if moved, err := cmd.Int(); err == nil && moved > 0 {
			i.wake() // from the goroutine of asynq's forwarder
		}
		return
	case !isDequeue(keys):
		return
	case !errors.Is(cmd.Err(), redis.Nil):
		clear(i.empty)
		return
	}
	// All of them, in whatever order asynq asks: a wake-up that ended the last waiting
	// may have been for any.
	if i.empty[keys[0]] = true; len(i.empty) < i.queues {
		return
	}
	clear(i.empty)
	timer := time.NewTimer(i.poll)
	defer timer.Stop()
	select {
	case <-i.wakeUp:
	case <-timer.C:
	case <-draining:
	case <-ctx.Done():
	}
}

// isDequeue recognises asynq's script that takes a delivery, by its keys: the
// pending, paused, active and lease keys of one queue.
func isDequeue(keys []string) bool {
	return len(keys) == 4 && strings.HasSuffix(keys[0], ":pending") && strings.HasSuffix(keys[3], ":lease")
}

// isForward recognises asynq's script that moves what has become due, by its
// keys: those of the scheduled or retry set and of the pending list.
func isForward(keys []string) bool {
	return len(keys) == 2 && strings.HasSuffix(keys[1], ":pending")
}

// isDone recognises asynq's script that acknowledges a delivery, by its keys: the
// active and lease keys of its queue, its own, and two counters.
func isDone(keys []string) bool {
	return len(keys) == 5 && strings.HasSuffix(keys[0], ":active") && strings.HasSuffix(keys[1], ":lease") && strings.Contains(keys[2], ":t:")
}
