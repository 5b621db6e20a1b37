package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider/all"
)

func TestTidy(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, err := config.Load(nil, all.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	put := func(age time.Duration, path ...string) string {
		t.Helper()
		name := filepath.Join(append([]string{cfg.Data}, path...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("half a picture"), 0o600); err != nil {
			t.Fatal(err)
		}
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
	a, err := New(t.Context(), cfg, zerolog.Nop(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	t.Run("A start removes what dead processes left, and only that", func(t *testing.T) {
		for path, want := range left {
			if _, err := os.Stat(path); (err == nil) != want {
				t.Errorf("%s is there: %t, want %t", path, err == nil, want)
			}
		}
	})
	t.Run("Downloads go into the data folder", func(t *testing.T) {
		if got, want := a.worker(a.self(), nil).Temp, filepath.Join(cfg.Data, "tmp"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
