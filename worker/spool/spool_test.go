//go:build unix

package spool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func open(t *testing.T, root, name string) *Spool {
	t.Helper()
	s, err := Open(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Spool, key string) {
	t.Helper()
	if err := s.Put(Entry{Task: 7, Key: key, Attempt: json.RawMessage(`{"state":"answered"}`)}); err != nil {
		t.Fatal(err)
	}
}

// dies is what is left of a process that was killed: its lock is free, its files stay.
func (s *Spool) dies(t *testing.T) {
	t.Helper()
	if err := s.lock.Close(); err != nil {
		t.Fatal(err)
	}
}

// adopted are the keys that s takes over.
func adopted(t *testing.T, s *Spool, refuse error) (keys, spoilt []string, err error) {
	t.Helper()
	err = s.Adopt(func(e Entry) error {
		keys = append(keys, e.Key)
		return refuse
	}, func(path string, _ error) { spoilt = append(spoilt, filepath.Base(path)) })
	return keys, spoilt, err
}

func TestSpool(t *testing.T) {
	t.Run("What a dead process left is handed over once, and its folder goes", func(t *testing.T) {
		root := t.TempDir()
		dead := open(t, root, "dead")
		put(t, dead, "a")
		put(t, dead, "b")
		put(t, dead, "a")
		dead.dies(t)
		heir := open(t, root, "heir")
		if keys, _, err := adopted(t, heir, nil); err != nil || strings.Join(keys, "") != "ab" {
			t.Errorf("%v, %v", keys, err)
		}
		if keys, _, err := adopted(t, heir, nil); err != nil || len(keys) != 0 {
			t.Errorf("a second time: %v, %v", keys, err)
		}
		if _, err := os.Stat(dead.own); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder is still there: %v", err)
		}
	})
	t.Run("What a living process holds is its own", func(t *testing.T) {
		root := t.TempDir()
		put(t, open(t, root, "alive"), "a")
		if keys, _, err := adopted(t, open(t, root, "other"), nil); err != nil || len(keys) != 0 {
			t.Errorf("%v, %v", keys, err)
		}
	})
	t.Run("What cannot be taken yet stays", func(t *testing.T) {
		root := t.TempDir()
		dead := open(t, root, "dead")
		put(t, dead, "a")
		dead.dies(t)
		heir, away := open(t, root, "heir"), errors.New("the database is away")
		if _, _, err := adopted(t, heir, away); !errors.Is(err, away) {
			t.Errorf("%v", err)
		}
		if keys, _, err := adopted(t, heir, nil); err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
	})
	t.Run("A file that cannot be read is set aside, one of a later release left alone, and a draft is nothing", func(t *testing.T) {
		root := t.TempDir()
		dead := open(t, root, "dead")
		put(t, dead, "good")
		for name, text := range map[string]string{"torn.json": `{"v":1,"att`, "other.json": `{"v":1,"attempt_key":"good"}`, "newer.json": `{"v":2,"attempt_key":"newer"}`, ".draft-1": "x"} {
			if err := os.WriteFile(filepath.Join(dead.own, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mkfifo(filepath.Join(dead.own, "pipe.json"), 0o600); err != nil {
			t.Fatal(err)
		}
		dead.dies(t)
		keys, spoilt, err := adopted(t, open(t, root, "heir"), nil)
		if err != nil || strings.Join(keys, " ") != "good" || strings.Join(spoilt, " ") != "newer.json other.json pipe.json torn.json" {
			t.Errorf("%v, %v, %v", keys, spoilt, err)
		}
		if entries, bad, err := Count(root); err != nil || entries != 1 || bad != 3 {
			t.Errorf("%d entries, %d bad (%v); want the newer one and three", entries, bad, err)
		}
	})
	t.Run("Removed is removed, and a closed empty spool leaves no folder", func(t *testing.T) {
		root := t.TempDir()
		s := open(t, root, "alive")
		put(t, s, "a")
		for range 2 {
			if err := s.Remove("a"); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil || s.bytes != 0 {
			t.Errorf("%v, %d bytes", err, s.bytes)
		}
		if left, _ := os.ReadDir(root); len(left) != 0 {
			t.Errorf("%v is left", left)
		}
	})
	t.Run("A full spool says so and keeps what it has", func(t *testing.T) {
		s := open(t, t.TempDir(), "alive")
		put(t, s, "a")
		s.bytes = maxBytes
		if err := s.Put(Entry{Key: "b"}); !errors.Is(err, errFull) {
			t.Errorf("%v", err)
		}
		if entries, _, err := Count(s.root); err != nil || entries != 1 {
			t.Errorf("%d entries (%v)", entries, err)
		}
	})
	t.Run("A key that is no name of a file is refused", func(t *testing.T) {
		s := open(t, t.TempDir(), "alive")
		for _, key := range []string{"", "../a", "a/b", "a.b"} {
			if err := s.Put(Entry{Key: key}); err == nil {
				t.Errorf("%q is taken", key)
			}
		}
	})
	t.Run("Nobody else on this machine may read it", func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "spool"), "alive")
		put(t, s, "a")
		for path, want := range map[string]os.FileMode{s.own: 0o700, filepath.Join(s.own, "a.json"): 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s has %v (%v)", path, info.Mode().Perm(), err)
			}
		}
	})
}
