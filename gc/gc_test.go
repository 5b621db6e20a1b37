package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/picture/dir"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestMain(m *testing.M) { servertest.NothingStays(m) }

// rig is a folder of pictures and the rows of some tasks.
type rig struct {
	*testing.T
	gc     *Collector
	folder *dir.Store
	store  *store.Store
}

func newRig(t *testing.T) *rig {
	folder, err := dir.New(t.TempDir(), "http://localhost/pictures")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	s, err := store.Open(t.Context(), tables.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	later := func() time.Time { return time.Now().Add(48 * time.Hour) }
	return &rig{t, &Collector{Tasks: s, Pictures: folder, Now: later}, folder, s}
}

func (r *rig) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) puts(keys ...string) {
	r.Helper()
	for _, key := range keys {
		r.check(r.folder.Put(r.Context(), key, strings.NewReader("0123456789"), "image/png"))
	}
}

func (r *rig) left() (keys []string) {
	r.Helper()
	for o, err := range r.folder.All(r.Context(), "") {
		r.check(err)
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

// completed is a task with one picture, its thumbnail, its preview and an input.
func (r *rig) completed() *task.Task {
	r.Helper()
	t := r.claimed()
	a := &task.Attempt{Key: fmt.Sprint("k", t.ID), Provider: "p"}
	r.check(tables.Begin(r.Context(), r.store, t, a))
	base := fmt.Sprintf("%d/%d-0", t.ID, a.ID)
	r.puts(base+".png", base+".thumb.jpg", base+".preview.jpg", fmt.Sprintf("%d/input-0.png", t.ID))
	r.check(tables.Err(r.store.Record(r.Context(), store.InputCopied{Task: t.ID, Input: task.Input{StorageKey: fmt.Sprintf("%d/input-0.png", t.ID), SourceHash: "h", ContentType: "image/png", SHA256: "s"}})))
	r.check(tables.Err(r.store.Finish(r.Context(), store.Completed{Held: t.Token(), Attempt: a, Completion: store.Completion{Results: []task.Result{{GeneratedImageURL: "/" + base, ContentType: "image/png", StorageKey: base + ".png",
		ThumbnailKey: base + ".thumb.jpg", FileSize: 10}}}})))
	return t
}

func (r *rig) claimed() *task.Task {
	r.Helper()
	t := &task.Task{Request: task.Request{Provider: "p", Prompt: "a boat"}}
	_, err := r.store.Insert(r.Context(), []*task.Task{t})
	r.check(err)
	c, _, err := r.store.Claim(r.Context(), t.Ref(), "w", time.Minute)
	r.check(err)
	return c.Task
}

func (r *rig) runs(remove bool) Report {
	r.Helper()
	report, err := r.gc.Run(r.Context(), remove, nil)
	r.check(err)
	return report
}

// facts are values by their names, so that a failure names those that differ.
type facts map[string]any

func (r *rig) same(got, want any) {
	r.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

func TestRun(t *testing.T) {
	t.Run("What rows refer to stays, and what they do not goes", func(t *testing.T) {
		r := newRig(t)
		r.completed()
		kept := r.left()
		r.puts("1/9-0.png", "1/9-0.thumb.jpg", "77/1-0.png") // of a call that left no result, and of a task that is gone
		preview := r.runs(false)
		r.same(facts{"Seen": preview.Seen, "Orphans": preview.Orphans, "OrphanBytes": preview.OrphanBytes, "Removed": preview.Removed, "len left": len(r.left())},
			facts{"Seen": 7, "Orphans": 3, "OrphanBytes": int64(30), "Removed": 0, "len left": 7})
		r.same(preview.Samples, []string{"1/9-0.png", "1/9-0.thumb.jpg", "77/1-0.png"})
		done := r.runs(true)
		r.same(facts{"Removed": done.Removed, "RemovedBytes": done.RemovedBytes}, facts{"Removed": 3, "RemovedBytes": int64(30)})
		r.same(r.left(), kept)
		r.same(r.runs(true).Orphans, 0)
	})
	t.Run("What is young stays: its row may be on its way", func(t *testing.T) {
		r := newRig(t)
		r.gc.Now = nil
		r.puts("77/1-0.png")
		report := r.runs(true)
		r.same(facts{"Young": report.Young, "Removed": report.Removed, "len left": len(r.left())}, facts{"Young": 1, "Removed": 0, "len left": 1})
	})
	t.Run("What belongs to a task that is not over stays", func(t *testing.T) {
		r := newRig(t)
		open := r.claimed()
		r.puts(fmt.Sprintf("%d/5-0.png", open.ID))
		done := r.completed()
		a := &task.Attempt{Key: "late", Provider: "p"}
		again := r.claimed()
		r.check(tables.Begin(r.Context(), r.store, again, a)) // on its way
		_, err := r.store.Cancel(r.Context(), task.Seen{Task: again.ID})
		r.check(err)
		r.puts(fmt.Sprintf("%d/%d-0.png", again.ID, a.ID))
		r.same(facts{"Removed": r.runs(true).Removed, "len left": len(r.left()), "ID": done.ID}, facts{"Removed": 0, "len left": 6, "ID": int64(2)})
	})
	t.Run("What is not named as ours stays", func(t *testing.T) {
		r := newRig(t)
		r.puts("logo.png", "album/1.png", "0/1.png", "-1/1.png", "12x/1.png")
		report := r.runs(true)
		r.same(facts{"Strange": report.Strange, "Removed": report.Removed, "len left": len(r.left())}, facts{"Strange": 5, "Removed": 0, "len left": 5})
	})
	t.Run("Pictures that were let go because of their age are removed, favourites are not", func(t *testing.T) {
		r := newRig(t)
		old, liked := r.completed(), r.completed()
		_, err := r.store.DB().ExecContext(r.Context(), fmt.Sprintf("INSERT INTO favorite (result_id) SELECT id FROM generation_result WHERE task_id = %d", liked.ID))
		r.check(err)
		soon := time.Now().Add(time.Hour)
		pictures, bytes, err := r.store.CountAged(r.Context(), soon)
		r.check(err)
		n, err := r.store.Retire(r.Context(), soon, 100)
		r.check(err)
		r.same(facts{"pictures": pictures, "bytes": bytes, "n": n}, facts{"pictures": 1, "bytes": int64(10), "n": 1})
		r.same(r.runs(true).Removed, 3)
		r.same(len(r.left()), 5) // all of the favourite, and the input of the other
		none, err := r.store.Retire(r.Context(), time.Now().Add(-time.Hour), 100)
		r.check(err)
		results, err := r.store.Results(r.Context(), old.ID)
		r.check(err)
		r.same(facts{"none": none, "len results": len(results), "StorageKey": results[0].StorageKey}, facts{"none": 0, "len results": 1, "StorageKey": ""})
	})
	t.Run("Of a deleted task everything goes", func(t *testing.T) {
		r := newRig(t)
		gone := r.completed()
		r.check(r.store.Delete(r.Context(), gone.ID))
		r.same(facts{"Removed": r.runs(true).Removed, "len left": len(r.left())}, facts{"Removed": 4, "len left": 0})
		var not *store.NotAllowed
		if err := r.store.Delete(r.Context(), r.claimed().ID); !errors.As(err, &not) {
			r.Errorf("a task that is being worked on was deleted: %v", err)
		}
		if err := r.store.Delete(r.Context(), 4711); !errors.Is(err, store.ErrNotFound) {
			r.Errorf("a task that is not there: %v", err)
		}
	})
	t.Run("Many tasks are asked for in parts, and each part is told of", func(t *testing.T) {
		r := newRig(t)
		for i := range batch + 10 {
			r.puts(fmt.Sprintf("%d/1-0.png", i+1))
		}
		told := 0
		report, err := r.gc.Run(r.Context(), true, func(Report) { told++ })
		r.check(err)
		r.same(facts{"Removed": report.Removed, "told": told}, facts{"Removed": batch + 10, "told": 2})
	})
	t.Run("A run that is cancelled, or whose database is away, ends with that", func(t *testing.T) {
		r := newRig(t)
		r.puts("77/1-0.png")
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		if _, err := r.gc.Run(ctx, true, nil); !errors.Is(err, context.Canceled) {
			r.Errorf("got %v", err)
		}
		r.store.Close()
		if _, err := r.gc.Run(r.Context(), true, nil); err == nil || len(r.left()) != 1 {
			r.Errorf("without its database: %v, and %d pictures are left", err, len(r.left()))
		}
	})
}
