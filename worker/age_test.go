package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestTimePassed(t *testing.T) {
	inBubble(t, []claim{
		{"A clock that is set forward gives up no picture before the life of its address is over", setForward(false, "")},
		{"Nor does a process that begins after it", setForward(true, "")},
		{"Nor does it give up one of a call that was found again", setForward(true, task.Forgotten)},
		{"A clock that is set back makes no picture be waited for longer", setBack},
		{"What the clock says of days ends the waiting also at a process that begins", longAgo},
		{"A clock that is set forward ends no job", jobSetForward},
		{"A damaged picture is fetched again for two minutes, whatever the clock says", damagedSetForward},
	})
}

// clock sets the database's clock by what its rows say.
func (r *rig) clock(column string, by time.Duration) {
	r.Helper()
	r.exec(fmt.Sprintf("UPDATE generation_attempt SET %s = strftime('%%Y-%%m-%%d %%H:%%M:%%f000+00:00', %s, '%+d seconds')", column, column, -int(by.Seconds())))
}

func setForward(anew bool, found task.Kind) func(r *rig) {
	return func(r *rig) {
		r.painter.can.AddressLife = 4 * time.Minute
		_, alive := r.dead()
		p := r.start()
		t := r.asks()
		r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
		r.clock("answered_at", 2*time.Hour)
		r.exec(fmt.Sprintf("UPDATE generation_attempt SET error_kind = nullif('%s', '')", found))
		if anew {
			r.stop(p)
			r.start()
		}
		r.passes(3 * time.Minute)
		r.same(r.get(t.ID).Status.Final(), false)
		alive()
		r.ends(t.ID, task.Completed)
		r.same(r.painter.submits.Load(), int64(1))
	}
}

func setBack(r *rig) {
	r.painter.can.AddressLife = 4 * time.Minute
	r.dead()
	r.start()
	t := r.asks()
	began := time.Now()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.clock("answered_at", -2*time.Hour)
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.Expired)
	if took := time.Since(began); took < 4*time.Minute || took > 5*time.Minute {
		r.Errorf("it was given up after %s", took)
	}
}

func longAgo(r *rig) {
	r.painter.can.AddressLife = 4 * time.Minute
	r.dead()
	p := r.start()
	t := r.asks()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.stop(p)
	r.clock("answered_at", 25*time.Hour)
	r.start()
	began := time.Now()
	r.ends(t.ID, task.Failed)
	if took := time.Since(began); took > 2*time.Minute {
		r.Errorf("it was given up after %s", took)
	}
}

func jobSetForward(r *rig) {
	var ready atomic.Bool
	r.painter.drawsWhen(&ready)
	p := r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	r.clock("sent_at", 2*time.Hour)
	r.stop(p)
	r.start()
	r.passes(time.Minute)
	r.same(facts{"Final": r.get(t.ID).Status.Final(), "states": r.states(t.ID)}, facts{"Final": false, "states": []task.AttemptState{task.AttemptAccepted}})
	ready.Store(true)
	r.ends(t.ID, task.Completed)
}

func damagedSetForward(r *rig) {
	there := &atomic.Bool{}
	there.Store(true)
	broken := pngOf(40, 30)
	broken[60] ^= 0xff
	r.obstruct(there, obstacle{web: body(string(broken))}, new(atomic.Int64))
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	r.until("it waits for its picture", func() bool { return r.get(t.ID).Status == task.Pending && len(r.attempts(t.ID)) == 1 })
	r.clock("answered_at", 2*time.Hour)
	r.passes(30 * time.Second)
	r.same(r.get(t.ID).Status, task.Pending)
	there.Store(false)
	r.ends(t.ID, task.Completed)
}
