package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// slowly is a store over a database of s whose statements, once they have seen their
// tables, wait at the first comparison of two texts for as long as hold's lock is held:
// before they lock a row.
func slowly(t *testing.T, address string, s *store.Store) *store.Store {
	t.Helper()
	for _, q := range []string{
		"CREATE SCHEMA slow",
		`CREATE FUNCTION slow.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
			PERFORM pg_catalog.pg_advisory_xact_lock_shared(42);
			RETURN $1 OPERATOR(pg_catalog.=) $2;
		END $$`,
		"CREATE OPERATOR slow.= (LEFTARG = text, RIGHTARG = text, FUNCTION = slow.eq)",
	} {
		_, err := s.DB().Exec(q)
		must(t, err)
	}
	return open(t, address+"&search_path=slow,public,pg_catalog")
}

func TestAClaimSeesWhatWasBegunMeanwhile(t *testing.T) {
	address := servertest.Postgres(t)
	s := migrated(t, address)
	slow := slowly(t, address, s)
	begins := func(t *testing.T, tk *task.Task) {
		must(t, tables.Begin(t.Context(), s, tk, &task.Attempt{Key: fmt.Sprint("key of ", tk.ID), Provider: "painter"}))
	}
	for claim, c := range map[string]struct {
		before    func(t *testing.T, tk *task.Task) *task.Task
		meanwhile func(t *testing.T, tk *task.Task)
	}{
		"By one who took the waiting task and gave it back": {
			func(_ *testing.T, tk *task.Task) *task.Task { return tk },
			func(t *testing.T, tk *task.Task) {
				held := claimed(t, s, tk)
				begins(t, held)
				must(t, s.Release(t.Context(), held.Token(), 0, ""))
			}},
		"By the holder whose claim it takes over": {
			func(t *testing.T, tk *task.Task) *task.Task { return claimed(t, s, tk) },
			func(t *testing.T, tk *task.Task) { begins(t, tk) }},
		"By one whose lease ended, and who was taken back": {
			func(t *testing.T, tk *task.Task) *task.Task { return tk },
			func(t *testing.T, tk *task.Task) {
				held := claimed(t, s, tk)
				begins(t, held)
				_, err := s.DB().Exec("UPDATE image_generations SET status = 'pending', fence = fence + 1 WHERE id = $1", held.ID)
				must(t, err)
			}},
	} {
		t.Run(claim, func(t *testing.T) {
			tk := c.before(t, boats(t, s, 1)[0])
			lock, err := s.DB().Conn(t.Context())
			must(t, err)
			defer lock.Close()
			_, err = lock.ExecContext(t.Context(), "SELECT pg_advisory_lock(42)")
			must(t, err)
			type answer struct {
				*store.Claim
				err error
			}
			answered := make(chan answer, 1)
			go func() {
				c, refusal, err := slow.Claim(t.Context(), tk.Ref(), "first", time.Minute)
				if err == nil && refusal != nil {
					err = fmt.Errorf("refused: %+v", refusal)
				}
				answered <- answer{c, err}
			}()
			for waiting := 0; waiting == 0; {
				must(t, s.DB().QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'").Scan(&waiting))
			}
			c.meanwhile(t, tk)
			_, err = lock.ExecContext(t.Context(), "SELECT pg_advisory_unlock(42)")
			must(t, err)
			a := <-answered
			must(t, a.err)
			if a.Last == nil || a.Last.Key != fmt.Sprint("key of ", tk.ID) {
				t.Errorf("the claim says of the last attempt: %+v", a.Last)
			}
		})
	}
}

func TestAClaimIsOneStatement(t *testing.T) {
	address := servertest.Postgres(t)
	e := explain(t, address)
	s := migrated(t, address)
	_, err := s.DB().Exec("INSERT INTO photo (id, image_url) VALUES (8, 'http://photo')")
	must(t, err)
	tk := &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat", InputImageID: new(int64(8)), Parameters: map[string]string{"a": "1"}}}
	_, err = s.Insert(t.Context(), []*task.Task{tk})
	must(t, err)
	held := claimed(t, s, tk)
	must(t, tables.Begin(t.Context(), s, held, &task.Attempt{Key: "key", Provider: "painter"}))
	must(t, s.Release(t.Context(), held.Token(), 0, ""))
	var c *store.Claim
	ran := e.during(func() {
		c, _, err = e.Claim(t.Context(), tk.Ref(), "first", time.Minute)
		must(t, err)
	})
	if len(ran) != 1 {
		t.Errorf("it is %d statements: %+v", len(ran), ran)
	}
	got := map[string]string{"Parameters[a]": c.Task.Parameters["a"], "PhotoURL": c.Task.PhotoURL, "Key": c.Last.Key}
	if diff := cmp.Diff(map[string]string{"Parameters[a]": "1", "PhotoURL": "http://photo", "Key": "key"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAppsOwnPhotoTableKeepsNoTaskWaiting(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *store.Store{"SQLite": sqlite, "Postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			for _, q := range []string{"DROP TABLE photo", "CREATE TABLE photo (id text PRIMARY KEY, path text)"} {
				_, err := s.DB().Exec(q)
				must(t, err)
			}
			for _, photo := range []*int64{nil, new(int64(8)), nil} {
				tk := &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat", InputImageID: photo, Parameters: map[string]string{"a": "1"}}}
				_, err := s.Insert(t.Context(), []*task.Task{tk})
				must(t, err)
				if got := claimed(t, s, tk); got.PhotoURL != "" || got.Parameters["a"] != "1" || got.Fence != 1 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

func TestAPhotoThatMayNotBeReadKeepsItsTaskWaiting(t *testing.T) {
	s := postgres(t)
	for _, q := range []string{"ALTER TABLE photo RENAME TO photos",
		"CREATE FUNCTION denied() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'no right to photos' USING ERRCODE = '42501'; END $$",
		"CREATE VIEW photo AS SELECT 8::bigint AS id, denied() AS image_url"} {
		_, err := s.DB().Exec(q)
		must(t, err)
	}
	tk := &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat", InputImageID: new(int64(8))}}
	_, err := s.Insert(t.Context(), []*task.Task{tk})
	must(t, err)
	if c, _, err := s.Claim(t.Context(), tk.Ref(), "first", time.Minute); err == nil || !strings.Contains(err.Error(), "no right to photos") {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = s.DB().Exec("CREATE OR REPLACE VIEW photo AS SELECT 8::bigint AS id, 'http://photo'::text AS image_url")
	must(t, err)
	if got := claimed(t, s, tk); got.PhotoURL != "http://photo" || got.Fence != 1 {
		t.Errorf("%+v", got)
	}
}
