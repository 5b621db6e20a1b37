package dir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/picturetest"
)

func open(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := New(folder, "http://localhost:8080/pictures/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *Store, key, data string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(data), "image/png"); err != nil {
		t.Fatal(err)
	}
}

// files lists the paths of all files and links below a folder.
func files(t *testing.T, folder string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(folder, p)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStore(t *testing.T) {
	picturetest.Run(t, func(t *testing.T) picture.Store { return open(t, t.TempDir()) })
}

func TestNew(t *testing.T) {
	t.Run("A missing folder is created", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "a", "b")
		put(t, open(t, folder), "1.png", "x")
		if got := files(t, folder); !cmp.Equal(got, []string{"1.png"}) {
			t.Errorf("the folder holds %q", got)
		}
	})
	t.Run("A folder that cannot be is refused by name", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{file, filepath.Join(file, "below")} {
			if _, err := New(folder, ""); err == nil || !strings.Contains(err.Error(), "picture folder "+folder) {
				t.Errorf("%s: got %v", folder, err)
			}
		}
	})
	t.Run("A folder that cannot be written to is refused", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, drafts), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(folder, ""); err == nil || !strings.Contains(err.Error(), folder) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Pictures outlive the store that put them", func(t *testing.T) {
		folder := t.TempDir()
		put(t, open(t, folder), "7/1-0.png", "x")
		r, err := open(t, folder).Open(t.Context(), "7/1-0.png")
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	})
}

func TestLocate(t *testing.T) {
	folder := t.TempDir()
	got := open(t, folder).Locate("7/1 0?.png")
	want := picture.Location{URL: "http://localhost:8080/pictures/7/1%200%3F.png", LocalPath: filepath.Join(folder, "7", "1 0?.png")}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDelete(t *testing.T) {
	t.Run("The last picture of a task takes the folder with it", func(t *testing.T) {
		folder := t.TempDir()
		s := open(t, folder)
		put(t, s, "7/1-0.png", "x")
		put(t, s, "7/1-1.png", "y")
		for _, key := range []string{"7/1-0.png", "7/1-1.png"} {
			if _, err := os.Stat(filepath.Join(folder, "7")); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(filepath.Join(folder, "7")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder is still there: %v", err)
		}
	})
	t.Run("Puts and deletes at the same time do not disturb each other", func(t *testing.T) {
		s := open(t, t.TempDir())
		var wg sync.WaitGroup
		for _, key := range []string{"7/1-0.png", "7/1-1.png", "7/1-2.png", "7/1-3.png"} {
			wg.Go(func() {
				for range 100 {
					if err := s.Put(t.Context(), key, strings.NewReader("x"), ""); err != nil {
						t.Errorf("put: %v", err)
					}
					if err := s.Delete(t.Context(), key); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// badDisk is a file whose named operation fails.
type badDisk struct {
	file
	op  string
	err error
}

func (b badDisk) Write(p []byte) (int, error) {
	if b.op == "write" {
		n, _ := b.file.Write(p[:len(p)/2])
		return n, b.err
	}
	return b.file.Write(p)
}

func (b badDisk) Sync() error {
	if b.op == "sync" {
		return b.err
	}
	return b.file.Sync()
}

func (b badDisk) Close() error {
	err := b.file.Close()
	if b.op == "close" {
		return b.err
	}
	return err
}

func TestBadDisk(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "close"} {
		for _, fault := range []struct {
			err    error
			phrase string
		}{{syscall.ENOSPC, "disk full"}, {syscall.EDQUOT, "disk full"}, {syscall.EIO, "the disk fails"}, {syscall.EROFS, "read-only"}, {syscall.EACCES, "may not write"}} {
			t.Run("A disk that fails to "+op+" with "+fault.err.Error()+" is named and leaves nothing", func(t *testing.T) {
				folder := t.TempDir()
				s := open(t, folder)
				put(t, s, "7/1-0.png", "old")
				s.create = func(name string) (file, error) {
					if op == "create" {
						return nil, fault.err
					}
					f, err := s.createFile(name)
					return badDisk{f, op, fault.err}, err
				}
				err := s.Put(t.Context(), "7/1-0.png", bytes.NewReader(make([]byte, 1000)), "image/png")
				if !errors.Is(err, fault.err) || !strings.Contains(err.Error(), fault.phrase) || !strings.Contains(err.Error(), folder) {
					t.Errorf("got %v", err)
				}
				if got := files(t, folder); !cmp.Equal(got, []string{"7/1-0.png"}) {
					t.Errorf("the folder holds %q", got)
				}
				if data, err := os.ReadFile(filepath.Join(folder, "7", "1-0.png")); string(data) != "old" {
					t.Errorf("the old picture is now %q, %v", data, err)
				}
			})
		}
	}
	t.Run("A key that is a folder is refused and leaves nothing", func(t *testing.T) {
		folder := t.TempDir()
		s := open(t, folder)
		put(t, s, "7/1-0.png", "x")
		if err := s.Put(t.Context(), "7", strings.NewReader("y"), ""); err == nil {
			t.Error("it was accepted")
		}
		if got := files(t, folder); !cmp.Equal(got, []string{"7/1-0.png"}) {
			t.Errorf("the folder holds %q", got)
		}
	})
}

func TestSymlinks(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret.png")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, folder)
	for link, target := range map[string]string{"link.png": secret, "away": outside, "up": "..", "here.png": "real.png"} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "real.png", "real")

	t.Run("A planted link is not read", func(t *testing.T) {
		for _, key := range []string{"link.png", "away/secret.png", "up/secret.png", "here.png"} {
			if r, err := s.Open(t.Context(), key); err == nil {
				data, _ := io.ReadAll(r)
				r.Close()
				t.Errorf("%s gave %q", key, data)
			}
		}
	})
	t.Run("A planted link is not written through", func(t *testing.T) {
		if err := s.Put(t.Context(), "away/new.png", strings.NewReader("x"), ""); err == nil {
			t.Error("a put through a link was accepted")
		}
		put(t, s, "link.png", "ours")
		if got := files(t, outside); !cmp.Equal(got, []string{"secret.png"}) {
			t.Errorf("outside lie %q", got)
		}
		if data, err := os.ReadFile(secret); string(data) != "secret" {
			t.Errorf("the file outside is now %q, %v", data, err)
		}
	})
	t.Run("A planted link is not deleted through", func(t *testing.T) {
		_ = s.Delete(t.Context(), "away/secret.png")
		if _, err := os.Stat(secret); err != nil {
			t.Error(err)
		}
	})
}

func TestSweep(t *testing.T) {
	t.Run("Old drafts are swept; fresh ones and pictures stay", func(t *testing.T) {
		folder := t.TempDir()
		s := open(t, folder)
		put(t, s, "7/1-0.png", "x")
		for name, age := range map[string]time.Duration{"old": 2 * time.Hour, "fresh": time.Minute} {
			p := filepath.Join(folder, drafts, name)
			if err := os.WriteFile(p, []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(p, time.Time{}, time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.Sweep(time.Hour); n != 1 || err != nil {
			t.Errorf("swept %d, %v, want 1", n, err)
		}
		if got, want := files(t, folder), []string{".tmp/fresh", "7/1-0.png"}; !cmp.Equal(got, want) {
			t.Errorf("the folder holds %q, want %q", got, want)
		}
	})
}
