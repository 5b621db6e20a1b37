package worker

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/easelqueue/easel/task"
)

// How long a paid call has been waited for goes by our own monotonic time. The database's
// clock may be set, or be another one after a failover, and what was paid for is not to be
// given up for that.

// clockStep is how far the database's clock may be wrong. Only what it says beyond that
// counts, so that the waiting ends also where no process lives long enough to see all of it.
const clockStep = 24 * time.Hour

// passed is how much time has passed at least: as much as we have seen ourselves, or as
// the database's clock says if it is at most clockStep ahead.
func passed(own, byClock time.Duration) time.Duration { return max(own, byClock-clockStep) }

// collecting is since when this process has waited for the pictures of calls, by attempt.
type collecting struct {
	mu    sync.Mutex
	since map[int64]time.Time
	swept time.Time
}

// of returns for how long it has waited, which is 0 at first. What other processes have
// ended is forgotten some time.
func (c *collecting) of(attempt int64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.since == nil {
		c.since, c.swept = make(map[int64]time.Time), now
	}
	if now.Sub(c.swept) > clockStep {
		c.swept = now
		maps.DeleteFunc(c.since, func(_ int64, since time.Time) bool { return now.Sub(since) > 30*clockStep })
	}
	since, known := c.since[attempt]
	if !known {
		c.since[attempt], since = now, now
	}
	return now.Sub(since)
}

// over forgets an attempt.
func (c *collecting) over(attempt int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.since, attempt)
}

// age is how long ago the last attempt was sent, at least.
func (s *step) age() time.Duration {
	return passed(s.w.looks.age(s.last.ID), s.byClock(&s.last.SentAt))
}

// sinceAnswered is how long ago the last attempt was answered, at least. Of one that was
// given up before, and that a person has collected once more, the database's clock says it.
func (s *step) sinceAnswered() time.Duration {
	byClock := s.byClock(s.last.AnsweredAt)
	if s.last.ErrorKind != "" && !slices.Contains(task.YieldToProof, s.last.ErrorKind) { // one that was found again has not been waited for
		return byClock
	}
	return passed(s.w.collecting.of(s.last.ID), byClock)
}

// byClock is how long ago t was by the clock that the database had when the step began; 0 if that
// is not known.
func (s *step) byClock(t *time.Time) time.Duration {
	if t == nil || s.clock.IsZero() {
		return 0
	}
	return max(s.now().Sub(*t), 0)
}

// now is what the database's clock says: it said s.clock when the task was claimed. What a row wants
// by a time of day goes by that, and not by the clock of this machine.
func (s *step) now() time.Time {
	if s.clock.IsZero() {
		return time.Now()
	}
	return s.clock.Add(time.Since(s.claimed))
}

const (
	skewWarn  = 5 * time.Second  // between our clock and the database's
	skewAgain = 10 * time.Minute // between two words about it
)

// noteSkew says in the log, now and then, that our clock is far from the database's, which said clock
// some time after claimed. asynq brings what becomes due by the clocks of the workers.
func (w *Worker) noteSkew(claimed, clock time.Time) {
	took := time.Since(claimed)
	skew := clock.Sub(claimed.Round(0)) // of wall clocks, which alone may be set
	if skew > -skewWarn && skew < skewWarn+took {
		return
	}
	w.mu.Lock()
	again := w.skewed.IsZero() || time.Since(w.skewed) >= skewAgain
	if again {
		w.skewed = time.Now()
	}
	w.mu.Unlock()
	if !again {
		return
	}
	w.Log.Warn().Dur("ahead", -skew).Msg("this machine's clock is far from the database's; synchronise them (NTP): what is to wait may come too early or too late")
}
