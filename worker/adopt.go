package worker

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker/spool"
)

const adoptEvery = 30 * time.Second // between two looks at what others have left

// adopted is what this process knows of entries of the spool.
type adopted struct {
	mu       sync.Mutex
	reported map[string]bool // keys of those that cannot be adopted
}

// report reports whether an entry that cannot be adopted is to be reported, which is once.
func (d *adopted) report(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reported == nil {
		d.reported = make(map[string]bool)
	}
	first := !d.reported[key]
	d.reported[key] = true
	return first
}

// adoptSpool writes into the journal what processes of this machine left in the
// spool when they died, and what is known by that into their tasks. It fetches no
// picture, which may take minutes: see lookForLate.
func (w *Worker) adoptSpool(ctx context.Context) {
	if w.Spool == nil {
		return
	}
	var calls []*task.Attempt
	take := func(e spool.Entry) error {
		a, err := w.adoptEntry(ctx, e)
		if err == nil {
			calls = append(calls, a)
		}
		return err
	}
	err := w.Spool.Adopt(take, func(path string, err error) {
		w.Log.Error().Err(err).Str("file", path).Msg("an entry of the spool cannot be read")
	})
	if err != nil && ctx.Err() == nil {
		w.Log.Warn().Err(err).Msg("the spool waits for the database")
	}
	for _, a := range calls {
		w.learnLate(ctx, a.TaskID)
	}
}

// adoptEntry journals one entry, under the guard of the attempt's own state. The file of
// an attempt that the database has lost, or whose answer it refuses, stays for a person: a
// spool.ErrStays.
func (w *Worker) adoptEntry(ctx context.Context, e spool.Entry) (*task.Attempt, error) {
	var a task.Attempt
	if err := json.Unmarshal(e.Attempt, &a); err != nil {
		return nil, err
	}
	writing, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	id, err := w.Tasks.AttemptID(writing, e.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, w.reportOnce(e, "the spool holds a paid answer whose attempt the database has lost; its file stays", err)
	}
	if err != nil {
		return nil, err
	}
	a.ID = id
	of := task.Token{Task: a.TaskID} // of no claim: only the attempt is written
	var learnt store.Fact = store.Answered{Held: of, Attempt: a}
	if a.State == task.AttemptAccepted {
		learnt = store.Accepted{Held: of, Attempt: a}
	}
	changed, err := w.Journal.Record(writing, learnt)
	if errors.Is(err, store.ErrRefused) {
		return nil, w.reportOnce(e, "the spool holds a paid answer that the database refuses; its file stays", err)
	}
	if err == nil && !changed && a.State == task.AttemptAnswered {
		return &a, w.leaveIfLacked(writing, e, &a)
	}
	if err == nil {
		w.Log.Warn().Int64("task", a.TaskID).Int("attempt", a.Number).Str("state", string(a.State)).Msg("a paid answer was adopted from the spool")
	}
	return &a, err
}

// leaveIfLacked leaves an entry of which the journal lacks pictures in the spool.
func (w *Worker) leaveIfLacked(ctx context.Context, e spool.Entry, a *task.Attempt) error {
	lacks, err := w.lacks(ctx, a)
	if err == nil && lacks {
		err = w.reportOnce(e, "the spool holds pictures of an answer that the database has in part; its file stays", nil)
	}
	return err
}

// lacks reports whether the journal lacks pictures of an answer that it did not take: of what a worker that
// stood still had stored in part, a person's retry may have taken that part.
func (w *Worker) lacks(ctx context.Context, a *task.Attempt) (bool, error) {
	had, err := w.Journal.Attempt(ctx, a.ID)
	if err != nil || had.Answer == "" || drawnIn(had.Answer) >= drawnIn(a.Answer) { // a large answer goes once its pictures are in storage
		return false, err
	}
	h, err := w.Journal.History(ctx, a.TaskID)
	if err != nil {
		return false, err
	}
	kept := 0
	for _, r := range h.Results {
		if r.AttemptID == a.ID {
			kept++
		}
	}
	return kept < drawnIn(a.Answer), nil
}

// drawnIn is how many pictures a journalled answer names; 0 if it cannot be read.
func drawnIn(journalled string) (n int) {
	var a answer
	if json.Unmarshal([]byte(journalled), &a) != nil {
		return 0
	}
	for i := range a.Outputs {
		if a.Outputs[i].Err == nil {
			n++
		}
	}
	return n
}

func (w *Worker) reportOnce(e spool.Entry, why string, err error) error {
	if w.adopted.report(e.Key) {
		w.Log.Error().Err(err).Int64("task", e.Task).Str("attempt_key", e.Key).Msg(why)
	}
	return spool.ErrStays
}

func (w *Worker) learnLate(ctx context.Context, id int64) {
	if _, err := w.Journal.Record(ctx, store.LearntLate{Task: id}); err != nil {
		w.Log.Warn().Err(err).Int64("task", id).Msg("what was learnt late is not on the task")
	}
}
