package web

import (
	"context"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// slowTasks are tasks that it takes a second to count.
type slowTasks struct {
	tasks
	counted atomic.Int32
}

func (s *slowTasks) Tally(ctx context.Context, _ store.Filter) ([]store.Tally, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return []store.Tally{{Status: task.Pending, Tasks: int(s.counted.Add(1))}}, nil
}

func TestCount(t *testing.T) {
	told := func(t *testing.T, c *count, s *slowTasks, ctx context.Context) int {
		tally, err := c.tally(ctx, s, store.Filter{})
		if err != nil {
			t.Error(err)
			return 0
		}
		return tally[0].Tasks
	}
	t.Run("However many look, tasks are counted once in a while", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, s := new(count), new(slowTasks)
			for look := range 5 { // every four seconds, from a hundred tabs
				var tabs sync.WaitGroup
				for range 100 {
					tabs.Go(func() {
						if n := told(t, c, s, t.Context()); n != 1 {
							t.Errorf("look %d tells of count %d", look, n)
						}
					})
				}
				tabs.Wait()
				time.Sleep(4 * time.Second)
			}
			time.Sleep(time.Second)
			if n := told(t, c, s, t.Context()); n != 2 {
				t.Errorf("after twenty times as long as it takes it is counted %d times", n)
			}
		})
	})
	t.Run("A count whose reader has gone is made again by one who waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, s := new(count), new(slowTasks)
			leaving, leave := context.WithCancel(t.Context())
			go c.tally(leaving, s, store.Filter{})
			synctest.Wait()
			go func() {
				time.Sleep(time.Second / 2)
				leave()
			}()
			if n := told(t, c, s, t.Context()); n != 1 {
				t.Errorf("told of count %d", n)
			}
		})
	})
	t.Run("A count that began before somebody's change is not kept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, s := new(count), new(slowTasks)
			go c.tally(t.Context(), s, store.Filter{})
			synctest.Wait()
			c.forget()
			time.Sleep(time.Second)
			if n := told(t, c, s, t.Context()); n != 2 {
				t.Errorf("told of count %d", n)
			}
		})
	})
	t.Run("Who changes something sees it counted at once", func(t *testing.T) {
		b := five(t)
		if got := chipsOf(b.get("/"))["failed"]; got != "1" {
			t.Errorf("%s failed", got)
		}
		b.post("/tasks/2/retry", b.seen(2, url.Values{}))
		if got := chipsOf(b.get("/"))["failed"]; got != "0" {
			t.Errorf("%s failed after the retry", got)
		}
	})
}
