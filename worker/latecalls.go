package worker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

const (
	lateEvery  = 5 * time.Second  // between two looks for such calls
	lateAgain  = 30 * time.Second // until one that did not end is taken again
	lateAtOnce = 100              // at work in one process; those that only wait are not counted
	latePage   = 1000             // calls of one worker, and silent workers a tenth of it, that one look reads
	rowEvery   = 10 * time.Second // between two looks whether a person has retried the task
)

// lateCalls are those that this process has in hand, or has had a while ago.
type lateCalls struct {
	mu      sync.Mutex
	again   map[int64]time.Time // when it may be taken again; the zero time while it is in hand
	stopped map[int64]bool      // jobs that this process has asked the provider to stop, and whether that was before they had begun
	told    chan lateCall       // calls that a step has left to the collecting
	turns   chan struct{}       // who is at work
	behind  map[string]int64    // how far the calls of a worker have been read
	silent  string              // how far the silent workers have
}

// lateCall is one to be asked after.
type lateCall struct {
	id int64
	of string // the worker whose it was found to be; empty if a step has left it
}

// begin makes what Run and steps share.
func (l *lateCalls) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.again == nil {
		l.again, l.stopped, l.behind = make(map[int64]time.Time), make(map[int64]bool), make(map[string]int64)
		l.told, l.turns = make(chan lateCall, latePage), make(chan struct{}, lateAtOnce)
	}
}

// tell leaves a call to the collecting, which begins with it at once. If very many are told
// it finds the rest by itself.
func (l *lateCalls) tell(id int64) {
	l.begin()
	select {
	case l.told <- lateCall{id: id}:
	default:
	}
}

// note takes down that the provider was asked to stop the job of the call, and whether that was
// before the job had begun.
func (l *lateCalls) note(id int64, stopping bool) {
	l.begin()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped[id] = stopping
}

// asked reports what note has taken down.
func (l *lateCalls) asked(id int64) (asked, stopping bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stopping, asked = l.stopped[id]
	return asked, stopping
}

// take reports whether the call may be taken now, and takes it.
func (l *lateCalls) take(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	again, known := l.again[id]
	if known && (again.IsZero() || time.Now().Before(again)) {
		return false
	}
	l.again[id] = time.Time{}
	return true
}

func (l *lateCalls) put(id int64, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again[id] = time.Now().Add(after)
}

// sweep forgets what was to be taken again long ago: it has ended.
func (l *lateCalls) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, again := range l.again {
		if !again.IsZero() && time.Since(again) > pauseCap {
			delete(l.again, id)
			delete(l.stopped, id)
		}
	}
}

// turn waits until the call may be at work, and reports whether it may.
func (l *lateCalls) turn(ctx context.Context) bool {
	select {
	case l.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// rest lets others work while a step only waits.
func (s *step) rest(d time.Duration) error {
	if s.was == "" {
		return s.w.pause(s.waiting, d, s.wakeUps)
	}
	<-s.w.late.turns
	err := s.w.pause(s.waiting, d, s.wakeUps)
	s.w.late.turns <- struct{}{}
	return err
}

// lookForLate begins to collect calls whose tasks are over, each in the group of goroutines
// that Run waits for. One look reads a page of each worker's; the next goes on behind it.
func (w *Worker) lookForLate(ctx context.Context, loops *errgroup.Group) {
	if w.draining() {
		return
	}
	w.late.sweep()
	looking, cancel := context.WithTimeout(ctx, w.lease()/4)
	defer cancel()
	silent, err := w.OpenCalls.SilentWorkers(looking, w.late.silent, latePage/10)
	if err != nil {
		return // the heartbeat says when the database is away
	}
	w.late.silent = ""
	if len(silent) == latePage/10 {
		w.late.silent = silent[len(silent)-1]
	}
	for _, worker := range append(silent, w.Self.ID) {
		calls, err := w.OpenCalls.ToCollect(looking, worker, w.late.behind[worker], latePage)
		if err != nil {
			return
		}
		delete(w.late.behind, worker)
		if len(calls) == latePage {
			w.late.behind[worker] = calls[len(calls)-1].ID
		}
		for _, c := range calls {
			if c.TaskOver && w.asksAfter(c) {
				w.takeLate(ctx, loops, lateCall{c.ID, worker})
			}
		}
	}
}

// asksAfter reports whether this process can ask after the call: it has its account. An answer
// is collected without it, but never given up.
func (w *Worker) asksAfter(c store.OpenCall) bool {
	svc, known := w.Services[c.Provider]
	if !known {
		return false
	}
	_, known = svc.Account(c.Account)
	return known || c.State == task.AttemptAnswered
}

// takeLate collects the call in a goroutine of its own, unless this process has it in hand, or
// had it just now.
func (w *Worker) takeLate(ctx context.Context, loops *errgroup.Group, c lateCall) {
	if !w.late.take(c.id) {
		return
	}
	loops.Go(func() error {
		again := lateAgain
		if w.late.turn(ctx) {
			again = w.collectLate(ctx, c)
			<-w.late.turns
		}
		w.late.put(c.id, again)
		return nil
	})
}

// hearLate begins at once with what steps have left.
func (w *Worker) hearLate(ctx context.Context, loops *errgroup.Group) error {
	for {
		select {
		case c := <-w.late.told:
			if !w.draining() {
				w.takeLate(ctx, loops, c)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
