package store_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

// A worker looks at a row when its delivery has arrived, and that is when its producer notes
// that it is published.
func TestNotingThatADeliveryIsPublished(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	t.Run("A row that is locked for a moment is not known for a locked one", func(t *testing.T) {
		tk := boats(t, s, 1)[0]
		tries := 0
		for range 20 {
			tx, err := s.DB().Begin()
			must(t, err)
			_, err = tx.Exec("SELECT id FROM image_generations WHERE id = $1 FOR NO KEY UPDATE", tk.ID)
			must(t, err)
			began, freed := time.Now(), make(chan time.Duration, 1)
			time.AfterFunc(5*time.Millisecond, func() {
				_ = tx.Rollback()
				freed <- time.Since(began)
			})
			next, err := s.Next(t.Context(), tk.Ref())
			must(t, err)
			if <-freed > 30*time.Millisecond {
				continue // the machine is too busy to lock it for a moment
			}
			tries++
			if next.Locked {
				t.Fatalf("locked: %+v", next)
			}
		}
		t.Log("locked for a moment", tries, "times")
	})
	t.Run("No disk is waited for", func(t *testing.T) {
		_, err := s.DB().Exec(`CREATE TABLE flushed (said text);
			CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN INSERT INTO flushed VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
			CREATE TRIGGER say AFTER UPDATE ON image_generations FOR EACH ROW EXECUTE FUNCTION say()`)
		must(t, err)
		tk := boats(t, s, 1)[0]
		must(t, s.MarkPublished(t.Context(), []task.Ref{tk.Ref()}))
		var said string
		must(t, s.DB().QueryRow("SELECT said FROM flushed").Scan(&said))
		if said != "off" {
			t.Errorf("synchronous_commit was %s", said)
		}
		var at sql.NullTime
		must(t, s.DB().QueryRow("SELECT published_at FROM image_generations WHERE id = $1", tk.ID).Scan(&at))
		if !at.Valid {
			t.Error("it is not noted")
		}
	})
}
