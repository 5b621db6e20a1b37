package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func TestAKilledWorker(t *testing.T) {
	t.Parallel()
	t.Run("Of 1,000 paid tasks with two workers and one killed, each is bought once at most and every one ends", func(t *testing.T) {
		t.Parallel()
		const n, concurrency = 1000, 20
		fake := providertest.StartAll()
		t.Cleanup(fake.Close)
		fake.Always(slow(30 * time.Millisecond))
		s := newSite(t, openAIYAML(fake, concurrency), "FAKE_KEY=sk-test")
		victim := s.start("worker")
		s.start("worker")
		s.insert(n, "openai", nil)
		servertest.Eventually(t, 5*time.Minute, "both workers at work", func() bool {
			return s.number("SELECT count(DISTINCT worker) FROM generation_attempt") == 2 && s.count(task.Completed) > n/5
		})
		victim.Send(syscall.SIGKILL)
		servertest.Eventually(t, 5*time.Minute, "all ended", func() bool { return s.open() == 0 })

		completed, unknown := s.count(task.Completed), s.number("SELECT count(*) FROM image_generations WHERE error_kind = 'outcome_unknown'")
		t.Logf("%d completed, %d of unknown outcome", completed, unknown)
		if completed+unknown != n || unknown > concurrency {
			t.Errorf("%d completed and %d of unknown outcome; want %d together, and at most the %d calls of the killed worker unknown", completed, unknown, n, concurrency)
		}
		if twice := s.number("SELECT count(*) FROM (SELECT task_id FROM generation_result GROUP BY task_id HAVING count(*) > 1) x"); twice != 0 {
			t.Errorf("%d tasks have two results", twice)
		}
		bought := make(map[string]int)
		for _, e := range fake.Ledger() {
			bought[e.Prompt]++
		}
		for prompt, times := range bought {
			if times != 1 {
				t.Errorf("%q was bought %d times", prompt, times)
			}
		}
		if len(bought) < completed {
			t.Errorf("%d tasks completed, but only %d were bought", completed, len(bought))
		}
	})

	t.Run("Jobs with a handle all complete, each of one attempt", func(t *testing.T) {
		t.Parallel()
		const n = 1000
		s := newSite(t, "providers:\n  sketch:\n    concurrency: 200\n    on_unknown: hold\n")
		victim := s.start("worker")
		s.start("worker")
		s.insert(n, "sketch", map[string]string{"dot": "true", "mode": "async", "delay": "1s"})
		servertest.Eventually(t, 5*time.Minute, "both workers at work", func() bool {
			return s.number("SELECT count(DISTINCT worker) FROM generation_attempt WHERE state = 'accepted'") == 2
		})
		victim.Send(syscall.SIGKILL)
		servertest.Eventually(t, 5*time.Minute, "all ended", func() bool { return s.open() == 0 })
		unknown := s.number("SELECT count(*) FROM image_generations WHERE error_kind = 'outcome_unknown'")
		if got := s.count(task.Completed); got+unknown != n {
			t.Errorf("%d completed and %d of unknown outcome, want %d", got, unknown, n)
		}
		if got := s.number("SELECT count(*) FROM generation_attempt"); got != n {
			t.Errorf("%d attempts for %d tasks", got, n)
		}
		if resumed := s.number("SELECT count(*) FROM image_generations WHERE delivery > 0 AND status = 'completed'"); resumed == 0 {
			t.Error("no task was taken over from the killed worker: the test shows nothing")
		}
	})
}

func TestSIGTERM(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"worker", "up"} {
		t.Run("A paid call in flight may end, waiting work is handed back, and the exit code is 0: "+command, func(t *testing.T) {
			t.Parallel()
			fake := providertest.StartAll()
			t.Cleanup(fake.Close)
			answer := make(chan struct{}) // closed, lets the calls end
			fake.Always(providertest.Behaviour{Name: "held", Bills: true, Serve: func(w http.ResponseWriter, r *http.Request, picture []byte) {
				select {
				case <-answer:
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write(picture)
				case <-r.Context().Done():
				}
			}})
			s := newSite(t, openAIYAML(fake, 5), "FAKE_KEY=sk-test", "EASEL_DRAIN=1m")
			s.raced = true
			p := s.start(command)
			s.insert(20, "openai", nil)
			servertest.Eventually(t, 5*time.Minute, "five calls in flight", func() bool { submits, _ := fake.Count(""); return submits == 5 })
			if command == "up" {
				p.serves(t)
			}
			p.Send(syscall.SIGTERM)
			servertest.Eventually(t, 5*time.Minute, "it stops", func() bool { return strings.Contains(p.Said(), `"message":"stopping: `) })
			close(answer)
			if code := p.Ends(time.Minute); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			submits, _ := fake.Count("")
			if done, waiting := s.count(task.Completed), s.count(task.Pending); submits != 5 || done != 5 || waiting != 15 {
				t.Errorf("%d calls, %d completed, %d pending; want 5, 5 and 15", submits, done, waiting)
			}
		})
	}

	t.Run("Jobs that are only waited for are handed back at once and completed by the next worker", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "providers:\n  sketch:\n    on_unknown: hold\n")
		s.raced = true
		p := s.start("worker")
		s.insert(20, "sketch", map[string]string{"dot": "true", "mode": "async", "delay": "30s"})
		servertest.Eventually(t, 5*time.Minute, "all accepted", func() bool {
			return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == 20
		})
		p.Send(syscall.SIGTERM)
		if code := p.Ends(time.Minute); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		if got := s.count(task.Pending); got != 20 {
			t.Errorf("%d tasks pending after the drain, want 20", got)
		}
		s.start("worker")
		servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return s.count(task.Completed) == 20 })
		if got := s.number("SELECT count(*) FROM generation_attempt"); got != 20 {
			t.Errorf("%d attempts for 20 tasks", got)
		}
	})
}
