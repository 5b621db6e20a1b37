package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// canary is a secret that must not be seen anywhere.
const canary = "sk-canary-0123456789"

// shell is one person at a terminal, with a data folder of their own.
type shell struct {
	t     *testing.T
	data  string
	env   []string
	stdin string
	made  bool // there is a database
}

func newShell(t *testing.T) *shell {
	t.Helper()
	t.Chdir(t.TempDir())
	return &shell{t: t, data: "easel-data"}
}

// said is what a command left behind.
type said struct {
	code        int
	out, errors string
}

func (d *shell) easel(args ...string) said {
	d.t.Helper()
	return d.easelWithin(d.t.Context(), args...)
}

func (d *shell) easelWithin(ctx context.Context, args ...string) said {
	var out, errs bytes.Buffer
	code := run(ctx, args, strings.NewReader(d.stdin), &out, &errs, d.env)
	return said{code, out.String(), errs.String()}
}

// must runs a command that has to work, and reads its JSON into v if v is not nil.
func (d *shell) must(v any, args ...string) said {
	d.t.Helper()
	if v != nil {
		args = append(args, "--json")
	}
	got := d.easel(args...)
	if got.code != cli.ExitOK {
		d.t.Fatalf("%q ended with %d: %s", args, got.code, got.errors)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(got.out), v); err != nil {
			d.t.Fatalf("%q printed %s: %v", args, got.out, err)
		}
	}
	return got
}

// begin makes the database in the data folder, as the first `easel up` does.
func (d *shell) begin() {
	d.t.Helper()
	if !d.made && !slices.ContainsFunc(d.env, func(line string) bool { return strings.HasPrefix(line, "EASEL_DATABASE_URL=") }) {
		d.must(nil, "migrate", "up")
	}
	d.made = true
}

func (d *shell) enqueue(args ...string) int64 {
	d.t.Helper()
	d.begin()
	var answer enqueued
	d.must(&answer, append([]string{"enqueue"}, args...)...)
	return answer.Task.ID
}

func (d *shell) open() *store.Store {
	d.t.Helper()
	s, err := store.Open(d.t.Context(), "sqlite:"+filepath.Join(d.data, "easel.db"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { s.Close() })
	return s
}

// claim takes a task as a worker does.
func claim(t *testing.T, s *store.Store, id int64) (*task.Task, *task.Attempt) {
	t.Helper()
	row, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c, refused, err := s.Claim(t.Context(), row.Ref(), "w1", time.Minute)
	if err != nil || c == nil {
		t.Fatalf("claim of %d: %+v, %v", id, refused, err)
	}
	a := &task.Attempt{Key: fmt.Sprint("key-", id, row.Delivery), Provider: row.Provider, Account: "main"}
	if err := tables.Begin(t.Context(), s, c.Task, a); err != nil {
		t.Fatal(err)
	}
	return c.Task, a
}

func complete(t *testing.T, s *store.Store, id int64) {
	t.Helper()
	row, a := claim(t, s, id)
	micros := int64(5_000)
	a.State, a.CostMicros, a.Currency = task.AttemptAnswered, &micros, "USD"
	if err := tables.Err(s.Record(t.Context(), store.Answered{Held: row.Token(), Attempt: *a, JobID: "job"})); err != nil {
		t.Fatal(err)
	}
	err := tables.Err(s.Finish(t.Context(), store.Completed{Held: row.Token(), Attempt: a, Completion: store.Completion{Results: []task.Result{{TaskID: id, AttemptID: a.ID, GeneratedImageURL: "http://x.test/1.png",
		ContentType: "image/png", FileSize: 1234, Width: 64, Height: 32, SHA256: "00", StorageKey: "1/1-0.png"}}}}))
	if err != nil {
		t.Fatal(err)
	}
}

func fail(t *testing.T, s *store.Store, id int64, f *task.Failure) {
	t.Helper()
	row, a := claim(t, s, id)
	a.State, a.RowError = task.AttemptFailed, f.RowError()
	if f.Executed == task.Unknown {
		a.State = task.AttemptUnknown
	}
	if err := tables.Err(s.Finish(t.Context(), store.Decided{Held: row.Token(), Decision: task.Decision{Status: task.Failed, FailedTries: 1, Failure: f}, Attempt: a})); err != nil {
		t.Fatal(err)
	}
}

func (s said) wants(t *testing.T, code int, words ...string) {
	t.Helper()
	if s.code != code {
		t.Errorf("ended with %d, want %d: %s", s.code, code, s.errors)
	}
	for _, w := range words {
		if !strings.Contains(s.out+s.errors, w) {
			t.Errorf("%q is missing in:\n%s%s", w, s.out, s.errors)
		}
	}
}
