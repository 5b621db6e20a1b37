package web

import (
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestAgo(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"just now": 2 * time.Second, "59s ago": 59 * time.Second, "1m ago": 119 * time.Second, "47h ago": 48*time.Hour - 1, "2d ago": 48 * time.Hour,
		"in 5m": -5*time.Minute - time.Second,
	} {
		t.Run("A time is said in one unit: "+want, func(t *testing.T) {
			if got := ago(now, now.Add(-d)); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for want, n := range map[string]int64{"0 B": -1, "999 B": 999, "1.0 kB": 1000, "1.5 kB": 1500, "9.9 kB": 9949, "10 kB": 9999,
		"1.0 MB": 999_950, "64 MB": 64_000_000, "2.0 GB": 2_000_000_000} {
		t.Run("A size has two digits or three: "+want, func(t *testing.T) {
			if got := size(n); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	for in, want := range map[string]string{"": "", "1234": "1234", "12345": "123…", "狐狸狐狸": "狐狸狐狸", "狐狸狐狸狐": "狐狸狐…"} {
		t.Run("Characters are counted, not bytes: "+in, func(t *testing.T) {
			if got := shorten(in, 4); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestStanding(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	soon, before := now.Add(5*time.Minute), now.Add(-90*time.Second)
	for want, row := range map[string]task.Task{
		"waits, due in 5m":             {Status: task.Pending, RunAt: soon, PublishedAt: &before},
		"not in the queue yet":         {Status: task.Pending, RunAt: before},
		"waits for a worker":           {Status: task.Pending, RunAt: before, PublishedAt: &before},
		"being drawn":                  {Status: task.Processing, Worker: "w"},
		"managed by the app itself":    {Status: task.Processing, Progress: 40},
		"being drawn, 40%":             {Status: task.Processing, Worker: "w", Progress: 40},
		"done in 1m30s":                {Status: task.Completed, StartedAt: &before, CompletedAt: &now},
		"failed, waits for a decision": {Status: task.Failed},
		"cancelled by a person":        {Status: task.Cancelled},
		"":                             {Status: task.Completed},
	} {
		t.Run("A task says why it is where it is: "+want, func(t *testing.T) {
			if got := standing(&row, now); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}
