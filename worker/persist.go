package worker

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker/spool"
)

const (
	spoolAfter = time.Second      // a database that is away for so long may not come back before we go
	lineAfter  = 10 * time.Second // for so long an answer stands in line for a database that works
)

// spooler is the part of a spool that a worker needs.
type spooler interface {
	Put(e spool.Entry) error
	Remove(key string) error
	Adopt(take func(spool.Entry) error, spoilt func(path string, err error)) error
}

// persist repeats a write of what has been paid for until the database takes it,
// the task turns out to be somebody else's, or the process must go. That it
// must go ends the repeating and not the write: the last one may get through.
func (s *step) persist(ctx context.Context, write func(context.Context) error) error {
	wait := 50 * time.Millisecond
	for {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		err := write(writing)
		cancel()
		if err == nil || errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrDrawn) || errors.Is(err, store.ErrRefused) || ctx.Err() != nil {
			return err
		}
		s.log.Warn().Err(err).Dur("next", wait).Msg("the database does not take a result; holding it")
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done(): // once more
			timer.Stop()
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// write persists a fact and reports whether it has changed anything.
func (s *step) write(ctx context.Context, f store.Fact) (changed bool, err error) {
	err = s.persist(ctx, func(ctx context.Context) (err error) {
		changed, err = s.w.Journal.Record(ctx, f)
		return err
	})
	return changed, err
}

// writeEnd persists an ending and reports whether the task is completed by it.
func (s *step) writeEnd(ctx context.Context, e store.Ending) (completed bool, err error) {
	err = s.persist(ctx, func(ctx context.Context) (err error) {
		completed, err = s.w.Journal.Finish(ctx, e)
		return err
	})
	return completed, err
}

// inNothing is where an answer lies that neither the database nor the spool has taken.
const inNothing = "neither in the journal nor in a spool: look the call up at the provider"

// recordPaid persists what a paid call has told: its handle or its
// answer. If the database is away, or has not taken it for long, it goes into the spool
// as well, where it outlives this process. What the database refuses stays there.
func (s *step) recordPaid(ctx context.Context, f store.Fact) error {
	if s.w.Spool == nil {
		_, err := s.write(ctx, f)
		if errors.Is(err, store.ErrRefused) {
			s.onlyIn = inNothing
		}
		return err
	}
	taken, spooled := make(chan struct{}), make(chan bool, 1)
	var failed atomic.Bool
	go func() { spooled <- s.spoolUnless(taken, &failed) }()
	lacks := false // whoever journalled the answer first had found a part of it
	err := s.persist(ctx, func(ctx context.Context) error {
		changed, err := s.w.Journal.Record(ctx, f)
		failed.Store(err != nil)
		if err == nil && !changed && s.last.State == task.AttemptAnswered {
			lacks, err = s.w.lacks(ctx, s.last)
		}
		return err
	})
	close(taken)
	s.settleSpool(err, lacks, <-spooled)
	return err
}

// settleSpool sees that an answer lies in the spool if the database has not got it, or lacks some of it, and
// only then, given whether it does.
func (s *step) settleSpool(err error, lacks, spooled bool) {
	known := err == nil || errors.Is(err, store.ErrFenced) // of the task: its attempt is written all the same
	switch {
	case errors.Is(err, store.ErrRefused): // the journal will never have it, so its only copy stays
		s.onlyIn = inNothing
		if spooled || s.spool() {
			s.onlyIn = "not in the journal but in this worker's spool, in " + s.last.Key + ".json"
		}
	case (!known || lacks) && !spooled: // the process must go, or has to bring what others did not find
		s.spool()
	case known && !lacks && spooled:
		if err := s.w.Spool.Remove(s.last.Key); err != nil {
			s.log.Warn().Err(err).Msg("an answer that the database has stays in the spool")
		}
	}
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
		if failed.Load() || s.w.pulse.late(s.w.lease()) || time.Since(began) >= lineAfter {
			return s.spool()
		}
	}
}

func (s *step) spool() bool {
	a := *s.last
	text, err := json.Marshal(a)
	if err == nil {
		err = s.w.Spool.Put(spool.Entry{SavedAt: time.Now(), Task: a.TaskID, Key: a.Key, Attempt: text})
	}
	if err != nil {
		s.log.Error().Err(err).Msg("a paid answer is held in memory only")
		return false
	}
	// The database may be away, or many may stand in line for it.
	s.log.Warn().Bool("heartbeat_late", s.w.pulse.late(s.w.lease())).Msg("the database has not taken a paid answer yet; it is in the spool as well")
	return true
}
