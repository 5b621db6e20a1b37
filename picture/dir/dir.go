// Package dir keeps pictures in a folder. The folder may be shared by several
// processes; it belongs to easel alone.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/easelqueue/easel/picture"
)

// Store is a picture.Store in a folder. Its keys are paths in the folder, and
// no key and no symbolic link leads out of it.
type Store struct {
	path    string // absolute
	baseURL string // without a slash at its end
	root    *os.Root
	create  func(name string) (file, error)
}

// file is the part of *os.File that a Put writes to.
type file interface {
	io.WriteCloser
	Sync() error
}

var _ picture.Store = (*Store)(nil)

const (
	drafts   = ".tmp" // pictures that are still being written; no key begins with a dot
	fileMode = 0o644
	dirMode  = 0o755
)

// New opens the folder, which it creates if need be, and makes sure that it
// can be written to. BaseURL is where picture.Handler serves the store.
func New(folder, baseURL string) (*Store, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("picture folder %s: %w", folder, err)
	}
	s := &Store{path: abs, baseURL: strings.TrimRight(baseURL, "/")}
	if err := os.MkdirAll(abs, dirMode); err != nil {
		return nil, s.explain(err)
	}
	if s.root, err = os.OpenRoot(abs); err != nil {
		return nil, s.explain(err)
	}
	s.create = s.createFile
	if err := s.probe(); err != nil {
		s.root.Close()
		return nil, s.explain(err)
	}
	return s, nil
}

// Close releases the folder.
func (s *Store) Close() error { return s.root.Close() }

// Open returns the picture as it is now; replacing or deleting it does not
// disturb who reads it.
func (s *Store) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := s.accept(ctx, key); err != nil {
		return nil, err
	}
	if err := s.isPicture(key); err != nil {
		return nil, err
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, s.missing(key, err)
	}
	return f, nil
}

// Delete removes the picture, and its folder if that was the last one in it.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.accept(ctx, key); err != nil {
		return err
	}
	err := s.isPicture(key)
	if err == nil {
		err = s.missing(key, s.root.Remove(key))
	}
	if errors.Is(err, picture.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if parent := path.Dir(key); parent != "." {
		_ = s.root.Remove(parent) // refused while there are pictures in it
	}
	return nil
}

// Locate says where the picture is served and where it lies.
func (s *Store) Locate(key string) picture.Location {
	escaped := (&url.URL{Path: "/" + key}).EscapedPath()
	return picture.Location{URL: s.baseURL + escaped, LocalPath: filepath.Join(s.path, filepath.FromSlash(key))}
}

func (s *Store) accept(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return picture.CheckKey(key)
}

// isPicture refuses what is not a file of its own, such as a folder, or a
// symbolic link or pipe that somebody else put there.
func (s *Store) isPicture(key string) error {
	info, err := s.root.Lstat(key)
	switch {
	case err != nil:
		return s.missing(key, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q: %w", key, picture.ErrNotFound)
	}
	return nil
}

// missing turns the ways in which a file is not there into ErrNotFound. Where
// the key goes on after the name of a file, that is ENOTDIR.
func (s *Store) missing(key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%q: %w", key, picture.ErrNotFound)
	}
	return s.explain(err)
}

// explain names the folder, and what its owner can do about it. Nil stays nil.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("picture folder %s: disk full or quota used up: %w", s.path, err)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("picture folder %s: the disk fails: %w", s.path, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("picture folder %s: the disk is read-only: %w", s.path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("picture folder %s: this user may not write or read there: %w", s.path, err)
	}
	return fmt.Errorf("picture folder %s: %w", s.path, err)
}
