package selftest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// kind is one way in which something breaks.
type kind struct {
	help      string
	target    func(r *run) string                                                     // what it meets; empty if it cannot be had now
	do        func(r *run, ctx context.Context, target string, d time.Duration) error // returns when it is over
	lasts     [2]time.Duration                                                        // between these; the same twice is exact
	ambiguous bool                                                                    // it may hide what became of a call
	weight    int                                                                     // how often it is drawn; 0 counts as 1
}

// kinds is every fault, by name.
var kinds = map[string]kind{
	"worker killed":       {"SIGKILL of a worker; another takes its place", aWorker, killSlot, between(1, 3), true, 4},
	"worker frozen":       {"SIGSTOP of a worker beyond its lease, then SIGCONT", aWorker, freezeSlot, between(11, 16), true, 3},
	"worker drained":      {"SIGTERM of a worker; another takes its place", aWorker, drainSlot, between(1, 2), false, 2},
	"producer killed":     {"SIGKILL of a producer between any two of its writes", aProducer, killSlot, between(1, 2), false, 2},
	"redis restarted":     {"Redis ends in good order and starts again", ourRedis, restartRedis, between(1, 3), false, 0},
	"redis killed":        {"SIGKILL of Redis", ourRedis, killRedis, between(1, 4), false, 0},
	"redis emptied":       {"FLUSHALL", always("redis"), emptyRedis, between(0, 0), false, 2},
	"redis frozen":        {"SIGSTOP of Redis, then SIGCONT", ourRedis, freezeRedis, between(20, 45), false, 0},
	"redis evicting":      {"maxmemory of 2 MB with allkeys-lru", ourRedis, evictRedis, between(5, 10), false, 0},
	"postgres restarted":  {"a fast restart: sessions are ended", ourPostgres, restartPostgres, between(1, 3), true, 0},
	"postgres killed":     {"SIGKILL of Postgres", ourPostgres, killPostgres, between(1, 4), true, 0},
	"table flooded":       {"an app inserts 60,000 rows in one statement, and deletes them in another", aServer, floodTable, between(3, 8), false, 0},
	"rows locked":         {"an app's transaction stays open on 40 rows that are waited for", aServer, lockSome, between(12, 27), false, 0},
	"tables locked":       {"LOCK TABLE of everything a worker writes", aServer, lockTables, between(12, 20), false, 0},
	"table altered":       {"ALTER TABLE in a transaction that stays open", aServer, alterTable, between(12, 20), false, 0},
	"connections used up": {"others take all connections of Postgres", ourPostgres, useUpConnections, between(12, 20), false, 0},
	"clock jumped":        {"the clock of Postgres is a minute ahead or behind, and then right again", clockedPostgres, jumpClock, between(3, 15), false, 2},
	"network cut":         {"every connection of a way is reset", aWay, cutWay, between(0, 0), true, 3},
	"network partitioned": {"nothing passes a way in either direction", aWay, toxic("timeout", `{"timeout":0}`, "upstream", "downstream"), between(5, 15), true, 3},
	"network one way":     {"requests pass a way and answers do not", aWay, toxic("timeout", `{"timeout":0}`, "downstream"), between(5, 15), true, 2},
	"network slow":        {"half a second of latency on a way", aWay, toxic("latency", `{"latency":500,"jitter":200}`, "downstream"), between(5, 15), true, 2},
	"network narrow":      {"a kilobyte a second on a way", aWay, toxic("bandwidth", `{"rate":1}`, "downstream"), between(5, 10), true, 0},
	"network cut short":   {"connections of a way end after some bytes", aWay, toxic("limit_data", `{"bytes":700}`, "downstream"), between(3, 8), true, 0},
	"provider storm":      {"429, 503, 500, web pages, cut and missing answers", always("fakeprovider"), storm, between(1, 1), true, 4},
	"provider shut":       {"503 to everything", always("fakeprovider"), shut, between(3, 10), true, 0},
	"storage killed":      {"SIGKILL of the S3 server", ourStorage, killStorage, between(2, 8), false, 2},
	"storage frozen":      {"SIGSTOP of the S3 server, then SIGCONT", ourStorage, freezeStorage, between(5, 15), true, 0},
	"storage full":        {"no room for pictures", fillable, fillStorage, between(5, 12), true, 2},
	"dashboard":           {"Run, Archive, Delete, Cancel or Pause in asynqmon", always("dashboard"), vandalise, between(0, 3), true, 3},
}

// Kinds names every fault.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Help says what the fault of that name does.
func Help(name string) string { return kinds[name].help }

// Known refuses names that are no faults.
func Known(names []string) error {
	for _, name := range names {
		if _, ok := kinds[name]; !ok {
			return fmt.Errorf("fault %q is not known; see `easel-selftest --list`", name)
		}
	}
	return nil
}

func between(a, b int) [2]time.Duration {
	return [2]time.Duration{time.Duration(a) * time.Second, time.Duration(b) * time.Second}
}

// occurrence is one fault that happened.
type occurrence struct {
	Kind, Target string
	At, Until    time.Time
	Ambiguous    bool
}

// attack breaks something every few seconds until ctx ends.
func (r *run) attack(ctx context.Context) error {
	sleep(ctx, calmBefore)
	for ctx.Err() == nil {
		r.strike(ctx)
		sleep(ctx, r.Every/2+time.Duration(r.rnd.Int64N(int64(r.Every))))
	}
	return nil
}

// strike draws a fault and lets it happen beside the others. What another fault
// has already is left alone.
func (r *run) strike(ctx context.Context) {
	name := r.draw()
	k := kinds[name]
	target := k.target(r)
	lasts := k.lasts[0]
	if more := k.lasts[1] - k.lasts[0]; more > 0 {
		lasts += time.Duration(r.rnd.Int64N(int64(more)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if target == "" || r.busy[target] {
		return
	}
	r.busy[target] = true
	r.faults = append(r.faults, occurrence{Kind: name, Target: target, At: time.Now(), Ambiguous: k.ambiguous})
	number := len(r.faults) - 1
	r.helping.Go(func() {
		err := k.do(r, ctx, target, lasts)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy[target] = false
		r.faults[number].Until = time.Now()
		if err != nil && ctx.Err() == nil {
			r.Say(fmt.Sprintf("%s (%s): %v", name, target, err))
		}
	})
}

// staples come again and again, so that even a short run has what makes it bite.
var staples = []string{"worker frozen", "provider storm", "worker killed", "worker frozen"}

const stapleEvery = 5

// draw returns the name of the next fault, by weight.
func (r *run) draw() string {
	names := r.Options.Kinds
	if len(names) == 0 {
		names = Kinds()
		if r.drawn++; r.drawn%stapleEvery == 1 {
			return staples[r.drawn/stapleEvery%len(staples)]
		}
	}
	sum := 0
	for _, name := range names {
		sum += max(kinds[name].weight, 1)
	}
	n := r.rnd.IntN(sum)
	for _, name := range names {
		if n -= max(kinds[name].weight, 1); n < 0 {
			return name
		}
	}
	return names[0]
}
