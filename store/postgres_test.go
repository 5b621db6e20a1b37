package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestView(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	db := s.DB()

	t.Run("An insert of only a prompt gets the document's defaults", func(t *testing.T) {
		var id int64
		must(t, db.QueryRow("INSERT INTO image_generation_task (prompt) VALUES ('a boat') RETURNING id").Scan(&id))
		got, err := s.Get(t.Context(), id)
		must(t, err)
		want := &task.Task{ID: id, Request: task.Request{Provider: "volcengine", Model: "doubao-seedream-4-0-250828", Size: "2K", Watermark: new(bool),
			Prompt: "a boat", ImageCount: 1, MaxAttempts: task.DefaultMaxAttempts,
			RunAt: got.RunAt}, Standing: task.Standing{Status: task.Pending, CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt}}
		*want.Watermark = true
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("Parameters join the task in one transaction", func(t *testing.T) {
		tx, err := db.Begin()
		must(t, err)
		var id int64
		must(t, tx.QueryRow("INSERT INTO image_generation_task (prompt, user_id) VALUES ('a boat', 3) RETURNING id").Scan(&id))
		for _, name := range []string{"guidance_scale", "sampler"} {
			_, err := tx.Exec("INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) VALUES ($1, $2, '7')", id, name)
			must(t, err)
		}
		must(t, tx.Commit())
		c, _, err := s.Claim(t.Context(), task.Ref{Task: id}, "first", time.Minute)
		must(t, err)
		if diff := cmp.Diff(map[string]string{"guidance_scale": "7", "sampler": "7"}, c.Task.Parameters); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("It reads and writes error_msg as error_message", func(t *testing.T) {
		var id int64
		must(t, db.QueryRow("INSERT INTO image_generation_task (prompt) VALUES ('a boat') RETURNING id").Scan(&id))
		_, err := db.Exec("UPDATE image_generation_task SET status = 'failed', error_message = 'too bad' WHERE id = $1", id)
		must(t, err)
		got, err := s.Get(t.Context(), id)
		must(t, err)
		var message, status string
		must(t, db.QueryRow("SELECT error_message, status FROM image_generation_task WHERE id = $1", id).Scan(&message, &status))
		if got.ErrorMsg != "too bad" || message != "too bad" || status != "failed" {
			t.Errorf("%q, %q, %q", got.ErrorMsg, message, status)
		}
		_, err = db.Exec("DELETE FROM image_generation_task WHERE id = $1", id)
		must(t, err)
	})
}

// notifications returns the channel of what easel_ring tells.
func notifications(t *testing.T, address string) <-chan *pq.Notification {
	t.Helper()
	l := pq.NewListener(address, time.Second, time.Second, nil)
	t.Cleanup(func() { l.Close() })
	must(t, l.Listen("easel_ring"))
	must(t, l.Listen("test_mark"))
	return l.Notify
}

// heard counts the notifications until now: notifications come in the order of their
// commits, so a mark of our own ends the count.
func heard(t *testing.T, db *sql.DB, notes <-chan *pq.Notification) (n int) {
	t.Helper()
	_, err := db.Exec("NOTIFY test_mark")
	must(t, err)
	for note := range notes {
		if note.Channel == "test_mark" {
			return n
		}
		n++
	}
	return n
}

func TestNotify(t *testing.T) {
	t.Parallel()
	address := tables.Postgres(t)
	s := open(t, address)
	db := s.DB()
	db.SetMaxOpenConns(1) // what leaked from one transaction would be seen in the next
	notes := notifications(t, address)
	boat := func() []*task.Task {
		return []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "a boat"}}}
	}
	raw := "INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a boat')"

	expect := func(name string, want int, write func(ctx context.Context) error) {
		t.Run(name, func(t *testing.T) {
			must(t, write(t.Context()))
			if got := heard(t, db, notes); got != want {
				t.Errorf("heard %d, not %d", got, want)
			}
		})
	}
	execute := func(query string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := db.ExecContext(ctx, query); return err }
	}
	insert := func(ctx context.Context) error { _, err := s.Insert(ctx, boat()); return err }
	insertTx := func(end func(*sql.Tx) error) func(context.Context) error {
		return func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err == nil {
				_, err = s.InsertTx(ctx, tx, boat())
			}
			if err != nil {
				return err
			}
			return end(tx)
		}
	}
	expect("A raw insert notifies", 1, execute(raw))
	expect("An insert of the library does not", 0, insert)
	expect("Its silence does not leak to a raw insert on the same connection", 1, execute(raw))
	expect("Its silence does not leak to InsertTx on the same connection", 1, insertTx((*sql.Tx).Commit))
	expect("InsertTx that is rolled back does not notify", 0, insertTx((*sql.Tx).Rollback))
	expect("An insert through the view notifies", 1, execute("INSERT INTO image_generation_task (prompt) VALUES ('a boat')"))
	expect("A thousand rows in one transaction notify once", 1,
		execute("INSERT INTO image_generations (provider, prompt) SELECT 'painter', 'a boat' FROM generate_series(1, 1000)"))
	expect("An update does not notify", 0, execute("UPDATE image_generations SET priority = 1"))
}

func TestListen(t *testing.T) {
	t.Parallel()
	t.Run("Listen is woken by a raw insert and ends with its context", func(t *testing.T) {
		s := postgres(t)
		ctx, cancel := context.WithCancel(t.Context())
		woken, done := make(chan struct{}, 100), make(chan error, 1)
		go func() { done <- s.Listen(ctx, func() { woken <- struct{}{} }) }()
		for heard := false; !heard; { // nobody says when it has begun to listen
			_, err := s.DB().Exec("INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a boat')")
			must(t, err)
			select {
			case <-woken:
				heard = true
			case <-time.After(10 * time.Millisecond):
			}
		}
		cancel()
		must(t, <-done)
	})
	t.Run("Listen ends with its context although the server is gone", func(t *testing.T) {
		server := servertest.PostgresServer(t)
		s := open(t, server.URL)
		must(t, server.Kill())
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		must(t, s.Listen(ctx, func() {}))
	})
}

func TestStoreSurvivesDeadlock(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	batch := func(keys ...string) (tasks []*task.Task) {
		for _, k := range keys {
			tasks = append(tasks, &task.Task{Request: task.Request{Provider: "painter", Prompt: "boat " + k, IdempotencyKey: k}})
		}
		return tasks
	}
	var keys []string
	for i := range 60 {
		keys = append(keys, fmt.Sprint(i))
	}
	backwards := slices.Clone(keys)
	slices.Reverse(backwards)
	batches := [2][]*task.Task{batch(keys...), batch(backwards...)}
	var both sync.WaitGroup
	for i := range batches {
		both.Go(func() {
			if _, err := s.Insert(t.Context(), batches[i]); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	n, err := s.Count(t.Context(), store.Filter{})
	must(t, err)
	if n != len(keys) {
		t.Errorf("%d rows for %d keys", n, len(keys))
	}
	for i, one := range batches[0] {
		if other := batches[1][len(keys)-1-i]; one.ID != other.ID || one.ID == 0 {
			t.Errorf("key %s is task %d and task %d", one.IdempotencyKey, one.ID, other.ID)
		}
	}
}
