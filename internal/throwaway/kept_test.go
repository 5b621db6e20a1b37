//go:build unix

package throwaway

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAClusterThatIsKeptIsCopiedAndNotMadeAnew(t *testing.T) {
	t.Parallel()
	o := Options{Kept: filepath.Join(t.TempDir(), "kept")}
	start := func() *Server {
		s, err := Postgres(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if !answers(t, s.URL) {
			t.Errorf("nobody answers at %s", s.URL)
		}
		return s
	}
	start()
	kept, err := filepath.Glob(filepath.Join(o.Kept, "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q are kept, %v", kept, err)
	}
	if _, err := os.Stat(filepath.Join(kept[0], "postmaster.pid")); err == nil {
		t.Error("a running server was copied")
	}
	if err := os.WriteFile(filepath.Join(kept[0], "mark"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := start()
	if _, err := os.Stat(filepath.Join(dataDir(second.dir), "mark")); err != nil {
		t.Errorf("the second server was not copied: %v", err)
	}
	if err := keep(t.Context(), kept[0], kept[0]); err != nil {
		t.Errorf("who keeps one that is kept already: %v", err)
	}
}
