package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

// browse opens a page in a real browser and returns the text that it shows once
// its scripts have run.
func browse(t *testing.T, url string) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed: apt-get install -y chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=8000", "--dump-dom", url)
	c.Env = append(os.Environ(), "TZ=Asia/Shanghai")
	dom, err := c.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return tags.ReplaceAllString(string(dom), "")
}

// tags are what the page's text is marked up with; asynqmon puts each word of a
// payload into its own.
var tags = regexp.MustCompile(`(?s)<style.*?</style>|<script.*?</script>|<[^>]*>`)

func TestDashboardOnlyShows(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  sketch: {}\n")
	p := s.start("up")
	p.serves(t)
	s.easel(3, "enqueue", "fails at the first try", "--param", "fail=unavailable:1", "--max-attempts", "1", "--wait")
	site := "http://" + config.Variables(s.env)["EASEL_LISTEN"]
	t.Run("Unless it was asked for, asynqmon's buttons do nothing, also from its own page", func(t *testing.T) {
		for _, path := range []string{"/queues/sketch/archived_tasks:run_all", "/queues/sketch:pause", "/queues/sketch/archived_tasks/1.0:run"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/queues/api"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", site)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusMethodNotAllowed && resp.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s answers %d", path, resp.StatusCode)
			}
		}
		if s.count(task.Failed) != 1 {
			t.Error("the failed task was run")
		}
	})
	t.Run("Beside it, the pages tell times in the reader's zone, and name it", func(t *testing.T) {
		created := time.Date(2026, 1, 10, 18, 0, 0, 0, time.UTC)
		if _, err := s.tasks.DB().ExecContext(t.Context(), "UPDATE image_generations SET created_at = $1", created); err != nil {
			t.Fatal(err)
		}
		if text := browse(t, site+"/tasks/1"); !strings.Contains(text, "2026-01-11 02:00:00 GMT+8") {
			t.Errorf("the page says %s", text)
		}
	})
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	s := newSite(t, `providers:
  sketch: {}
  busy: {adapter: sketch, concurrency: 1}
  patient: {adapter: sketch, base_delay: 10m, max_delay: 1h}
`, "EASEL_QUEUES=write")
	s.start("up")
	enqueue := func(args ...string) int64 {
		t.Helper()
		var id int64
		out := s.easel(0, append([]string{"enqueue", "--json"}, args...)...)
		if _, after, ok := strings.Cut(out, `"id": `); ok {
			fmt.Sscanf(after, "%d", &id)
		}
		if id == 0 {
			t.Fatalf("no id in %s", out)
		}
		return id
	}
	is := func(id int64, want task.Status) func() bool {
		return func() bool {
			found, err := s.tasks.Get(t.Context(), id)
			return err == nil && found.Status == want
		}
	}
	site := "http://" + config.Variables(s.env)["EASEL_LISTEN"]
	active := enqueue("drawn for long", "--provider", "busy", "--param", "delay=10m", "--param", "mode=async")
	servertest.Eventually(t, 5*time.Minute, "one task is being drawn", is(active, task.Processing))
	pending := enqueue("waits its turn", "--provider", "busy")
	retry := enqueue("waits for a retry", "--provider", "patient", "--param", "fail=unavailable")
	archived := enqueue("fails at the first try", "--param", "fail=unavailable:1", "--max-attempts", "1")
	servertest.Eventually(t, 5*time.Minute, "the task has failed", is(archived, task.Failed))
	servertest.Eventually(t, 5*time.Minute, "the task waits for a retry", func() bool {
		found, err := s.tasks.Get(t.Context(), retry)
		return err == nil && found.FailedTries == 1 && found.Status == task.Pending
	})

	for _, c := range []struct {
		queue, state string
		id           int64
	}{{"busy", "active", active}, {"busy", "pending", pending}, {"patient", "retry", retry}, {"sketch", "archived", archived}} {
		t.Run("asynqmon shows the task that is "+c.state, func(t *testing.T) {
			page := browse(t, site+"/queues/queues/"+c.queue+"?status="+c.state)
			// asynqmon shortens ids, so the payload is what names the task in full.
			if want := fmt.Sprintf("task %d, delivery 0", c.id); !strings.Contains(page, want) {
				t.Errorf("the page does not show %q:\n%s", want, page[max(0, len(page)-3000):])
			}
		})
	}

	run := func(origin string) int {
		t.Helper()
		url := fmt.Sprintf("%s/queues/api/queues/sketch/archived_tasks/%d.0:run", site, archived)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	t.Run("Run from another site's page is refused", func(t *testing.T) {
		if got := run("https://evil.example"); got != http.StatusForbidden {
			t.Errorf("status %d, want 403", got)
		}
	})
	t.Run("Run on an archived task completes it, and the row says so", func(t *testing.T) {
		if got := run(site); got/100 != 2 {
			t.Fatalf("status %d, want 2xx", got)
		}
		servertest.Eventually(t, 5*time.Minute, "the task completed", is(archived, task.Completed))
		if found, err := s.tasks.Get(t.Context(), archived); err != nil || found.Delivery != 1 || found.LocalPath == "" {
			t.Errorf("delivery %d, local_path %q (%v)", found.Delivery, found.LocalPath, err)
		}
	})
}
