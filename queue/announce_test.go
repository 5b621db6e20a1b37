package queue

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestAnnounced(t *testing.T) {
	onBoth(t, claims{
		"Who has said so before the clock of Redis was set back is not there, and is forgotten": func(t *testing.T, q *Queue) {
			later := float64(time.Now().Add(time.Hour).Unix())
			must(t, q.Redis.ZAdd(t.Context(), workersKey, redis.Z{Score: later, Member: "gone-1"}, redis.Z{Score: later, Member: "here-1"}).Err())
			must(t, q.Announce(t.Context(), "here-1"))
			ids, err := q.Announced(t.Context())
			must(t, err)
			left, err := q.Redis.ZCard(t.Context(), workersKey).Result()
			must(t, err)
			if diff := cmp.Diff([]string{"here-1"}, ids); diff != "" || left != 1 {
				t.Errorf("%d are left\n%s", left, diff)
			}
		},
	})
}
