package doctor

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

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/config"
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
func checkFolder(name, folder string) Finding {
	f := Finding{Check: name, Result: Fail}
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
		f.Result, f.Detail = Warn, path+" can be written; its free space is not known: "+err.Error()
		return f
	}
	f.Detail = fmt.Sprintf("%s can be written, %s free", folder, human.Size(int64(free)))
	switch {
	case free < diskFail:
		f.Do = "Make room: pictures can hardly be stored any more"
	case free < diskWarn:
		f.Result, f.Do = Warn, "Make room soon"
	default:
		f.Result = OK
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
func checkSpool(folder string) Finding {
	entries, spoilt, err := spool.Count(folder)
	f := Finding{Check: "spool", Result: OK, Detail: "no paid answer waits for the database"}
	switch {
	case err != nil:
		f.Result, f.Detail, f.Do = Fail, plainPathError(err), "Give easel's user the right to read it"
	case spoilt > 0:
		f.Result, f.Detail = Warn, fmt.Sprintf("%d paid answers wait for the database, and %d files cannot be read", entries, spoilt)
		f.Do = "Look at the files that end in .bad below " + folder
	case entries > 0:
		f.Result, f.Detail = Warn, fmt.Sprintf("%d paid answers wait for the database", entries)
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

func checkDatabase(ctx context.Context, cfg config.Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if path, ok := app.MissingFile(cfg); ok {
		return []Finding{{Check: "database", Result: OK, Detail: path + " is not there yet; the first `easel up` makes it"}}
	}
	start := time.Now()
	s, err := store.OpenDirect(ctx, string(cfg.DatabaseURL), string(cfg.DirectURL))
	if err != nil {
		return []Finding{{Check: "database", Result: Fail, Detail: "cannot " + err.Error(), Do: app.DatabaseRemedy(err, cfg)}}
	}
	defer s.Close()
	all := []Finding{{Check: "database", Result: OK, Detail: fmt.Sprintf("%s answers in %s", cfg.DatabaseURL, human.English.Took(time.Since(start)))}}
	all = append(all, checkPooler(ctx, s)...)
	all = append(all, checkClock(ctx, s))
	tables := checkTables(ctx, s)
	all = append(all, tables)
	if tables.Result == Fail {
		return all
	}
	return append(all, checkWorkers(ctx, s))
}

func checkClock(ctx context.Context, s *store.Store) Finding {
	f := Finding{Check: "clock", Result: OK}
	before := time.Now()
	theirs, err := s.Now(ctx)
	if err != nil {
		return Finding{Check: "clock", Result: Warn, Detail: "the database does not tell the time: " + err.Error()}
	}
	round := time.Since(before)
	skew := theirs.Sub(before.Add(round / 2)).Abs()
	f.Detail = fmt.Sprintf("%s apart from the database's", human.English.Took(max(skew-round/2, 0)))
	if skew > skewWarn+round {
		f.Result, f.Do = Warn, "Synchronise the clocks (NTP)"
	}
	return f
}

func checkTables(ctx context.Context, s *store.Store) Finding {
	f := Finding{Check: "tables", Result: Fail, Do: "Run `easel migrate up`"}
	if err := s.ReadyNow(ctx); err != nil {
		f.Detail = err.Error()
		if locked := new(store.Locked); errors.As(err, &locked) {
			f.Detail, f.Do, _ = strings.Cut(locked.Error(), "; ")
			f.Do = strings.ToUpper(f.Do[:1]) + f.Do[1:]
			return f
		}
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
	return Finding{Check: "tables", Result: OK, Detail: fmt.Sprintf("at the newest version, %d", changes[len(changes)-1].Version)}
}

func checkWorkers(ctx context.Context, s *store.Store) Finding {
	var workers []store.Worker
	err := s.ForPerson(ctx, func(ctx context.Context) (err error) {
		workers, err = s.Workers(ctx)
		return err
	})
	switch {
	case err != nil:
		return Finding{Check: "workers", Result: Fail, Detail: err.Error()}
	case len(workers) == 0:
		return Finding{Check: "workers", Result: Warn, Detail: "none is running", Do: "Start `easel up` or `easel worker`; until then tasks wait"}
	}
	names := make([]string, len(workers))
	for i, w := range workers {
		names[i] = fmt.Sprintf("%s (pid %d)", w.Host, w.PID)
	}
	return Finding{Check: "workers", Result: OK, Detail: strings.Join(names, ", ")}
}

func checkRedis(ctx context.Context, cfg config.Config) []Finding {
	if cfg.RedisURL == "" {
		return []Finding{{Check: "redis", Result: OK, Detail: "none set; `easel up` brings its own, and several machines need EASEL_REDIS_URL"}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, err := queue.Redis(string(cfg.RedisURL))
	if err != nil {
		return []Finding{{Check: "redis", Result: Fail, Detail: err.Error(), Do: "Correct EASEL_REDIS_URL"}}
	}
	defer client.Close()
	health, err := (&queue.Queue{Redis: client}).Health(ctx)
	if err != nil {
		return []Finding{{Check: "redis", Result: Fail, Detail: strings.TrimPrefix(err.Error(), "queue: "), Do: "Start Redis, or correct EASEL_REDIS_URL: " + cfg.RedisURL.String()}}
	}
	all := []Finding{{Check: "redis", Result: OK, Detail: fmt.Sprintf("%s, version %s, answers in %s", cfg.RedisURL, health.Version, human.English.Took(health.Latency))}}
	for _, problem := range health.Problems() {
		result := Warn
		if health.Role == "slave" || health.Loading == "yes" {
			result = Fail
		}
		what, do, _ := strings.Cut(problem, "; ")
		all = append(all, Finding{Check: "redis", Result: result, Detail: what, Do: do})
	}
	return append(all, checkRights(ctx, &queue.Queue{Redis: client})...)
}
