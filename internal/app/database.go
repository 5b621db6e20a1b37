package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/store"
)

const openTimeout = 10 * time.Second

// OpenDatabase opens a database that has easel's tables, for a command that a person waits for.
// The caller closes the store.
func OpenDatabase(ctx context.Context, cfg config.Config) (*store.Store, error) {
	if err := NoDatabase(cfg); err != nil {
		return nil, err
	}
	s, err := Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.ReadyNow(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// OpenOrCreate is OpenDatabase for commands that may begin a database in a file: it has
// one owner, so nobody needs to be asked. A server's tables are only ever
// changed by `easel migrate`.
func OpenOrCreate(ctx context.Context, cfg config.Config) (*store.Store, error) {
	s, err := Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	err = s.ReadyNow(ctx)
	if errors.Is(err, store.ErrNotMigrated) && cfg.DatabaseURL.Scheme() == "sqlite" {
		_, err = s.Migrate(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Connect opens the database, whatever is in it. The caller closes the store.
func Connect(ctx context.Context, cfg config.Config) (*store.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := store.OpenDirect(ctx, string(cfg.DatabaseURL), string(cfg.DirectURL))
	if err != nil {
		return nil, fmt.Errorf("cannot %w; %s, or see `easel doctor`", err, databaseHint(err, cfg))
	}
	return s, nil
}

// databaseHint is what may help against a database that cannot be reached.
func databaseHint(err error, cfg config.Config) string {
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

// DatabaseRemedy is databaseHint as a sentence of its own.
func DatabaseRemedy(err error, cfg config.Config) string {
	hint := databaseHint(err, cfg)
	if errors.Is(err, pq.ErrSSLNotSupported) { // the database runs
		return strings.ToUpper(hint[:1]) + hint[1:]
	}
	return "Start the database, or " + hint
}

// NoDatabase says that the database's file is not there, and where it would be; nil if it is
// there, or is on a server.
func NoDatabase(cfg config.Config) error {
	path, missing := MissingFile(cfg)
	if !missing {
		return nil
	}
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return fmt.Errorf("there is no database at %s. Start this command in the folder where `easel up` runs, or say with EASEL_DATA or EASEL_DATABASE_URL where its database is; a new one is made by `easel up` and `easel migrate up`", path)
}

// MissingFile returns the path of a SQLite database that is not there.
func MissingFile(cfg config.Config) (string, bool) {
	path, ok := strings.CutPrefix(string(cfg.DatabaseURL), "sqlite:")
	if !ok {
		return "", false
	}
	_, err := os.Stat(path)
	return path, errors.Is(err, fs.ErrNotExist)
}
