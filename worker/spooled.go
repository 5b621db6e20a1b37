package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker/spool"
)

const (
	spoolAfter = time.Second      // a database that is away for so long may not come back before we go
	lineAfter  = 10 * time.Second // for so long an answer stands in line for a database that works
	adoptEvery = 30 * time.Second // between two looks at what others have left
	doubtsAt   = 4                // once are ended of those that were adopted
)

// spooler is the part of a spool that a worker needs.
type spooler interface {
	Put(e spool.Entry) error
	Remove(key string) error
	Adopt(take func(spool.Entry) error, spoilt func(path string, err error)) error
}

// inNothing is where an answer lies that neither the database nor the spool has taken.
const inNothing = "neither in the journal nor in a spool: look the call up at the provider"

// persistPaid is persist for what a paid call has told: its handle or its
// answer. If the database is away, or has not taken it for long, it goes into the spool
// as well, where it outlives this process. What the database refuses stays there.
func (s *step) persistPaid(ctx context.Context, write func(context.Context) error) error {
	if s.Spool == nil {
		err := s.persist(ctx, write)
		if s.Tasks.Refuses(err) {
			s.onlyIn = inNothing
		}
		return err
	}
	taken, spooled := make(chan struct{}), make(chan bool, 1)
	var failed atomic.Bool
	go func() { spooled <- s.spoolUnless(taken, &failed) }()
	err := s.persist(ctx, func(ctx context.Context) error {
		err := write(ctx)
		failed.Store(err != nil)
		return err
	})
	close(taken)
	kept := <-spooled
	known := err == nil || errors.Is(err, store.ErrFenced)
	switch {
	case s.Tasks.Refuses(err): // the journal will never have it, so its only copy stays
		s.onlyIn = inNothing
		if kept || s.spool() {
			s.onlyIn = "not in the journal but in this worker's spool, in " + s.last.Key + ".json"
		}
	case !known && !kept: // the process must go
		s.spool()
	case known && kept:
		if err := s.Spool.Remove(s.last.Key); err != nil {
			s.log.Warn().Err(err).Msg("an answer that the database has stays in the spool")
		}
	}
	return err
}

// spoolUnless spools the answer if the database is away: a write of it has failed, or the
// heartbeat is late. In a long line before one that works an answer waits for lineAfter:
// thousands of files would make the line longer. It reports whether it has spooled it.
func (s *step) spoolUnless(taken <-chan struct{}, failed *atomic.Bool) bool {
	look := time.NewTicker(spoolAfter)
	defer look.Stop()
	for began := time.Now(); ; {
		select {
		case <-taken:
			return false
		case <-look.C:
		}
		if failed.Load() || s.pulse.late(s.lease()) || time.Since(began) >= lineAfter {
			return s.spool()
		}
	}
}

func (s *step) spool() bool {
	a := *s.last
	text, err := json.Marshal(a)
	if err == nil {
		err = s.Spool.Put(spool.Entry{SavedAt: time.Now(), Task: a.TaskID, Key: a.Key, Attempt: text})
	}
	if err != nil {
		s.log.Error().Err(err).Msg("a paid answer is held in memory only")
		return false
	}
	// The database may be away, or many may stand in line for it.
	s.log.Warn().Bool("heartbeat_late", s.pulse.late(s.lease())).Msg("the database has not taken a paid answer yet; it is in the spool as well")
	return true
}

// doubts are tasks whose calls were adopted from a spool and that do not say so yet.
type doubts struct {
	mu    sync.Mutex
	calls []*task.Attempt
	stays map[string]bool // keys of entries that cannot be adopted and have been reported
}

// report reports once for each entry that cannot be adopted.
func (d *doubts) report(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stays == nil {
		d.stays = make(map[string]bool)
	}
	first := !d.stays[key]
	d.stays[key] = true
	return first
}

func (d *doubts) add(calls []*task.Attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, calls...)
}

// next returns one of them, and nil if there is none.
func (d *doubts) next() *task.Attempt {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) == 0 {
		return nil
	}
	a := d.calls[0]
	d.calls = d.calls[1:]
	return a
}

// adoptSpool writes into the journal what processes of this machine left in the
// spool when they died, and what is known by that into their tasks. It fetches no
// picture, which may take minutes: endDoubts does.
func (w *Worker) adoptSpool(ctx context.Context) {
	if w.Spool == nil {
		return
	}
	var adopted []*task.Attempt
	take := func(e spool.Entry) error {
		a, err := w.adoptEntry(ctx, e)
		if err == nil {
			adopted = append(adopted, a)
		}
		return err
	}
	err := w.Spool.Adopt(take, func(path string, err error) {
		w.Log.Error().Err(err).Str("file", path).Msg("an entry of the spool cannot be read")
	})
	if err != nil && ctx.Err() == nil {
		w.Log.Warn().Err(err).Msg("the spool waits for the database")
	}
	for _, a := range adopted {
		w.learnLate(ctx, a.TaskID)
	}
	w.doubts.add(adopted)
}

// endDoubts ends all doubts that are there.
func (w *Worker) endDoubts(ctx context.Context) {
	for ctx.Err() == nil {
		a := w.doubts.next()
		if a == nil {
			return
		}
		w.endDoubt(ctx, a)
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
		return nil, w.stays(e, "the spool holds a paid answer whose attempt the database has lost; its file stays", err)
	}
	if err != nil {
		return nil, err
	}
	a.ID = id
	of := &task.Task{ID: a.TaskID} // no fence: only the attempt is written
	if a.State == task.AttemptAccepted {
		err = w.Tasks.Accept(writing, of, &a, "")
	} else {
		err = w.Tasks.Answer(writing, of, &a, "")
	}
	if w.Tasks.Refuses(err) {
		return nil, w.stays(e, "the spool holds a paid answer that the database refuses; its file stays", err)
	}
	if err == nil {
		w.Log.Warn().Int64("task", a.TaskID).Int("attempt", a.Number).Str("state", string(a.State)).Msg("a paid answer was adopted from the spool")
	}
	return &a, err
}

func (w *Worker) stays(e spool.Entry, why string, err error) error {
	if w.doubts.report(e.Key) {
		w.Log.Error().Err(err).Int64("task", e.Task).Str("attempt_key", e.Key).Msg(why)
	}
	return spool.ErrStays
}

// endDoubt lets a task that is held say what its call has turned out to be, and completes
// it with the pictures of the call if they can be had now. Whoever works on the task
// finds the call in its journal. A panic, which only a fault of ours or of an adapter can
// cause, is this one task's.
func (w *Worker) endDoubt(ctx context.Context, a *task.Attempt) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error().Int64("task", a.TaskID).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("panic")
		}
	}()
	t, err := w.Tasks.Get(ctx, a.TaskID)
	if err != nil || !t.Status.Final() {
		return
	}
	svc, known := w.Services[a.Provider]
	if known && t.Provider == a.Provider && a.State == task.AttemptAnswered && t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown {
		s := &step{Worker: w, svc: svc, t: t, last: a, late: true, log: w.Log.With().Int64("task", t.ID).Int("attempt", a.Number).Logger()}
		s.account, _ = svc.Account(a.Account) // which only renews an address
		if s.settle(ctx) == nil && s.place(ctx, a.Number, s.asked()) == nil {
			_ = s.keepAgain(ctx) // its verdict is for a delivery, and there is none
		}
	}
	w.learnLate(ctx, a.TaskID)
}

func (w *Worker) learnLate(ctx context.Context, id int64) {
	if err := w.Tasks.Reconsider(ctx, id); err != nil {
		w.Log.Warn().Err(err).Int64("task", id).Msg("what was learnt late is not on the task")
	}
}
