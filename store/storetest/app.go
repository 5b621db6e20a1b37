package storetest

import (
	"errors"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// apps is what holds for rows that an app keeps by itself, in the tables that
// easel works on.
func apps() []claim {
	return []claim{
		{"A row that the app has begun is nobody's to claim, to take back, to publish, to cancel or to archive", appKeeps},
		{"So is one that was claimed once and that the app began anew", appBeginsAnew},
		{"Completed by the app, it is completed and nobody publishes it", appCompletes},
		{"Set back to pending it is an ordinary task", appHandsOver},
		{"Rows from before easel are nobody's, whatever their status, and no retry of many picks them", appHadBefore},
		{"Results without our columns are read, counted as no attempt's, and kept from gc and retention", appResults},
		{"Deleting the row deletes all that belongs to it", appDeletes},
	}
}

// app inserts a row as an app does that knows nothing of our columns.
func (b *bench) app(status task.Status) *task.Task {
	b.Helper()
	b.exec("INSERT INTO image_generations (provider, prompt, status) VALUES ('volcengine', 'a boat', '%s')", status)
	return b.get(b.number("SELECT max(id) FROM image_generations"))
}

// untouched does to the row whatever easel does by itself and what people ask for,
// and checks that none of it changes a thing.
func (b *bench) untouched(id int64) {
	b.Helper()
	b.unchanged(id, func() {
		t := b.get(id)
		b.same(b.refused(t.Ref()).Stale, true)
		found, err := b.store.ReclaimExpired(b.Context(), 10)
		b.check(err)
		b.same(len(found), 0)
		b.same(len(b.publish(10)), 0)
		_, err = b.store.ResetPublished(b.Context())
		b.check(err)
		waiting, _, err := b.store.PublishedWaiting(b.Context(), 0, -time.Hour, 10)
		b.check(err)
		b.same(len(waiting), 0)
		_, cancelled := b.store.Cancel(b.Context(), task.Seen{Task: id})
		_, retried := b.store.Retry(b.Context(), b.get(id).Seen(), false)
		for _, err := range []error{cancelled, retried} {
			var not *store.NotAllowed
			if !errors.As(err, &not) || !not.OwnedByApp {
				b.Errorf("%v", err)
			}
		}
	})
}

func appKeeps(b *bench) {
	t := b.app(task.Processing)
	b.same(t.OwnedByApp(), true)
	b.exec("UPDATE image_generations SET run_at = created_at, started_at = created_at WHERE id = %d", t.ID)
	b.untouched(t.ID)
	_, err := b.store.Archive(b.Context(), t.Ref(), &task.Failure{Kind: task.Archived, Executed: task.NotExecuted, Message: "m"})
	b.check(err)
	b.same(b.get(t.ID).Status, task.Processing)
}

func appBeginsAnew(b *bench) {
	t := b.held()
	b.check(b.store.Release(b.Context(), t.Token(), 0, ""))
	b.exec("UPDATE image_generations SET status = 'processing' WHERE id = %d", t.ID)
	b.untouched(t.ID)
}

func appCompletes(b *bench) {
	t := b.app(task.Processing)
	b.exec("UPDATE image_generations SET status = 'completed', completed_at = created_at WHERE id = %d", t.ID)
	b.unchanged(t.ID, func() {
		b.same(len(b.publish(10)), 0)
		b.same(b.refused(t.Ref()).Stale, true)
	})
	b.same(b.get(t.ID).OwnedByApp(), false)
}

func appHandsOver(b *bench) {
	t := b.app(task.Processing)
	b.exec("UPDATE image_generations SET status = 'pending' WHERE id = %d", t.ID)
	b.same(b.publish(10), []task.Ref{t.Ref()})
	b.take(t.Ref(), "first", lease)
}

func appHadBefore(b *bench) {
	for _, status := range task.Statuses {
		t := b.app(status)
		b.exec("UPDATE image_generations SET fence = -1 WHERE id = %d", t.ID)
		if status == task.Pending {
			b.untouched(t.ID)
			b.exec("UPDATE image_generations SET published_at = created_at WHERE id = %d", t.ID)
			b.untouched(t.ID)
		}
		b.unchanged(t.ID, func() { b.same(b.refused(t.Ref()).Stale, true) })
	}
	b.same(facts{"all": len(b.list(store.Filter{})), "ours": len(b.list(store.Filter{Ours: true}))},
		facts{"all": len(task.Statuses), "ours": 0})
	_, err := b.store.Retry(b.Context(), b.get(b.list(store.Filter{Statuses: []task.Status{task.Failed}})[0]).Seen(), false)
	var not *store.NotAllowed
	if !errors.As(err, &not) || !not.OwnedByApp {
		b.Errorf("%v", err)
	}
}

func appResults(b *bench) {
	t := b.app(task.Processing)
	for range 2 {
		b.exec("INSERT INTO generation_result (task_id, generated_image_url) VALUES (%d, 'https://ark.test/1.jpeg')", t.ID)
	}
	got := b.results(t.ID)
	b.same(len(got), 2)
	b.same(got[0], task.Result{ID: got[0].ID, TaskID: t.ID, GeneratedImageURL: "https://ark.test/1.jpeg", CreatedAt: got[0].CreatedAt})
	b.exec("UPDATE image_generations SET status = 'completed', completed_at = created_at WHERE id = %d", t.ID)
	files, err := b.store.Files(b.Context(), []int64{t.ID})
	b.check(err)
	b.same(files[t.ID], store.Files{})
	pictures, _, err := b.store.CountAged(b.Context(), b.get(t.ID).CreatedAt.Add(time.Hour))
	b.check(err)
	b.same(pictures, 0)
	b.same(b.history(t.ID).ImagesDone(true), 0)
}

func appDeletes(b *bench) {
	t := b.held()
	a := b.begin(t)
	b.late(a, store.Completion{Results: []task.Result{{GeneratedImageURL: "x", StorageKey: "1/a.png"}}})
	b.check(b.record(store.InputCopied{Task: t.ID, Input: task.Input{SourceHash: "h", StorageKey: "1/in.png", ContentType: "image/png", SHA256: "s"}}))
	b.exec("INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) VALUES (%d, 'response_format', 'url')", t.ID)
	b.exec("INSERT INTO generation_result (task_id, generated_image_url) VALUES (%d, 'y')", t.ID)
	b.exec("INSERT INTO favorite (result_id) SELECT id FROM generation_result")
	tables := []string{"generation_parameter", "generation_attempt", "generation_result", "generation_input", "favorite"}
	left := func() (all []int64) {
		for _, table := range tables {
			all = append(all, b.number("SELECT count(*) FROM %s", table))
		}
		return all
	}
	b.same(left(), []int64{1, 1, 2, 1, 2})
	b.exec("DELETE FROM image_generations WHERE id = %d", t.ID)
	b.same(left(), []int64{0, 0, 0, 0, 0})
}
