package main

import (
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	const n = 300
	database := servertest.Postgres(t)
	pooler := servertest.PgBouncer(t, database, nil).URL
	s := newSite(t, "providers:\n  sketch:\n    concurrency: 50\n", "EASEL_DATABASE_URL="+pooler, "EASEL_DATABASE_DIRECT_URL="+database)
	p := s.start("worker")
	s.insert(n, "sketch", map[string]string{"dot": "true", "mode": "async", "delay": "200ms"})
	servertest.Eventually(t, 5*time.Minute, "all completed", func() bool { return s.count(task.Completed, task.Failed) == n })
	if failed, attempts := s.count(task.Failed), s.number("SELECT count(*) FROM generation_attempt"); failed != 0 || attempts != n {
		t.Errorf("%d of %d failed, in %d attempts", failed, n, attempts)
	}
	if strings.Contains(p.Said(), "a lost claim") {
		t.Error("a claim was lost")
	}
	for env, want := range map[string]string{
		"EASEL_DATABASE_DIRECT_URL=" + database:                      "one gives servers to each transaction; statements go in one round trip",
		"EASEL_DATABASE_DIRECT_URL=":                                 "Set EASEL_DATABASE_DIRECT_URL",
		"EASEL_DATABASE_DIRECT_URL=" + pooler + "&connect_timeout=9": "leads to a connection pooler too",
	} {
		s.env = append(s.env, env)
		code := 0
		if strings.HasPrefix(want, "leads") {
			code = 1
		}
		if said := s.easel(code, "doctor", "--json"); !strings.Contains(said, want) {
			t.Errorf("with %s doctor does not say %q:\n%s", env, want, said)
		}
	}
}
