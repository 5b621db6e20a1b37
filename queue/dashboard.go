package queue

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// Dashboard returns asynqmon for the path root, such as "/queues", and all
// below it. It refuses requests that change something and come from another
// site's page; who may come at all is the caller's to decide, for asynqmon
// knows no users. It uses q's client and has nothing to close. It comes before
// the client's first use: what Redis refuses to tell about itself is nothing to it then.
func (q *Queue) Dashboard(root string, readOnly bool) (http.Handler, error) {
	if !strings.HasPrefix(root, "/") {
		return nil, fmt.Errorf("queue: path of the dashboard is %q; it must begin with /", root)
	}
	q.Redis.AddHook(forgiving{})
	pages := asynqmon.New(asynqmon.Options{
		RootPath:         root,
		RedisConnOpt:     shared{q.Redis},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(describe),
		ReadOnly:         readOnly,
	})
	protected := http.NewCrossOriginProtection().Handler(pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		protected.ServeHTTP(w, r)
	}), nil
}

// shared is an asynq.RedisConnOpt that hands out a client which exists.
type shared struct{ client redis.UniversalClient }

func (s shared) MakeRedisClient() any { return s.client }

// describe shows a payload as the task that it is of.
func describe(_ string, data []byte) string {
	p, err := parsePayload(data)
	if err != nil {
		return asynqmon.DefaultPayloadFormatter(Type, data)
	}
	return fmt.Sprintf("task %d, delivery %d — easel show %d", p.Task, p.Delivery, p.Task)
}
