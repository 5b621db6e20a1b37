//go:build unix

// Package spool keeps, in files of this machine, what was paid for and the
// database does not take: while it is away the process that holds an answer may
// die. Each process has a folder of its own, locked while it lives; whoever comes
// later takes over what the dead have left.
package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	version  = 1
	lockName = ".lock"
	suffix   = ".json"
	badEnd   = ".bad" // is added to the name of a file that cannot be read

	// maxFiles and maxBytes bound what one process keeps: answers of an outage in
	// which a thousand calls were out, most of which hold addresses and not pictures.
	maxFiles = 10_000
	maxBytes = 1 << 30
)

// errFull says that no more is kept. What is in memory stays there.
var errFull = errors.New("the spool is full")

// errNewer says that an entry was written by a later release.
var errNewer = errors.New("the entry was written by a later release")

// ErrStays is what a taker returns for an entry that it cannot take and has reported: its
// file stays where it is.
var ErrStays = errors.New("the entry stays in the spool")

// Entry is what a process has learnt of one attempt.
type Entry struct {
	Version int             `json:"v"`
	SavedAt time.Time       `json:"saved_at"`
	Task    int64           `json:"task"`
	Key     string          `json:"attempt_key"` // of the attempt, and the name of the file
	Attempt json.RawMessage `json:"attempt"`
}

// Spool is the folder of one process. It is safe for concurrent use.
type Spool struct {
	root string // of all processes
	own  string
	lock *os.File

	mu    sync.Mutex
	sizes map[string]int64 // of the files, by key
	bytes int64
}

// Open makes the folder of a process below root and locks it. name is new with
// each process.
func Open(root, name string) (*Spool, error) {
	s := &Spool{root: root, own: filepath.Join(root, name), sizes: make(map[string]int64)}
	if err := os.MkdirAll(s.own, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	var err error
	if s.lock, err = lock(s.own); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return s, nil
}

// Close gives the folder up, and removes it if nothing lies in it.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sizes) == 0 {
		remove(s.own)
	}
	return s.lock.Close()
}

// Put keeps what is known of an attempt until Remove. When it returns nil the
// file is on the disk. A second Put of the same attempt takes the place of the first.
func (s *Spool) Put(e Entry) error {
	if e.Key == "" || strings.ContainsAny(e.Key, "/\\.") {
		return fmt.Errorf("spool: %q is no key of an attempt", e.Key)
	}
	e.Version = version
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sizes) >= maxFiles || s.bytes+int64(len(text)) > maxBytes {
		return fmt.Errorf("%w: it holds %d answers, %d bytes", errFull, len(s.sizes), s.bytes)
	}
	if err := write(s.own, e.Key+suffix, text); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.bytes += int64(len(text)) - s.sizes[e.Key]
	s.sizes[e.Key] = int64(len(text))
	return nil
}

// Remove forgets an attempt: the database has it.
func (s *Spool) Remove(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, held := s.sizes[key]
	if !held {
		return nil
	}
	if err := os.Remove(filepath.Join(s.own, key+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("spool: %w", err)
	}
	delete(s.sizes, key)
	s.bytes -= size
	return nil
}

// Adopt hands every entry that dead processes have left to take, and removes
// those for which it returns nil; those of an ErrStays are no error. A file that cannot be read is set aside under
// another name and reported to spoilt; one of a later release is left alone.
func (s *Spool) Adopt(take func(Entry) error, spoilt func(path string, err error)) error {
	folders, err := os.ReadDir(s.root)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	var errs []error
	for _, f := range folders {
		folder := filepath.Join(s.root, f.Name())
		if !f.IsDir() || folder == s.own {
			continue
		}
		held, err := lock(folder)
		if err != nil {
			continue // its process lives, or somebody else adopts
		}
		errs = append(errs, adopt(folder, take, spoilt), held.Close())
	}
	return errors.Join(errs...)
}

func adopt(folder string, take func(Entry) error, spoilt func(string, error)) error {
	files, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range files {
		e, err := read(path)
		switch {
		case errors.Is(err, errNewer):
			spoilt(path, err)
			continue
		case err != nil:
			spoilt(path, errors.Join(err, os.Rename(path, path+badEnd)))
			continue
		}
		err = take(e)
		if errors.Is(err, ErrStays) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.Remove(path))
	}
	remove(folder)
	return errors.Join(errs...)
}

// Count is how many entries lie below root, of living and dead processes, and
// how many files that could not be read.
func Count(root string) (entries, bad int, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case strings.HasSuffix(path, badEnd):
			bad++
		case strings.HasSuffix(path, suffix):
			entries++
		}
		return nil
	})
	return entries, bad, err
}

func read(path string) (Entry, error) {
	var e Entry
	info, err := os.Stat(path)
	if err != nil {
		return e, err
	}
	if !info.Mode().IsRegular() { // a pipe is never read to its end
		return e, errors.New("it is no file")
	}
	if info.Size() > maxBytes {
		return e, fmt.Errorf("it has %d bytes; accepted are up to %d", info.Size(), maxBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, err
	}
	if e.Version > version {
		return e, errNewer
	}
	if e.Version < 1 || e.Key+suffix != filepath.Base(path) {
		return e, errors.New("it is no entry of a spool")
	}
	return e, nil
}

// write makes a file of its whole text or none: a draft first, and the name only
// once that is on the disk.
func write(folder, name string, text []byte) error {
	draft, err := os.CreateTemp(folder, ".draft-*")
	if err != nil {
		return err
	}
	_, err = draft.Write(text)
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), filepath.Join(folder, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock takes a folder for this process, which the operating system ends with
// the process.
func lock(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// remove removes a folder in which nothing lies but its lock and drafts.
func remove(folder string) {
	left, err := filepath.Glob(filepath.Join(folder, "[^.]*"))
	if err != nil || len(left) > 0 {
		return
	}
	_ = os.RemoveAll(folder) // the next who comes tries again
}
