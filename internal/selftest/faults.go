package selftest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hibiken/asynq"

	"github.com/easelqueue/easel/internal/fakeprovider"
)

func always(target string) func(*run) string { return func(*run) string { return target } }

func aWorker(r *run) string   { return r.slots[r.rnd.IntN(workers)].name() }
func aProducer(r *run) string { return r.slots[workers+r.rnd.IntN(producers)].name() }

func ourRedis(r *run) string {
	if r.redisAt == nil {
		return ""
	}
	return "redis"
}

func ourPostgres(r *run) string {
	if r.database == nil {
		return ""
	}
	return "postgres"
}

func ourStorage(r *run) string {
	if r.storage == nil {
		return ""
	}
	return "storage"
}

func fillable(r *run) string {
	if !r.full {
		return ""
	}
	return "pictures"
}

// aWay is a proxy: that of one process to one server, or that of callbacks.
func aWay(r *run) string {
	to := []string{"redis", "database", "fakeprovider", "storage", callbacks}[r.rnd.IntN(5)]
	switch {
	case to == callbacks:
		return callbacks
	case to == "database" && strings.HasPrefix(r.databaseURL, "sqlite:"), to == "storage" && r.storage == nil:
		to = "redis"
	}
	return r.slots[r.rnd.IntN(len(r.slots))].proxy(to)
}

func (r *run) slot(name string) *slot {
	i := slices.IndexFunc(r.slots, func(s *slot) bool { return s.name() == name })
	return r.slots[i]
}

func killSlot(r *run, ctx context.Context, name string, d time.Duration) error {
	s := r.slot(name)
	s.kill()
	sleep(ctx, d)
	return s.start(context.WithoutCancel(ctx))
}

func drainSlot(r *run, ctx context.Context, name string, d time.Duration) error {
	s := r.slot(name)
	if c := s.process(); c != nil {
		c.drain(40 * time.Second)
	}
	sleep(ctx, d)
	return s.start(context.WithoutCancel(ctx))
}

func freezeSlot(r *run, ctx context.Context, name string, d time.Duration) error {
	c := r.slot(name).process()
	if c == nil || !c.running() {
		return nil
	}
	c.signal(syscall.SIGSTOP)
	sleep(ctx, d)
	c.signal(syscall.SIGCONT)
	return nil
}

func again(ctx context.Context, s server, end func() error, d time.Duration) error {
	if err := end(); err != nil {
		return err
	}
	sleep(ctx, d)
	return s.Restart(context.WithoutCancel(ctx))
}

func restartRedis(r *run, ctx context.Context, _ string, d time.Duration) error {
	return again(ctx, r.redisAt, r.redisAt.Stop, d)
}

func killRedis(r *run, ctx context.Context, _ string, d time.Duration) error {
	return again(ctx, r.redisAt, r.redisAt.Kill, d)
}

func restartPostgres(r *run, ctx context.Context, _ string, d time.Duration) error {
	return again(ctx, r.database, r.database.Stop, d)
}

func killPostgres(r *run, ctx context.Context, _ string, d time.Duration) error {
	return again(ctx, r.database, r.database.Kill, d)
}

func emptyRedis(r *run, ctx context.Context, _ string, _ time.Duration) error {
	return r.redis.FlushDB(ctx).Err()
}

func freezeRedis(r *run, ctx context.Context, _ string, d time.Duration) error {
	return freeze(ctx, r.redisAt, d)
}

func killStorage(r *run, ctx context.Context, _ string, d time.Duration) error {
	return again(ctx, r.storage, r.storage.Kill, d)
}

func freezeStorage(r *run, ctx context.Context, _ string, d time.Duration) error {
	return freeze(ctx, r.storage, d)
}

func freeze(ctx context.Context, s server, d time.Duration) error {
	pid := s.Pid()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	sleep(ctx, d)
	return syscall.Kill(pid, syscall.SIGCONT)
}

func evictRedis(r *run, ctx context.Context, _ string, d time.Duration) error {
	set := func(ctx context.Context, memory, policy string) error {
		return errors.Join(r.redis.ConfigSet(ctx, "maxmemory", memory).Err(), r.redis.ConfigSet(ctx, "maxmemory-policy", policy).Err())
	}
	err := set(ctx, "2mb", "allkeys-lru")
	sleep(ctx, d)
	return errors.Join(err, set(context.WithoutCancel(ctx), "0", "noeviction"))
}

func cutWay(r *run, _ context.Context, way string, _ time.Duration) error { return r.net.cut(way) }

// toxic spoils a way for a while.
func toxic(kind, attributes string, streams ...string) func(*run, context.Context, string, time.Duration) error {
	return func(r *run, ctx context.Context, way string, d time.Duration) error {
		var errs []error
		for _, stream := range streams {
			undo, err := r.net.spoil(way, kind, stream, attributes)
			errs = append(errs, err)
			if err == nil {
				defer undo()
			}
		}
		sleep(ctx, d)
		return errors.Join(errs...)
	}
}

// storm dooms some of the next calls.
func storm(r *run, ctx context.Context, _ string, _ time.Duration) error {
	all := []string{fakeprovider.Busy, fakeprovider.TooMany, fakeprovider.Own, fakeprovider.Gateway, fakeprovider.Fails, fakeprovider.Broken, fakeprovider.Cut, fakeprovider.Hang, fakeprovider.Page, ""}
	var faults []string
	for i := range 16 {
		faults = append(faults, all[(i*7+int(time.Now().UnixNano()%13))%len(all)])
	}
	return r.control(ctx, fakeprovider.Control{Faults: faults})
}

func shut(r *run, ctx context.Context, _ string, d time.Duration) error {
	err := r.control(ctx, fakeprovider.Control{ShutMillis: int(d.Milliseconds())})
	sleep(ctx, d)
	return err
}

// control tells the fake provider what is to become of it.
func (r *run) control(ctx context.Context, c fakeprovider.Control) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.fakeproviderURL+"/control", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the fake provider answers %s", resp.Status)
	}
	return nil
}

// fillStorage leaves no room on the file system of the pictures.
func fillStorage(r *run, ctx context.Context, _ string, d time.Duration) error {
	path := filepath.Join(r.storing, ".ballast")
	ballast, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for err == nil && ctx.Err() == nil {
		_, err = ballast.Write(block)
	}
	closed := ballast.Close()
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	sleep(ctx, d)
	return errors.Join(err, closed, os.Remove(path))
}

// vandalise is a person who presses buttons in asynqmon.
func vandalise(r *run, ctx context.Context, _ string, d time.Duration) error {
	in := asynq.NewInspectorFromRedisClient(r.redis)
	number := int(time.Now().UnixNano() / 1000)
	name := providers[number%len(providers)]
	switch number / len(providers) % 8 {
	case 0:
		if err := in.PauseQueue(name); err == nil {
			sleep(ctx, d)
			return in.UnpauseQueue(name)
		}
	case 1:
		r.tellRun(ctx, name)
		_, _ = in.RunAllArchivedTasks(name)
	case 2:
		_, _ = in.RunAllRetryTasks(name)
	case 3:
		_, _ = in.ArchiveAllPendingTasks(name)
	case 4:
		_, _ = in.ArchiveAllRetryTasks(name)
	case 5:
		_, _ = in.DeleteAllPendingTasks(name)
		_, _ = in.DeleteAllRetryTasks(name)
	case 6:
		_, _ = in.DeleteAllArchivedTasks(name)
	case 7:
		if active, err := in.ListActiveTasks(name); err == nil && len(active) > 0 {
			_ = in.CancelProcessing(active[0].ID)
		}
	}
	return nil // a queue that is not there yet, or a Redis that is away, is no fault of the test
}

// tellRun notes that a person is about to run what is archived. Whether that
// brings a row back nobody tells them.
func (r *run) tellRun(ctx context.Context, name string) {
	archived, err := r.redis.ZRange(ctx, "asynq:{"+name+"}:archived", 0, -1).Result()
	if err != nil {
		return
	}
	for _, delivery := range archived {
		id, _, _ := strings.Cut(delivery, ".")
		if number, err := strconv.ParseInt(id, 10, 64); err == nil {
			r.tell(told{Event: "retry_lost", Task: number, Door: "dashboard"})
		}
	}
}
