package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestTidy(t *testing.T) {
	d := newDesk(t)
	cfg, err := loadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(age time.Duration, path ...string) string {
		t.Helper()
		name := filepath.Join(append([]string{d.data}, path...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, name, "half a picture")
		then := time.Now().Add(-age)
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
		return name
	}
	left := map[string]bool{
		put(25*time.Hour, "tmp", "easel-1.part"):       false,
		put(23*time.Hour, "tmp", "easel-2.part"):       true,
		put(25*time.Hour, "tmp", "folder", "of-other"): true,
		put(2*time.Hour, "pictures", ".tmp", "old"):    false,
		put(0, "pictures", ".tmp", "young"):            true,
		put(25*time.Hour, "pictures", "1", "1-0.png"):  true,
	}
	e, err := newEngine(t.Context(), cfg, zerolog.Nop(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	t.Run("A start removes what dead processes left, and only that", func(t *testing.T) {
		for path, want := range left {
			if _, err := os.Stat(path); (err == nil) != want {
				t.Errorf("%s is there: %t, want %t", path, err == nil, want)
			}
		}
	})
	t.Run("Downloads go into the data folder", func(t *testing.T) {
		if got, want := e.worker(e.self(), nil).Temp, filepath.Join(cfg.Data, "tmp"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
