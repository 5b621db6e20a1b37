package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/task"
)

func TestWhatIsWrongIsSaidFirstAndShort(t *testing.T) {
	t.Run("A prompt of several words is to be quoted", func(t *testing.T) {
		newShell(t).easel("enqueue", "a", "red", "fox").wants(t, cli.ExitUsage, "the PROMPT came as 3 words; quote it: easel enqueue \"a red fox\"")
	})
	server, err := url.Parse(servertest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := server.Query()
	q.Set("sslmode", "require")
	server.RawQuery = q.Encode()
	t.Run("A server without SSL names ?sslmode=disable", func(t *testing.T) {
		d := newShell(t)
		d.env = []string{"EASEL_DATABASE_URL=" + server.String()}
		d.easel("list").wants(t, cli.ExitFailure, "SSL is not enabled", "say sslmode=disable in EASEL_DATABASE_URL")
		d.easel("doctor").wants(t, cli.ExitFailure, "ay sslmode=disable in EASEL_DATABASE_URL")
	})
	t.Run("What keeps easel from starting is all that it says", func(t *testing.T) {
		d := newShell(t)
		d.env = []string{"EASEL_DATABASE_URL=" + server.String(), "EASEL_REDIS_URL=" + servertest.Redis(t).URL}
		for _, command := range []string{"up", "worker"} {
			got := d.easel(command)
			got.wants(t, cli.ExitFailure, "ay sslmode=disable in EASEL_DATABASE_URL")
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
	servertest.Eventually(t, time.Minute, "it is refused", func() bool { return s.count(task.Failed) == 1 })
	if row := s.task("1"); row.ErrorKind != task.Invalid || !strings.Contains(row.ErrorMsg, "(did you mean sketch?).") {
		t.Errorf("%s: %s", row.ErrorKind, row.ErrorMsg)
	}
	t.Logf("after %s", time.Since(began))
}

func TestAServerWithoutSSLIsNotToBeStarted(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://h/x":                  "End EASEL_DATABASE_URL with ?sslmode=disable if",
		"postgres://h/x?search_path=e":    "End EASEL_DATABASE_URL with &sslmode=disable if",
		"postgres://h/x?a=b&sslmode=auto": "Say sslmode=disable in EASEL_DATABASE_URL if",
	} {
		if got := app.DatabaseRemedy(pq.ErrSSLNotSupported, config.Config{DatabaseURL: config.Address(url)}); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestAnAdoptionEndsWithWhatIsMostWanted(t *testing.T) {
	plan := migrations.Adoption{Columns: []string{"ALTER TABLE"}, Indexes: []string{"CREATE INDEX", "CREATE INDEX"}, Notes: []string{"a note"}}
	refused := plan
	refused.Refusals = []string{"no provider"}
	for _, c := range []struct {
		plan             *migrations.Adoption
		done, statements bool
		want             string
	}{
		{&refused, false, false, "To know\n  a note\nIt cannot be done because\n  no provider\nNothing was changed. Mend what it says"},
		{&plan, false, false, "To know\n  a note\nIt takes 1 statement for columns of the app's tables, 2 statements for indexes on them, and 0 statements for easel's own tables, its trigger and its view; --sql shows them.\nNothing was changed."},
		{&plan, true, false, "To know\n  a note\nIt took 1 statement"},
		{&plan, false, true, "Columns of the app's tables, in one transaction\n  ALTER TABLE;\n"},
	} {
		var out strings.Builder
		(&output{&cli.Output{}}).adoption(&out, c.plan, c.done, c.statements)
		if got := out.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}
