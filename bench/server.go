//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/throwaway"
)

// servers are a PostgreSQL that flushes to the disk and a Redis with an append-only file, for this
// run alone. Each measure has a database that is new and a Redis that is empty.
type servers struct {
	postgres, redis *throwaway.Server
	admin           *sqlx.DB // of the database postgres
	client          *redis.Client
	folder          string
}

func start(ctx context.Context, profile bool) (_ *servers, err error) {
	s := &servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	settings := map[string]string{"shared_preload_libraries": "pg_stat_statements", "max_connections": "100", "autovacuum_naptime": "5s"}
	if profile {
		settings["pg_stat_statements.track_planning"] = "on"
		settings["track_wal_io_timing"] = "on"
	}
	if s.postgres, err = throwaway.Postgres(ctx, throwaway.Options{Durable: true, Settings: settings}); err != nil {
		return s, err
	}
	if s.redis, err = throwaway.Redis(ctx, throwaway.Options{Durable: true}); err != nil {
		return s, err
	}
	if s.admin, err = sqlx.ConnectContext(ctx, "postgres", s.postgres.URL); err != nil {
		return s, err
	}
	if _, err = s.admin.ExecContext(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return s, err
	}
	options, err := redis.ParseURL(s.redis.URL)
	if err != nil {
		return s, err
	}
	s.client = redis.NewClient(options)
	s.folder, err = os.MkdirTemp("", "easel-bench-")
	return s, err
}

func (s *servers) Close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	for _, server := range []*throwaway.Server{s.postgres, s.redis} {
		if server != nil {
			errs = append(errs, server.Close())
		}
	}
	if s.folder != "" {
		errs = append(errs, os.RemoveAll(s.folder))
	}
	return errors.Join(errs...)
}

func (s *servers) address(database string) string {
	u, err := url.Parse(s.postgres.URL)
	if err != nil {
		panic(err) // it is ours
	}
	u.Path = "/" + database
	return u.String()
}

func (s *servers) site(database string) (site, error) {
	folder, err := os.MkdirTemp(s.folder, database+"-")
	return site{Postgres: s.address(database), Redis: s.redis.URL, Folder: folder}, err
}

// prepare makes the database that those of the contender are copies of.
func (s *servers) prepare(ctx context.Context, name string) error {
	database := name + "_empty"
	if _, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+database); err != nil {
		return err
	}
	at, err := s.site(database)
	if err != nil {
		return err
	}
	return contenders[name].Create(ctx, at)
}

// fresh is a site on which nothing has happened yet.
func (s *servers) fresh(ctx context.Context, name string) (site, error) {
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS bench WITH (FORCE)",
		"CREATE DATABASE bench TEMPLATE " + name + "_empty",
		"CHECKPOINT",
	} {
		if _, err := s.admin.ExecContext(ctx, statement); err != nil {
			return site{}, fmt.Errorf("%s: %w", statement, err)
		}
	}
	if err := s.client.FlushAll(ctx).Err(); err != nil {
		return site{}, err
	}
	return s.site("bench")
}

// counts is what both servers have been asked. Redis counts what scripts call as commands too, so
// its requests are counted: a pipeline is one.
type counts struct{ requests, statements float64 }

func (s *servers) asked(ctx context.Context) (c counts, err error) {
	info, err := s.client.InfoMap(ctx, "stats").Result()
	if err != nil {
		return c, err
	}
	if _, err := fmt.Sscan(info["Stats"]["total_reads_processed"], &c.requests); err != nil {
		return c, err
	}
	err = s.admin.GetContext(ctx, &c.statements, "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE datname = 'bench'")
	return c, err
}

// Machine is what the figures were taken on.
type Machine struct {
	Processors int     `json:"processors"`
	Go         string  `json:"go"`
	Postgres   string  `json:"postgres"`
	Redis      string  `json:"redis"`
	Flush      float64 `json:"flush_ms"` // the median time to bring 8 KiB to the disk
}

func (s *servers) machine(ctx context.Context) (m Machine, err error) {
	m = Machine{Processors: runtime.NumCPU(), Go: runtime.Version()}
	info, err := s.client.InfoMap(ctx, "server").Result()
	if err != nil {
		return m, err
	}
	m.Redis = info["Server"]["redis_version"]
	if err := s.admin.GetContext(ctx, &m.Postgres, "SELECT split_part(current_setting('server_version'), ' ', 1)"); err != nil {
		return m, err
	}
	m.Flush, err = flush(s.folder)
	return m, err
}

// flush is how many milliseconds the disk takes for a small durable write.
func flush(folder string) (float64, error) {
	f, err := os.CreateTemp(folder, "flush-")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	times := make([]time.Duration, 101)
	for i := range times {
		began := time.Now()
		if _, err := f.WriteAt(make([]byte, 8<<10), 0); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000, nil
}
