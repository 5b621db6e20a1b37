package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/picture"
)

// Put writes a draft beside the pictures, makes it durable, and only then gives
// it its name, so that every moment of a crash leaves the old picture, the new
// one or none. What a crash leaves of the draft is for Sweep.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, _ string) error {
	if err := s.accept(ctx, key); err != nil {
		return err
	}
	draft := path.Join(drafts, rand.Text())
	err := s.write(draft, picture.Until(ctx, r))
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	crash.At("picture in a file")
	if err == nil {
		err = s.explain(s.place(draft, key))
	}
	if err != nil {
		_ = s.root.Remove(draft) // err says more than this could, and Sweep comes back
	}
	return err
}

// write fills the draft and returns when its bytes are on the disk.
func (s *Store) write(draft string, r io.Reader) error {
	f, err := s.create(draft)
	if err != nil {
		return s.explain(err)
	}
	src := &source{r: r}
	n, err := io.Copy(f, src)
	if err == nil && n > 0 {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	switch {
	case src.err != nil:
		return fmt.Errorf("read the picture to be stored: %w", src.err)
	case err == nil && n == 0:
		return picture.ErrEmpty
	}
	return s.explain(err)
}

// place moves the draft to its key and returns when that is on the disk. A
// Delete may remove a folder that was just made, as long as it is empty; between
// two looks at it the folder is then missing, or there when it was to be made.
func (s *Store) place(draft, key string) error {
	const tries = 20
	parent := path.Dir(key)
	var err error
	for range tries {
		if err = s.root.MkdirAll(parent, dirMode); err == nil {
			err = s.root.Rename(draft, key)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return err
	}
	return s.syncUp(parent)
}

// syncUp makes the names in a folder durable, and its own name, up to the root.
// That is done also when the folder was there already: whoever made it may not
// have come so far.
func (s *Store) syncUp(folder string) error {
	for ; ; folder = path.Dir(folder) {
		d, err := s.root.Open(folder)
		if err != nil {
			return err
		}
		err = d.Sync()
		d.Close()
		if err != nil || folder == "." {
			return err
		}
	}
}

// Sweep removes drafts that nobody has written to for that long and returns how
// many there were. Run it at the start, with a duration longer than any Put.
func (s *Store) Sweep(olderThan time.Duration) (int, error) {
	entries, err := fs.ReadDir(s.root.FS(), drafts)
	if err != nil {
		return 0, s.explain(err)
	}
	removed := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < olderThan {
			continue // somebody else has placed it, or is still writing
		}
		if err := s.root.Remove(path.Join(drafts, e.Name())); err == nil {
			removed++
		} else if !errors.Is(err, fs.ErrNotExist) {
			return removed, s.explain(err)
		}
	}
	return removed, nil
}

// probe fails if the folder cannot be written to.
func (s *Store) probe() error {
	if err := s.root.MkdirAll(drafts, dirMode); err != nil {
		return err
	}
	name := path.Join(drafts, rand.Text())
	if err := s.root.WriteFile(name, []byte("can this folder be written to?"), fileMode); err != nil {
		_ = s.root.Remove(name)
		return err
	}
	return s.root.Remove(name)
}

func (s *Store) createFile(name string) (file, error) {
	return s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
}

// source remembers that reading failed, which is not the folder's fault.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
