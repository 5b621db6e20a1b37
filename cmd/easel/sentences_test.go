package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

func TestWhatIsWrongIsSaidFirstAndShort(t *testing.T) {
	t.Run("A prompt of several words is to be quoted", func(t *testing.T) {
		newDesk(t).easel("enqueue", "a", "red", "fox").wants(t, exitUsage, "the PROMPT came as 3 words; quote it: easel enqueue \"a red fox\"")
	})
	server, err := url.Parse(servertest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := server.Query()
	q.Set("sslmode", "require")
	server.RawQuery = q.Encode()
	t.Run("A server without SSL names ?sslmode=disable", func(t *testing.T) {
		d := newDesk(t)
		d.env = []string{"EASEL_DATABASE_URL=" + server.String()}
		d.easel("list").wants(t, exitFailure, "SSL is not enabled", "?sslmode=disable")
		d.easel("doctor").wants(t, exitFailure, "?sslmode=disable")
	})
	t.Run("What keeps easel from starting is all that it says", func(t *testing.T) {
		d := newDesk(t)
		d.env = []string{"EASEL_DATABASE_URL=" + server.String(), "EASEL_REDIS_URL=" + servertest.Redis(t).URL}
		for _, command := range []string{"up", "worker"} {
			got := d.easel(command)
			got.wants(t, exitFailure, "?sslmode=disable")
			if lines := strings.Count(strings.TrimSpace(got.errors), "\n"); lines != 0 || strings.Contains(got.errors, "EASEL_S3_ENDPOINT") {
				t.Errorf("easel %s says %d lines:\n%s", command, lines+1, got.errors)
			}
		}
	})
}

func TestAMistypedProviderIsRefusedInSeconds(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  sketch:\n    concurrency: 5\n")
	s.start("worker")
	began := time.Now()
	s.insert(1, "sketsh", nil)
	eventually(t, time.Minute, "it is refused", func() bool { return s.count(task.Failed) == 1 })
	if row := s.task("1"); row.ErrorKind != task.Invalid || !strings.Contains(row.ErrorMsg, "Did you mean sketch?") {
		t.Errorf("%s: %s", row.ErrorKind, row.ErrorMsg)
	}
	t.Logf("after %s", time.Since(began))
}
