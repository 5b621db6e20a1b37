package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/waiting"
)

// TestWatcher is about a command that asks the easel at its address how things stand.
func TestWatcher(t *testing.T) {
	t.Chdir(t.TempDir())
	ours := store.Worker{ID: "ours", Host: "here", Providers: "sketch"}
	for _, c := range []struct {
		name    string
		workers []waiting.Worker
		seen    bool   // what the other sees is what the command sees
		says    string // part of it
	}{
		{"The easel of the same database is believed", []waiting.Worker{{ID: "ours"}, {ID: "stranger"}}, true, ""},
		{"One without workers is believed", nil, true, ""},
		{"One of another database is not, and that is said once", []waiting.Worker{{ID: "stranger"}}, false, "works on another database than sqlite:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewEncoder(w).Encode(waiting.World{At: time.Now(), Workers: c.workers, Queues: map[string]waiting.Queue{"far": {}}})
			}))
			defer far.Close()
			listen := strings.TrimPrefix(far.URL, "http://")
			cfg, err := config.Load([]string{"EASEL_LISTEN=" + listen, "EASEL_DATA=" + filepath.Join(t.TempDir(), "data")}, all.Kinds)
			if err != nil {
				t.Fatal(err)
			}
			s, err := OpenOrCreate(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Heartbeat(t.Context(), ours, time.Minute); err != nil {
				t.Fatal(err)
			}
			var said []string
			w := NewWatcher(cfg, s, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
			defer w.Close()
			for range 2 {
				world, err := w.World(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, far := world.Queues["far"]; far != c.seen {
					t.Errorf("it sees the queues of the other: %t", far)
				}
			}
			if got := strings.Join(said, "|"); (c.says == "") != (got == "") || !strings.Contains(got, c.says) || strings.Contains(got, "|") {
				t.Errorf("it says %q, want %q once", got, c.says)
			}
		})
	}
}
