package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/worker/spool"
)

const (
	diskFail = 100 << 20 // a few pictures
	diskWarn = 1 << 30
	skewWarn = 5 * time.Second // asynq's leases are in worker time
)

// checkFolder looks whether files can be made in a folder and how many more
// fit. For one that is not there yet it looks where it will be made.
func checkFolder(name, folder string) finding {
	f := finding{Check: name, Result: bad}
	path, err := filepath.Abs(folder)
	for err == nil {
		if _, err = os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			break
		}
		path, err = filepath.Dir(path), nil
	}
	if err != nil {
		f.Detail, f.Do = plainPathError(err), "Give easel's user the right to read it"
		return f
	}
	probe, err := os.CreateTemp(path, ".doctor-*")
	if err != nil {
		f.Detail, f.Do = plainPathError(err), mendFolder(err)
		return f
	}
	defer os.Remove(probe.Name())
	_, err = probe.Write(make([]byte, 4096))
	if err := errors.Join(err, probe.Sync(), probe.Close()); err != nil {
		f.Detail, f.Do = plainPathError(err), mendFolder(err)
		return f
	}
	free, err := freeBytes(path)
	if err != nil {
		f.Result, f.Detail = warn, path+" can be written; its free space is not known: "+err.Error()
		return f
	}
	f.Detail = fmt.Sprintf("%s can be written, %s free", folder, human.Size(int64(free)))
	switch {
	case free < diskFail:
		f.Do = "Make room: pictures can hardly be stored any more"
	case free < diskWarn:
		f.Result, f.Do = warn, "Make room soon"
	default:
		f.Result = fine
	}
	return f
}

// mendFolder says what may help against a folder that cannot be written.
func mendFolder(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "Mount it for writing, and look why it was not: a disk with errors is mounted read-only"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EIO):
		return "Make room, or mend the disk"
	}
	return "Give easel's user the right to write there"
}

// checkSpool looks for paid answers that have not reached the database.
func checkSpool(data string) finding {
	entries, spoilt, err := spool.Count(filepath.Join(data, spoolFolder))
	f := finding{Check: "spool", Result: fine, Detail: "no paid answer waits for the database"}
	switch {
	case err != nil:
		f.Result, f.Detail, f.Do = bad, plainPathError(err), "Give easel's user the right to read it"
	case spoilt > 0:
		f.Result, f.Detail = warn, fmt.Sprintf("%d paid answers wait for the database, and %d files cannot be read", entries, spoilt)
		f.Do = "Look at the files that end in .bad below " + filepath.Join(data, spoolFolder)
	case entries > 0:
		f.Result, f.Detail = warn, fmt.Sprintf("%d paid answers wait for the database", entries)
		f.Do = "They are written when the database is back; what a dead worker left, the next one with this EASEL_DATA takes over"
	}
	return f
}

func plainPathError(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return fmt.Sprintf("%s cannot be written: %v", p.Path, p.Err)
	}
	return err.Error()
}

func checkDatabase(ctx context.Context, cfg config) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if path, ok := missingFile(cfg); ok {
		return []finding{{Check: "database", Result: fine, Detail: path + " is not there yet; the first `easel up` makes it"}}
	}
	start := time.Now()
	s, err := store.OpenDirect(ctx, string(cfg.DatabaseURL), string(cfg.DirectURL))
	if err != nil {
		return []finding{{Check: "database", Result: bad, Detail: "cannot " + err.Error(), Do: databaseRemedy(err, cfg)}}
	}
	defer s.Close()
	all := []finding{{Check: "database", Result: fine, Detail: fmt.Sprintf("%s answers in %s", cfg.DatabaseURL, human.English.Took(time.Since(start)))}}
	all = append(all, checkPooler(ctx, s)...)
	all = append(all, checkClock(ctx, s))
	tables := checkTables(ctx, s)
	all = append(all, tables)
	if tables.Result == bad {
		return all
	}
	return append(all, checkWorkers(ctx, s))
}

func checkClock(ctx context.Context, s *store.Store) finding {
	f := finding{Check: "clock", Result: fine}
	before := time.Now()
	theirs, err := s.Now(ctx)
	if err != nil {
		return finding{Check: "clock", Result: warn, Detail: "the database does not tell the time: " + err.Error()}
	}
	round := time.Since(before)
	skew := theirs.Sub(before.Add(round / 2)).Abs()
	f.Detail = fmt.Sprintf("%s apart from the database's", human.English.Took(max(skew-round/2, 0)))
	if skew > skewWarn+round {
		f.Result, f.Do = warn, "Synchronise the clocks (NTP)"
	}
	return f
}

func checkTables(ctx context.Context, s *store.Store) finding {
	f := finding{Check: "tables", Result: bad, Do: "Run `easel migrate up`"}
	if err := s.Ready(ctx); err != nil {
		f.Detail = err.Error()
		var foreign *migrations.Foreign
		if errors.As(err, &foreign) {
			f.Detail, f.Do = foreign.What(), foreign.Ways()
		}
		return f
	}
	changes, err := migrations.Status(ctx, s.DB(), s.Dialect())
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	var missing []string
	for _, m := range changes {
		if !m.Applied {
			missing = append(missing, m.Name)
		}
	}
	if len(missing) > 0 {
		f.Detail = "changes are missing: " + strings.Join(missing, ", ")
		return f
	}
	return finding{Check: "tables", Result: fine, Detail: fmt.Sprintf("at the newest version, %d", changes[len(changes)-1].Version)}
}

func checkWorkers(ctx context.Context, s *store.Store) finding {
	workers, err := s.Workers(ctx)
	switch {
	case err != nil:
		return finding{Check: "workers", Result: bad, Detail: err.Error()}
	case len(workers) == 0:
		return finding{Check: "workers", Result: warn, Detail: "none is running", Do: "Start `easel up` or `easel worker`; until then tasks wait"}
	}
	names := make([]string, len(workers))
	for i, w := range workers {
		names[i] = fmt.Sprintf("%s (pid %d)", w.Host, w.PID)
	}
	return finding{Check: "workers", Result: fine, Detail: strings.Join(names, ", ")}
}

func checkRedis(ctx context.Context, cfg config) []finding {
	if cfg.RedisURL == "" {
		return []finding{{Check: "redis", Result: fine, Detail: "none set; `easel up` brings its own, and several machines need EASEL_REDIS_URL"}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, err := queue.Redis(string(cfg.RedisURL))
	if err != nil {
		return []finding{{Check: "redis", Result: bad, Detail: err.Error(), Do: "Correct EASEL_REDIS_URL"}}
	}
	defer client.Close()
	health, err := (&queue.Queue{Redis: client}).Health(ctx)
	if err != nil {
		return []finding{{Check: "redis", Result: bad, Detail: strings.TrimPrefix(err.Error(), "queue: "), Do: "Start Redis, or correct EASEL_REDIS_URL: " + cfg.RedisURL.String()}}
	}
	all := []finding{{Check: "redis", Result: fine, Detail: fmt.Sprintf("%s, version %s, answers in %s", cfg.RedisURL, health.Version, human.English.Took(health.Latency))}}
	for _, problem := range health.Problems() {
		result := warn
		if health.Role == "slave" || health.Loading == "yes" {
			result = bad
		}
		what, do, _ := strings.Cut(problem, "; ")
		all = append(all, finding{Check: "redis", Result: result, Detail: what, Do: do})
	}
	return append(all, checkRights(ctx, &queue.Queue{Redis: client})...)
}
