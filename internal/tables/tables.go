//go:build unix

// Package tables gives tests databases that have easel's tables already. They are
// copies of one that each test process migrates once, which is ten times as quick
// as to migrate each.
package tables

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var migrated = servertest.NewTemplate(migrate)

// Postgres returns the URL of a database as servertest.Postgres does, with tables.
func Postgres(t testing.TB) string {
	t.Helper()
	return migrated.Copy(t)
}

// SQLite returns the address of a new file with tables, which goes when t ends. The
// first call of a process makes the tables, and must not be made in a bubble of
// testing/synctest.
func SQLite(t testing.TB) string {
	t.Helper()
	data, err := File()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "easel.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + file
}

// File is what such a file of SQLite holds.
var File = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "easel-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "easel.db")
	if err := migrate("sqlite:" + file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func migrate(address string) error {
	s, err := store.Open(context.Background(), address)
	if err != nil {
		return err
	}
	_, err = s.Migrate(context.Background())
	return errors.Join(err, s.Close())
}

// Begin begins a with the rest of what a call of t is, and fills in what Begin returns.
func Begin(ctx context.Context, s *store.Store, t *task.Task, a *task.Attempt) error {
	one := t.NewAttempt(a.Key)
	one.Provider, one.Account, one.Endpoint, one.RequestHash, one.Images = a.Provider, a.Account, a.Endpoint, a.RequestHash, a.Images
	begun, err := s.Begin(ctx, one)
	*a = begun
	return err
}

// Err is the error of what also reports something.
func Err(_ bool, err error) error { return err }

// WithRaw is a with these raw files.
func WithRaw(a *task.Attempt, all []task.RawFile) task.Attempt {
	raw := *a
	if err := raw.SetRawFiles(all); err != nil {
		panic(err)
	}
	return raw
}
