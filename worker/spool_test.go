package worker_test

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"
	"time"

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
