package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/store"
)

const openTimeout = 10 * time.Second

// open reads the configuration and opens a database that has easel's tables.
// The caller closes the store.
func (a *app) open(ctx context.Context) (config, *store.Store, error) {
	cfg, err := loadConfig(a.env)
	if err != nil {
		return cfg, nil, err
	}
	if path, ok := missingFile(cfg); ok {
		return cfg, nil, fmt.Errorf("there is no database at %s yet: `easel up`, `easel enqueue` and `easel migrate up` make it (EASEL_DATA and EASEL_DATABASE_URL say where)", path)
	}
	s, err := connect(ctx, cfg)
	if err != nil {
		return cfg, nil, err
	}
	if err := s.Ready(ctx); err != nil {
		s.Close()
		return cfg, nil, err
	}
	return cfg, s, nil
}

// openOrCreate is open for commands that may begin a database in a file: it has
// one owner, so nobody needs to be asked. A server's tables are only ever
// changed by `easel migrate`.
func openOrCreate(ctx context.Context, cfg config) (*store.Store, error) {
	s, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	err = s.Ready(ctx)
	if errors.Is(err, store.ErrNotMigrated) && cfg.DatabaseURL.scheme() == "sqlite" {
		_, err = s.Migrate(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func connect(ctx context.Context, cfg config) (*store.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := store.OpenDirect(ctx, string(cfg.DatabaseURL), string(cfg.DirectURL))
	if err != nil {
		return nil, fmt.Errorf("cannot %w; %s, or see `easel doctor`", err, databaseHint(err, cfg))
	}
	return s, nil
}

// databaseHint is what may help against a database that cannot be reached.
func databaseHint(err error, cfg config) string {
	if errors.Is(err, pq.ErrSSLNotSupported) {
		way := "end EASEL_DATABASE_URL with ?sslmode=disable"
		if _, query, found := strings.Cut(string(cfg.DatabaseURL), "?"); strings.Contains("&"+query, "&sslmode=") {
			way = "say sslmode=disable in EASEL_DATABASE_URL"
		} else if found {
			way = "end EASEL_DATABASE_URL with &sslmode=disable"
		}
		return way + " if the way to the server is to be trusted, or turn SSL on there"
	}
	return "check EASEL_DATABASE_URL (" + cfg.DatabaseURL.String() + ")"
}

// databaseRemedy is databaseHint as a sentence of its own.
func databaseRemedy(err error, cfg config) string {
	hint := databaseHint(err, cfg)
	if errors.Is(err, pq.ErrSSLNotSupported) { // the database runs
		return strings.ToUpper(hint[:1]) + hint[1:]
	}
	return "Start the database, or " + hint
}

// missingFile returns the path of a SQLite database that is not there.
func missingFile(cfg config) (string, bool) {
	path, ok := strings.CutPrefix(string(cfg.DatabaseURL), "sqlite:")
	if !ok {
		return "", false
	}
	_, err := os.Stat(path)
	return path, errors.Is(err, fs.ErrNotExist)
}
