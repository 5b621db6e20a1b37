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
	lateEvery = 5 * time.Second  // between two looks for such calls
	lateAgain = 30 * time.Second // until one that did not end is taken again
	lateSlots = 100              // calls at work in one process; those that only wait are not counted
	latePage  = 1000             // calls of one worker, and dead workers a tenth of it, that one look reads
	rowEvery  = 10 * time.Second // between two looks whether a person has retried the task
)

// lateCalls are those that this process has in hand, or has had a while ago.
type lateCalls struct {
	mu     sync.Mutex
	known  map[int64]*lateState
	queue  chan lateCall    // calls that a step has left to the collecting
	slots  chan struct{}    // taken by who is at work
	cursor map[string]int64 // the call up to which those of a worker have been read
	dead   string           // the worker up to which the dead ones have been read
}

func newLateCalls() *lateCalls {
	return &lateCalls{known: make(map[int64]*lateState), queue: make(chan lateCall, latePage), slots: make(chan struct{}, lateSlots), cursor: make(map[string]int64)}
}

// lateState is what this process knows of one call.
type lateState struct {
	inHand   bool
	again    time.Time // when it may be taken again; counts if it is not in hand
	asked    bool      // the provider was asked to stop its job
	stopping bool      // before that had begun
}

// lateCall is one to be asked after.
type lateCall struct {
	id int64
	of string // the worker whose it was found to be; empty if a step has left it
}

// leave leaves a call to the collecting, which begins with it at once. If very many are left
// it finds the rest by itself.
func (l *lateCalls) leave(id int64) {
	select {
	case l.queue <- lateCall{id: id}:
	default:
	}
}

// state returns that of a call, whose lock is held.
func (l *lateCalls) state(id int64) *lateState {
	if l.known[id] == nil {
		l.known[id] = &lateState{again: time.Now()}
	}
	return l.known[id]
}

// note takes down that the provider was asked to stop the job of the call, and whether that was
// before the job had begun.
func (l *lateCalls) note(id int64, stopping bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state(id)
	s.asked, s.stopping = true, stopping
}

// asked reports what note has taken down.
func (l *lateCalls) asked(id int64) (asked, stopping bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.known[id]; s != nil {
		return s.asked, s.stopping
	}
	return false, false
}

// take reports whether the call may be taken now, and takes it.
func (l *lateCalls) take(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state(id)
	if s.inHand || time.Now().Before(s.again) {
		return false
	}
	s.inHand = true
	return true
}

func (l *lateCalls) put(id int64, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state(id)
	s.inHand, s.again = false, time.Now().Add(after)
}

// sweep forgets what was to be taken long ago: it has ended, or a person has retried its task.
func (l *lateCalls) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.known {
		if !s.inHand && time.Since(s.again) > pauseCap {
			delete(l.known, id)
		}
	}
}

// acquire waits for a slot, and reports whether it has got one.
func (l *lateCalls) acquire(ctx context.Context) bool {
	select {
	case l.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lateCalls) release() { <-l.slots }

// rest gives the slot of a late step to others while it only waits.
func (s *step) rest(d time.Duration) error {
	if !s.late() {
		return s.w.pause(s.waiting, d, s.wakeUps)
	}
	s.w.late.release()
	err := s.w.pause(s.waiting, d, s.wakeUps)
	s.w.late.slots <- struct{}{}
	return err
}

// lookForLate begins to collect calls whose tasks are over, or go on with a newer one, each in the group of goroutines
// that Run waits for. One look reads a page of each worker's; the next goes on behind it.
func (w *Worker) lookForLate(ctx context.Context, loops *errgroup.Group) {
	if w.draining() {
		return
	}
	w.late.sweep()
	looking, cancel := context.WithTimeout(ctx, w.lease()/4)
	defer cancel()
	dead, err := w.OpenCalls.DeadWorkers(looking, w.late.dead, latePage/10)
	if err != nil {
		return // the heartbeat says when the database is away
	}
	w.late.dead = ""
	if len(dead) == latePage/10 {
		w.late.dead = dead[len(dead)-1]
	}
	for _, worker := range append(dead, w.Self.ID) {
		calls, err := w.OpenCalls.ToCollect(looking, worker, w.late.cursor[worker], latePage)
		if err != nil {
			return
		}
		delete(w.late.cursor, worker)
		if len(calls) == latePage {
			w.late.cursor[worker] = calls[len(calls)-1].ID
		}
		for _, c := range calls {
			if c.Late && w.asksAfter(c) {
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
		if w.late.acquire(ctx) {
			again = w.collectLate(ctx, c)
			w.late.release()
		}
		w.late.put(c.id, again)
		return nil
	})
}

// takeLeft begins at once with what steps have left.
func (w *Worker) takeLeft(ctx context.Context, loops *errgroup.Group) error {
	for {
		select {
		case c := <-w.late.queue:
			if !w.draining() {
				w.takeLate(ctx, loops, c)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
