package worker_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
	"github.com/easelqueue/easel/worker/spool"
)

func TestSpooling(t *testing.T) {
	inBubble(t, []claim{
		{"An answer that stands in line for a database that works is not spooled", spools(9*time.Second, false, 0, 0)},
		{"It is spooled as well when the line is longer than ten seconds", spools(time.Minute, false, 10*time.Second, 11*time.Second)},
		{"An answer is spooled soon when the heartbeat is late", spools(time.Minute, true, time.Second, 6*time.Second)},
		{"An answer that the database refuses stays in the spool, and the task says where it is", staysRefused},
		{"An answer that the database refuses where there is no spool is said to be nowhere", refusedWithoutSpool},
		{"An entry that cannot be adopted is reported once, and is no outage", reportedOnce},
		{"An answer whose write has failed is spooled after a second", spoolsFailed},
	})
}

// putting is a spool that notes when an answer came into it.
type putting struct {
	left
	puts atomic.Int64
	at   atomic.Pointer[time.Time]
}

func (p *putting) Put(spool.Entry) error {
	now := time.Now()
	p.puts.Add(1)
	p.at.Store(&now)
	return nil
}

// spools has all connections but the heartbeat's, or all, taken for that long once a call
// is answered, and wants the answer in the spool between earliest and latest, or never.
func spools(taken time.Duration, heartLate bool, earliest, latest time.Duration) func(r *rig) {
	return func(r *rig) {
		p := &putting{}
		r.equip = func(w *worker.Worker) { w.Spool = p }
		var process *process
		var answered time.Time
		r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
			if heartLate {
				process.heartStops()
			}
			r.takeConnections(taken)
			answered = time.Now()
			return drawn(pngOf(40, 30)), nil
		}
		process = r.start()
		t := r.asks()
		r.until("the call is made", func() bool { return r.painter.submits.Load() == 1 })
		r.until("the answer is journalled", func() bool {
			s := r.states(t.ID)
			return len(s) == 1 && s[0] != task.AttemptSending
		})
		if latest == 0 {
			r.same(p.puts.Load(), int64(0))
			return
		}
		r.same(p.puts.Load(), int64(1))
		if after := p.at.Load().Sub(answered); after < earliest || after > latest {
			r.Errorf("it was spooled after %s", after)
		}
	}
}

// takeConnections holds every connection of the pool for d.
func (r *rig) takeConnections(d time.Duration) {
	r.Helper()
	var taken []*sql.Conn
	for range r.tasks.DB().Stats().MaxOpenConnections {
		c, err := r.tasks.DB().Conn(context.WithoutCancel(r.Context()))
		r.check(err)
		taken = append(taken, c)
	}
	time.AfterFunc(d, func() {
		for _, c := range taken {
			c.Close()
		}
	})
}

func spoolsFailed(r *rig) {
	p := &putting{}
	r.equip = func(w *worker.Worker) { w.Spool = p }
	var answered time.Time
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		r.exec("ALTER TABLE generation_attempt RENAME TO away")
		answered = time.Now()
		return drawn(pngOf(40, 30)), nil
	}
	r.start()
	t := r.asks()
	r.until("it is spooled", func() bool { return p.puts.Load() == 1 })
	if after := p.at.Load().Sub(answered); after > 2*time.Second {
		r.Errorf("it was spooled after %s", after)
	}
	r.exec("ALTER TABLE away RENAME TO generation_attempt")
	r.ends(t.ID, task.Completed)
}

// staying is a spool that hands the same entries out again and again, and notes what is
// put into it and taken out.
type staying struct {
	putting
	removes atomic.Int64
	entries atomic.Pointer[[]spool.Entry]
	takes   atomic.Int64
	errs    atomic.Int64 // other than that an entry stays
}

func (s *staying) Remove(string) error {
	s.removes.Add(1)
	return nil
}

func (s *staying) Adopt(take func(spool.Entry) error, _ func(string, error)) error {
	all := s.entries.Load()
	if all == nil {
		return nil
	}
	for _, e := range *all {
		if !errors.Is(take(e), spool.ErrStays) {
			s.errs.Add(1)
		}
		s.takes.Add(1)
	}
	return nil
}

func staysRefused(r *rig) {
	s := &staying{}
	r.equip = func(w *worker.Worker) { w.Spool = s }
	r.exec("CREATE TRIGGER no BEFORE UPDATE ON generation_attempt WHEN NEW.state = 'answered' BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no'); END")
	r.start()
	failed := r.ends(r.asks().ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "puts": s.puts.Load(), "removes": s.removes.Load()},
		facts{"ErrorKind": task.Internal, "puts": int64(1), "removes": int64(0)})
	if want := "not in the journal but in this worker's spool, in " + r.attempts(failed.ID)[0].Key + ".json"; !strings.Contains(failed.ErrorMsg, want) {
		r.Errorf("the task says %q", failed.ErrorMsg)
	}
	r.exec("DROP TRIGGER no")
}

func refusedWithoutSpool(r *rig) {
	r.equip = func(w *worker.Worker) { w.Spool = nil }
	r.exec("CREATE TRIGGER no BEFORE UPDATE ON generation_attempt WHEN NEW.state = 'answered' BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no'); END")
	r.start()
	failed := r.ends(r.asks().ID, task.Failed)
	if want := "what was bought is neither in the journal nor in a spool: look the call up at the provider"; !strings.Contains(failed.ErrorMsg, want) {
		r.Errorf("the task says %q", failed.ErrorMsg)
	}
	r.exec("DROP TRIGGER no")
}

func reportedOnce(r *rig) {
	s := &staying{}
	var said lines
	r.equip = func(w *worker.Worker) { w.Spool, w.Log = s, zerolog.New(&said) }
	t := r.leaves(nil)
	lost, refused := r.spooled(t.ID, drawn(pngOf(4, 3))), r.spooled(t.ID, drawn(pngOf(4, 3)))
	lost.Key = "lost"
	s.entries.Store(&[]spool.Entry{lost, refused})
	r.exec("CREATE TRIGGER no BEFORE UPDATE ON generation_attempt WHEN NEW.state = 'answered' BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no'); END")
	r.start()
	r.until("they were met three times", func() bool { return s.takes.Load() >= 6 })
	r.same(facts{
		"errs": s.errs.Load(), "lost": said.count("has lost; its file stays"),
		"refused": said.count("refuses; its file stays"),
	}, facts{"errs": int64(0), "lost": 1, "refused": 1})
	r.exec("DROP TRIGGER no")
}

// lines is a log that can be searched.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) count(word string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}
