package worker

import (
	"cmp"
	"context"
	"sort"
	"sync"
	"time"
)

// journalLooks is what this process has seen of the journal: up to which attempt it went,
// and when. How old a call is at least follows from that and from our own monotonic time
// alone. The times in the rows do not say it: they are those of a clock that may have
// jumped since, or of another server's before a failover.
type journalLooks struct {
	mu  sync.Mutex
	all []journalLook        // newest and at both grow
	met map[string]time.Time // when this process first asked after a lost call, by its key
}

type journalLook struct {
	newest int64     // the highest id of an attempt
	at     time.Time // when it had been read
}

// lookEvery is how close together looks are remembered.
const lookEvery = time.Second

// note remembers a look. Of those that are older than keep one stays.
func (l *journalLooks) note(newest int64, at time.Time, keep time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.all); n > 0 && l.all[n-1].newest >= newest {
		return // an earlier look proves as much, and more
	}
	if n := len(l.all); n > 1 && at.Sub(l.all[n-2].at) < lookEvery {
		l.all = l.all[:n-1] // calls become that much younger, and the looks do not become many
	}
	l.all = append(l.all, journalLook{newest, at})
	for len(l.all) > 1 && at.Sub(l.all[1].at) >= keep {
		l.all = l.all[1:]
	}
}

// age is how long the attempt has been in the journal at least: since the first look
// that went as far; 0 if none did.
func (l *journalLooks) age(attempt int64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.all), func(i int) bool { return l.all[i].newest >= attempt })
	if i == len(l.all) {
		return 0
	}
	return time.Since(l.all[i].at)
}

// begin forgets all looks if the journal has lost its newest attempt since: the ids of
// what a failover has lost come again, for others.
func (l *journalLooks) begin(newest int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.all); n > 0 && l.all[n-1].newest > newest {
		l.all = nil
	}
}

// maxMet bounds the lost calls that are remembered; beyond it the looks alone count.
const maxMet = 10_000

// lost is how long a lost call has been in the journal at least. Its key, which comes to
// no other call, says when this process has met it first: an app that deletes tasks as they
// end, so that the looks begin anew again and again, makes it no younger than that.
func (l *journalLooks) lost(attempt int64, key string) time.Duration {
	age := l.age(attempt)
	l.mu.Lock()
	defer l.mu.Unlock()
	first, known := l.met[key]
	switch {
	case known:
		return max(age, time.Since(first))
	case len(l.met) >= maxMet:
		return age
	case l.met == nil:
		l.met = make(map[string]time.Time)
	}
	l.met[key] = time.Now()
	return age
}

// lookAtJournal is done all the time, so that this process need not begin to wait when
// it meets a lost call. What it misses makes calls only younger.
func (w *Worker) lookAtJournal(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, w.lease()/4)
	defer cancel()
	if newest, err := w.Leases.NewestAttempt(looking); err == nil {
		w.looks.begin(newest)
		w.looks.note(newest, time.Now(), w.longestWait())
	}
}

// longestWait is the longest for which a call of any service is waited for.
func (w *Worker) longestWait() time.Duration {
	longest := time.Duration(0)
	for _, svc := range w.Services {
		longest = max(longest, cmp.Or(svc.Timeout, defaultTimeout), cmp.Or(svc.Deadline, defaultDeadline))
	}
	return longest + w.lease()
}
