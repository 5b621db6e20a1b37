package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/queue"
)

func TestARedisServesOneDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  sketch: {}\n")
	client, err := queue.Redis(s.redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q := &queue.Queue{Redis: client}
	neighbours := func() error {
		return app.Neighbours(t.Context(), config.Config{}, s.tasks, q)
	}
	announcing, stop := context.WithCancel(t.Context())
	var other sync.WaitGroup
	other.Go(func() { announceUntil(announcing, q, "elsewhere-1") })
	defer other.Wait()
	defer stop()
	servertest.Eventually(t, time.Minute, "the other worker is there", func() bool { return neighbours() != nil })
	for _, command := range []string{"doctor", "worker"} {
		if said := s.easel(1, command); !strings.Contains(said, "which does not know its worker elsewhere-1") || !strings.Contains(said, "ive each database a Redis database of its own") {
			t.Errorf("easel %s: %s", command, said)
		}
	}
	stop()
	other.Wait()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.start("worker")
	servertest.Eventually(t, time.Minute, "a worker announces itself, and its database knows it", func() bool {
		ids, err := q.Announced(t.Context())
		return err == nil && len(ids) == 1 && !slices.Contains(ids, "elsewhere-1") && neighbours() == nil
	})
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, time.Minute, "and again once Redis was emptied", func() bool { ids, err := q.Announced(t.Context()); return err == nil && len(ids) == 1 })
	s.easel(0, "doctor")
}

// announceUntil is a worker of another database.
func announceUntil(ctx context.Context, q *queue.Queue, id string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if q.Announce(ctx, id) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
