package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// python runs one of the apps in testdata with the interpreter of the system, which
// has SQLAlchemy and psycopg2 (python3-sqlalchemy and python3-psycopg2 of Debian).
func python(t *testing.T, database, program string, args ...string) *exec.Cmd {
	t.Helper()
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		database = "sqlite:///" + path
	}
	database = strings.Replace(database, "postgres://", "postgresql+psycopg2://", 1)
	return exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{filepath.Join("testdata", "apps", program), database}, args...)...)
}

// pythonSays is what the program prints.
func pythonSays(t *testing.T, database, program string, args ...string) string {
	t.Helper()
	out, err := python(t, database, program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// appRow is a row as the app itself reads it.
type appRow struct {
	Status    string   `json:"status"`
	ErrorMsg  string   `json:"error_msg"`
	Created   bool     `json:"created"`
	Completed bool     `json:"completed"`
	Results   []string `json:"results"`
}

func appReads(t *testing.T, database, id string) (row appRow) {
	t.Helper()
	said := pythonSays(t, database, "first.py", "read", id)
	if err := json.Unmarshal([]byte(said), &row); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return row
}

// ark is the service, and easel.yaml for it.
func ark(t *testing.T) (*providertest.Server, string) {
	t.Helper()
	s := providertest.Start(plays["volcengine"].service)
	t.Cleanup(s.Close)
	return s, fmt.Sprintf("providers:\n  volcengine:\n    accounts:\n      - {name: main, key: \"${FAKE_ARK}\", base_url: %q}\n", s.URL+plays["volcengine"].path)
}

func TestAppsOfSQLAlchemy(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"Postgres", "SQLite"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			service, yaml := ark(t)
			s := newSite(t, yaml, "FAKE_ARK=sk-test")
			if database == "SQLite" {
				s = s.onSQLite()
			}
			s.start("worker")
			address := config.Variables(s.env)["EASEL_DATABASE_URL"]

			t.Run("A row that the app has begun is the app's, while a dead worker's beside it is taken back", func(t *testing.T) {
				app := python(t, address, "first.py", "keep", service.URL+plays["volcengine"].path)
				id, goOn, ended := begun(t, app)
				before := s.task(id)
				orphan := s.insertOrphan()
				servertest.Eventually(t, 5*time.Minute, "the dead worker's task is taken back and drawn", func() bool { return s.task(orphan).Status == task.Completed })
				if after := s.task(id); after.Status != task.Processing || !after.OwnedByApp() || after.Fence != before.Fence || !after.UpdatedAt.Equal(before.UpdatedAt) {
					t.Errorf("it was touched: %+v", after)
				}
				for _, command := range [][]string{{"show", id}, {"list"}} {
					if said := s.easel(0, command...); !strings.Contains(said, "managed by the app itself") {
						t.Errorf("easel %v:\n%s", command, said)
					}
				}
				if said := s.easel(1, "cancel", id); !strings.Contains(said, "managed by the app itself") {
					t.Error(said)
				}
				goOn()
				ended()
				calls := len(service.Ledger())
				row := appReads(t, address, id)
				if row.Status != "completed" || !row.Completed || len(row.Results) != 1 || calls != 1 {
					t.Errorf("%+v after %d calls", row, calls)
				}
				if said := s.easel(0, "show", id); !strings.Contains(said, row.Results[0][:30]) || !strings.Contains(said, "the app's own") {
					t.Errorf("%s", said)
				}
				s.easel(0, "pictures", "gc", "--yes")
			})

			t.Run("A row that it leaves to easel is drawn once, with the two parameters of the document", func(t *testing.T) {
				calls := len(service.Ledger())
				id := pythonSays(t, address, "first.py", "hand")
				servertest.Eventually(t, 5*time.Minute, "it ends", func() bool { return s.task(id).Status.Final() })
				row := appReads(t, address, id)
				if row.Status != "completed" || !row.Created || !row.Completed || len(row.Results) != 1 || len(service.Ledger()) != calls+1 {
					t.Errorf("%+v after %d calls", row, len(service.Ledger())-calls)
				}
				body := string(service.Ledger()[calls].Body)
				for _, said := range []string{`"sequential_image_generation":"disabled"`, `"response_format":"url"`, `"watermark":true`, `"size":"2K"`} {
					if !strings.Contains(body, said) {
						t.Errorf("the call does not say %s: %s", said, body)
					}
				}
			})

			t.Run("It deletes its row, and what easel added goes with it", func(t *testing.T) {
				id := pythonSays(t, address, "first.py", "hand")
				servertest.Eventually(t, 5*time.Minute, "it ends", func() bool { return s.task(id).Status.Final() })
				pythonSays(t, address, "first.py", "delete", id)
				if database == "SQLite" {
					return // keys are looked after by each connection by itself, and SQLAlchemy's does not: see docs/sql.md
				}
				if left := s.number("SELECT count(*) FROM generation_attempt WHERE task_id = $1", id); left != 0 {
					t.Errorf("%d attempts are left", left)
				}
			})
		})
	}
}

// begun starts the app, which prints the id of its row and waits for a line.
func begun(t *testing.T, app *exec.Cmd) (id string, goOn, ended func()) {
	t.Helper()
	in, err := app.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	app.Stderr = &complaint
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		_ = app.Wait()
		t.Fatalf("the app said nothing: %s", complaint.String())
	}
	return lines.Text(), func() { _, _ = io.WriteString(in, "\n") }, func() {
		t.Helper()
		if err := app.Wait(); err != nil {
			t.Fatalf("the app: %v\n%s", err, complaint.String())
		}
	}
}

func (s *testSite) task(id string) *task.Task {
	s.t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		s.t.Fatalf("%q is no id", id)
	}
	t, err := s.tasks.Get(s.t.Context(), n)
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// onSQLite is the site with a database in a file.
func (s *testSite) onSQLite() *testSite {
	s.t.Helper()
	address := "sqlite:" + filepath.Join(s.dir, "easel.db")
	other := &testSite{t: s.t, dir: s.dir, env: append(s.env, "EASEL_DATABASE_URL="+address)}
	other.easel(0, "migrate", "up")
	var err error
	if other.tasks, err = store.Open(s.t.Context(), address); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { other.tasks.Close() })
	return other
}

// insertOrphan is a task that a worker which is dead had claimed.
func (s *testSite) insertOrphan() string {
	s.t.Helper()
	_, err := s.tasks.DB().ExecContext(s.t.Context(), `INSERT INTO image_generations (provider, prompt, status, fence, worker, lease_until, run_at, published_at)
		VALUES ('sketch', 'a boat', 'processing', 1, 'somebody who is gone', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')`)
	if err != nil {
		s.t.Fatal(err)
	}
	return strconv.Itoa(s.number("SELECT max(id) FROM image_generations"))
}
