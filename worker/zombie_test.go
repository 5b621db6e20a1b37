package worker_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
)

func TestZombies(t *testing.T) {
	inBubble(t, []claim{
		{"A zombie's true answer completes the task that is held for want of it", zombie},
		{"A zombie's answer that comes while the call after it is lost ends the task, and nothing more is bought", zombieInTime},
		{"A zombie whose task is polled by another leaves one result", twoPollers},
		{"A zombie whose call failed changes nothing", zombieFails},
		{"A claim that was taken over before its call makes none", takenBeforeCall},
		{"A call whose journal took longer than the lease is not made", slowJournal},
		{"A call whose journal waited in line for five leases is made once, for the heartbeat does not stand in it", slowPool},
		{"A living worker's long call is not taken away", longCall},
	})
}

func zombie(r *rig) {
	taken, answer := r.painter.hangs()
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	first.heartStops()
	second := r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "Crashes": failed.Crashes, "recovers": r.painter.recovers.Load()},
		facts{"ErrorKind": task.OutcomeUnknown, "Crashes": 1, "recovers": int64(1)})
	answer <- drawn(pngOf(40, 30))
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.stop(first)
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSucceeded})
	r.in(failed.Ref(), queue.Absent)

	done := r.get(t.ID)
	r.same(facts{"Status": done.Status, "Delivery": done.Delivery, "Fence": done.Fence, "ErrorMsg": done.ErrorMsg, "ErrorKind": done.ErrorKind},
		facts{"Status": task.Completed, "Delivery": failed.Delivery, "Fence": failed.Fence, "ErrorMsg": "", "ErrorKind": task.Kind("")})
	r.same(facts{"CostMicros": *done.CostMicros, "Width": *done.Width, "submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))},
		facts{"CostMicros": int64(40_000), "Width": 40, "submits": int64(1), "len results": 1})
	r.same(r.stored(r.results(t.ID)[0].StorageKey), pngOf(40, 30))
	r.stop(second)
}

func zombieInTime(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	first, made := make(chan provider.Answer), make(chan struct{}, 3)
	r.painter.submit = func(ctx context.Context, c provider.Call) (provider.Answer, error) {
		made <- struct{}{}
		if c.Number == 1 {
			return <-first, nil
		}
		<-ctx.Done()
		return fails(task.Timeout, task.Unknown)
	}
	frozen := r.start()
	t := r.asks()
	heard(r, "the call is made", made)
	frozen.heartStops()
	lost := r.start()
	heard(r, "the policy has it made again", made)
	lost.heartStops()
	first <- drawn(pngOf(40, 30))
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })

	heir := r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "Width": *done.Width, "ErrorMsg": done.ErrorMsg}, facts{"submits": int64(2), "Width": 40, "ErrorMsg": ""})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSucceeded, task.AttemptUnknown})
	r.stop(frozen)
	r.stop(lost)
	r.stop(heir)
}

func twoPollers(r *rig) {
	ready := make(chan struct{})
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		select {
		case <-ready:
			return drawn(pngOf(40, 30)), nil
		default:
			return working(0), nil
		}
	})
	first := r.start()
	t := r.asks()
	r.until("the job is polled", func() bool { return r.painter.polls.Load() > 0 })
	first.heartStops()
	second := r.start()
	r.until("another has it", func() bool { return r.get(t.ID).Worker == second.Self.ID })
	close(ready)
	r.ends(t.ID, task.Completed)
	r.stop(first)
	r.same(facts{"len results": len(r.results(t.ID)), "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"len results": 1, "submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func zombieFails(r *rig) {
	taken, leave := make(chan struct{}), make(chan struct{})
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		close(taken)
		<-leave
		return fails(task.Unavailable, task.NotExecuted)
	}
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	first.heartStops()
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return working(0), nil }
	var ready atomic.Bool
	r.painter.poll = func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	}
	second := r.start()
	r.until("another has it", func() bool { return r.get(t.ID).Worker == second.Self.ID && r.painter.polls.Load() > 0 })
	before := r.get(t.ID)
	close(leave)
	r.passes(5 * time.Second)
	after := r.get(t.ID)
	r.same(facts{"Fence": after.Fence, "Status": after.Status, "states": r.states(t.ID)},
		facts{"Fence": before.Fence, "Status": task.Processing, "states": []task.AttemptState{task.AttemptAccepted}})
	ready.Store(true)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

// takenBeforeCall: the fence is lost between the claim and the journal.
func takenBeforeCall(r *rig) {
	t := r.asks()
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		r.exec("UPDATE image_generations SET fence = fence + 1")
	}}
	p := r.start()
	r.until("it was prepared", func() bool { return r.get(t.ID).Fence >= 2 })
	r.passes(time.Second)
	r.stop(p)
	r.same(facts{"submits": r.painter.submits.Load(), "len attempts": len(r.attempts(t.ID))}, facts{"submits": int64(0), "len attempts": 0})
}

// slowJournal: the database stands still in the middle of a step, for longer
// than the lease, and lets the step go on before anybody can take the task.
func slowJournal(r *rig) {
	t := r.asks()
	var once sync.Once
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		once.Do(func() {
			tx, err := r.tasks.DB().BeginTx(context.WithoutCancel(r.Context()), nil)
			r.check(err)
			time.AfterFunc(2*r.lease, func() { tx.Rollback() })
		})
	}}
	r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID), "Crashes": done.Crashes},
		facts{"submits": int64(1), "states": []task.AttemptState{task.AttemptRejected, task.AttemptSucceeded}, "Crashes": 0})
}

// slowPool: every connection but the heartbeat's is taken for five leases.
func slowPool(r *rig) {
	t := r.asks()
	var once sync.Once
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		once.Do(func() { r.takeConnections(5 * r.lease) })
	}}
	r.start()
	other := r.start()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID), "Crashes": done.Crashes, "Fence": done.Fence},
		facts{"submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}, "Crashes": 0, "Fence": int64(1)})
	r.check(other.Ready())
}

func longCall(r *rig) {
	taken, answer := r.painter.hangs()
	r.start()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.passes(40 * time.Second)
	answer <- drawn(pngOf(40, 30))
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Fence": done.Fence, "Crashes": done.Crashes, "submits": r.painter.submits.Load()}, facts{"Fence": int64(1), "Crashes": 0, "submits": int64(1)})
}

// slow is a painter that does something while a call is prepared.
type slow struct {
	*painter
	prepare func()
}

func (s *slow) Prepare(q provider.Request) (provider.Call, error) {
	s.prepare()
	return s.painter.Prepare(q)
}

func TestWorkerThatEnds(t *testing.T) {
	inBubble(t, []claim{
		{"A worker that ends gives its lease up", func(r *rig) {
			p := r.start()
			r.until("it beats", func() bool { return len(r.beating()) == 1 })
			r.stop(p)
			r.same(r.beating(), []store.Worker{})
		}},
		{"A worker that cannot sign off, since the database is away, ends well and warns that its lease runs out", cannotSignOff},
	})
}

func cannotSignOff(r *rig) {
	var log servertest.Output
	r.equip = func(w *worker.Worker) { w.Log = zerolog.New(&log) }
	p := r.start()
	r.until("it beats", func() bool { return len(r.beating()) == 1 })
	r.exec("ALTER TABLE easel_worker RENAME TO away")
	r.stop(p)
	r.exec("ALTER TABLE away RENAME TO easel_worker")
	r.same(facts{"warns": strings.Contains(log.String(), "its lease runs out"), "beating": len(r.beating())}, facts{"warns": true, "beating": 1})
	r.passes(r.lease)
	r.same(len(r.beating()), 0)
}

func (r *rig) beating() []store.Worker {
	r.Helper()
	all, err := r.tasks.Workers(r.Context())
	r.check(err)
	return all
}
