package storetest

import (
	"errors"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func files() []claim {
	return []claim{
		{"The files of tasks are what their rows name, and of others there are none", namesFiles},
		{"A call that may still bring pictures leaves its task open", openFiles},
		{"Aged pictures are let go in parts, favourites and results of the app's own are not", retires},
		{"Only a task that has ended is deleted, and all that belongs to it goes; one that the app keeps is not", deletesTask},
	}
}

// kept is a completed task of one picture.
func (b *bench) kept() *task.Task {
	b.Helper()
	t := b.held()
	b.check(b.finish(store.Completed{Held: t.Token(), Attempt: b.begin(t), Completion: completion()}))
	return t
}

func namesFiles(b *bench) {
	t := b.kept()
	b.check(b.record(store.InputCopied{Task: t.ID, Input: task.Input{StorageKey: "1/input-0.png", SourceHash: "h", ContentType: "image/png", SHA256: "s"}}))
	got, err := b.store.Files(b.Context(), []int64{t.ID, t.ID + 1000})
	b.check(err)
	b.same(len(got), 1)
	b.same(facts{"Open": got[t.ID].Open, "len Keys": len(got[t.ID].Keys)}, facts{"Open": false, "len Keys": 4}) // two pictures, one thumbnail, one input
	none, err := b.store.Files(b.Context(), nil)
	b.check(err)
	b.same(len(none), 0)
}

func openFiles(b *bench) {
	waiting, held, cancelled, failed, lost := b.insert(task.Task{}), b.held(), b.held(), b.held(), b.held()
	b.begin(cancelled)
	b.check(b.finish(store.Decided{Held: lost.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown}}, Attempt: ended(b.begin(lost), unknown)}))
	_, err := b.store.Cancel(b.Context(), task.Seen{Task: cancelled.ID})
	b.check(err)
	b.check(b.finish(store.Decided{Held: failed.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"}}}))
	given := b.outcomeUnknown()
	_, err = b.store.GiveUp(b.Context(), b.get(given.ID).Seen(), nil)
	b.check(err)
	got, err := b.store.Files(b.Context(), []int64{waiting.ID, held.ID, cancelled.ID, failed.ID, lost.ID, given.ID})
	b.check(err)
	b.same(facts{
		"waiting.Open": got[waiting.ID].Open, "held.Open": got[held.ID].Open,
		"cancelled.Open": got[cancelled.ID].Open, "failed.Open": got[failed.ID].Open,
		"lost.Open": got[lost.ID].Open, "given.Open": got[given.ID].Open,
	}, facts{"waiting.Open": true, "held.Open": true, "cancelled.Open": true, "failed.Open": false, "lost.Open": true, "given.Open": true})
}

func retires(b *bench) {
	old, liked := b.kept(), b.kept()
	b.exec("INSERT INTO favorite (result_id) SELECT id FROM generation_result WHERE task_id = %d", liked.ID)
	b.held() // not over
	soon := time.Now().Add(time.Hour)
	n, bytes, err := b.store.CountAged(b.Context(), soon)
	b.check(err)
	b.same(facts{"n": n, "bytes": bytes}, facts{"n": 2, "bytes": int64(5<<32 + 7)})
	for _, want := range []int{1, 1, 0} {
		n, err := b.store.Retire(b.Context(), soon, 1)
		b.check(err)
		b.same(n, want)
	}
	b.exec("INSERT INTO generation_result (task_id, generated_image_url, storage_key, thumbnail_key) VALUES (%d, 'https://app.test/a.png', 'own', 'own')", old.ID)
	n, err = b.store.Retire(b.Context(), soon, 1)
	b.check(err)
	b.same(n, 0)
	b.exec("DELETE FROM generation_result WHERE storage_key = 'own'")
	b.late(&b.attempts(old.ID)[0], completion()) // of one that was let go nothing is missed
	for _, r := range b.results(old.ID) {
		b.same(facts{"StorageKey": r.StorageKey, "ThumbnailKey": r.ThumbnailKey}, facts{"StorageKey": "", "ThumbnailKey": ""})
	}
	b.same(b.results(liked.ID)[0].StorageKey, "1/1-0.png")
}

func deletesTask(b *bench) {
	t, held := b.kept(), b.held()
	b.check(b.store.Delete(b.Context(), t.ID))
	b.same(facts{
		"results":  b.number("SELECT count(*) FROM generation_result"),
		"attempts": b.number("SELECT count(*) FROM generation_attempt WHERE task_id = %d", t.ID),
	}, facts{"results": int64(0), "attempts": int64(0)})
	var not *store.NotAllowed
	if err := b.store.Delete(b.Context(), held.ID); !errors.As(err, &not) || not.Status != task.Processing {
		b.Errorf("a task that is held: %v", err)
	}
	apps := b.kept()
	b.exec("UPDATE image_generations SET fence = -1 WHERE id = %d", apps.ID)
	if err := b.store.Delete(b.Context(), apps.ID); !errors.As(err, &not) || !not.OwnedByApp || len(b.results(apps.ID)) != 2 {
		b.Errorf("a row that the app keeps: %v", err)
	}
	if err := b.store.Delete(b.Context(), t.ID); !errors.Is(err, store.ErrNotFound) {
		b.Errorf("a task that is gone: %v", err)
	}
}
