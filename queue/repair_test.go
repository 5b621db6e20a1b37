package queue

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

func TestRemove(t *testing.T) {
	onBoth(t, claims{
		"Remove deletes what no worker holds": func(t *testing.T, q *Queue) {
			for s, r := range oneOfEach(t, q) {
				err := q.Remove(t.Context(), r)
				if s == Active {
					if !errors.Is(err, ErrActive) || state(t, q, r) != Active {
						t.Errorf("an active one: %v", err)
					}
				} else if err != nil || state(t, q, r) != Absent {
					t.Errorf("one that is %s: %v", s, err)
				}
			}
			must(t, q.Walk(t.Context(), func(r Delivery, s State) error { t.Errorf("%s is still %s", r.Ref, s); return nil }))
			if i, err := inspector(q).GetQueueInfo("openai"); err != nil || i.Size != 1 || i.Active != 1 {
				t.Errorf("asynq counts %+v, %v", i, err)
			}
		},
		"Repair removes what asynq cannot move and nothing else": func(t *testing.T, q *Queue) {
			deliveries := oneOfEach(t, q)
			for id := int64(11); id <= 13; id++ {
				publishAll(t, q, delivery(id))
				begin(t, q, delivery(id), time.Now().Add(30*time.Second))
			}
			ctx := t.Context()
			must(t, q.Redis.ZRem(ctx, "asynq:{openai}:lease", "11.0").Err())         // no lease
			must(t, q.Redis.Del(ctx, "asynq:{openai}:t:12.0").Err())                 // no data
			must(t, q.Redis.HSet(ctx, "asynq:{openai}:t:13.0", "msg", "\xff").Err()) // no message, asynq's recoverer has tried
			must(t, q.Redis.ZAddXX(ctx, "asynq:{openai}:lease", redis.Z{Member: "13.0"}).Err())
			if _, err := inspector(q).GetQueueInfo("openai"); err == nil {
				t.Error("asynq's inspector is not broken, so this test proves nothing")
			}
			n, err := q.Repair(ctx, []string{"openai"})
			if n != 4 || err != nil { // with the orphan of oneOfEach
				t.Errorf("%d removed, %v", n, err)
			}
			for s, r := range deliveries {
				if got := state(t, q, r); s != Orphaned && got != s {
					t.Errorf("one that was %s is %s", s, got)
				}
			}
			if i, err := inspector(q).GetQueueInfo("openai"); err != nil || i.Active != 1 {
				t.Errorf("asynq counts %+v, %v", i, err)
			}
		},
		"What has left the active list meanwhile is not repaired away": func(t *testing.T, q *Queue) {
			for s, r := range oneOfEach(t, q) {
				if _, err := q.remove(t.Context(), r.Queue(), r.Ref.String(), true); err != nil {
					t.Error(err)
				}
				if got := state(t, q, r); s != Orphaned && got != s {
					t.Errorf("one that was %s is %s", s, got)
				}
			}
		},
		"Archive archives what waits and notes why": func(t *testing.T, q *Queue) {
			for s, r := range oneOfEach(t, q) {
				err := q.Archive(t.Context(), r, "a person archived it")
				switch s {
				case Active, Orphaned:
					if !errors.Is(err, ErrActive) {
						t.Errorf("one that is %s: %v", s, err)
					}
				case Absent:
					if err != nil || state(t, q, r) != Absent {
						t.Errorf("one that is absent: %v", err)
					}
				default:
					if i := info(t, q, r); err != nil || i.State != asynq.TaskStateArchived || i.LastErr != "archived: a person archived it" {
						t.Errorf("one that was %s: %v, %s, %q", s, err, i.State, i.LastErr)
					}
				}
			}
			if i, err := inspector(q).GetQueueInfo("openai"); err != nil || i.Archived != 4 || i.Pending+i.Scheduled+i.Retry != 0 {
				t.Errorf("asynq counts %+v, %v", i, err)
			}
		},
		"A long reason is cut and archiving twice changes nothing": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1))
			reason := strings.Repeat("ä", maxReason)
			must(t, q.Archive(t.Context(), delivery(1), reason))
			size := q.Redis.HStrLen(t.Context(), taskKey("openai", "1.0"), "msg").Val()
			must(t, q.Archive(t.Context(), delivery(1), reason))
			if again := q.Redis.HStrLen(t.Context(), taskKey("openai", "1.0"), "msg").Val(); again != size || size > maxReason+200 {
				t.Errorf("the message has %d bytes, then %d", size, again)
			}
			if got := info(t, q, delivery(1)).LastErr; !strings.HasPrefix(reason, strings.TrimPrefix(got, "archived: ")) || len(got) < maxReason-4 {
				t.Errorf("the reason is %q", got)
			}
		},
	})
}
