package queue

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// unknown stands for what a server does not tell, as some hosted ones do.
const unknown = "unknown"

// Health is what Redis says about itself. A text is "unknown" where it is silent.
type Health struct {
	Version  string
	Role     string // "master" or "slave"
	Eviction string // maxmemory-policy; only noeviction keeps what was published
	AOF      string // "on" or "off"
	Loading  string // "yes" or "no"
	Latency  time.Duration
	Skew     time.Duration // how far its clock is ahead of ours, known to about Latency
}

// Health asks Redis about itself. It is an error only if Redis does not answer.
func (q *Queue) Health(ctx context.Context) (Health, error) {
	h := Health{Version: unknown, Role: unknown, Eviction: unknown, AOF: unknown, Loading: unknown}
	start := time.Now()
	if err := q.Redis.Ping(ctx).Err(); err != nil {
		return h, fmt.Errorf("queue: redis does not answer: %w", err)
	}
	h.Latency = time.Since(start)

	start = time.Now()
	if theirs, err := q.Redis.Time(ctx).Result(); err == nil {
		h.Skew = theirs.Sub(start.Add(time.Since(start) / 2))
	}
	info := q.info(ctx)
	told(&h.Version, info["redis_version"])
	told(&h.Role, info["role"])
	told(&h.Eviction, info["maxmemory_policy"])
	told(&h.AOF, map[string]string{"0": "off", "1": "on"}[info["aof_enabled"]])
	told(&h.Loading, map[string]string{"0": "no", "1": "yes"}[info["loading"]])
	if h.Eviction == unknown {
		if config, err := q.Redis.ConfigGet(ctx, "maxmemory-policy").Result(); err == nil {
			told(&h.Eviction, config["maxmemory-policy"])
		}
	}
	return h, nil
}

// told overwrites field unless the server was silent.
func told(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// info returns the fields of the sections that the server gives out. They are
// asked for one by one, because one that is refused fails a common question.
func (q *Queue) info(ctx context.Context) map[string]string {
	fields := make(map[string]string)
	for _, section := range []string{"server", "memory", "persistence", "replication"} {
		text, err := q.Redis.Info(ctx, section).Result()
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
				fields[name] = value
			}
		}
	}
	return fields
}

// maxSkew is from where on a clock leads asynq astray: its leases are in the
// time of the workers.
const maxSkew = 5 * time.Second

// Problems says, one sentence each, what an operator should change. Only the
// first two kinds lose or stop work; the rows bring back whatever is lost.
func (h Health) Problems() []string {
	var all []string
	if h.Eviction != "noeviction" && h.Eviction != unknown {
		all = append(all, fmt.Sprintf("maxmemory-policy is %s: Redis will throw waiting tasks away when it is full; set it to noeviction", h.Eviction))
	}
	if h.Role == "slave" {
		all = append(all, "this Redis is a read-only replica; connect to its master")
	}
	if h.Loading == "yes" {
		all = append(all, "Redis is still loading its data; wait")
	}
	if h.AOF == "off" {
		all = append(all, "appendonly is off: after a crash of Redis every waiting task is published again from the database; set appendonly yes")
	}
	if h.Skew.Abs() > maxSkew+h.Latency {
		all = append(all, fmt.Sprintf("the clocks of Redis and this machine are %s apart; synchronise them", h.Skew.Abs().Round(time.Second)))
	}
	return all
}
