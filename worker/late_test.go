package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
	"github.com/easelqueue/easel/worker/spool"
)

func TestLearntLate(t *testing.T) {
	inBubble(t, []claim{
		{"A paid answer in the spool completes the task that is held for want of it", spoolCompletes},
		{"A panic over one answer of the spool is its task's own, and keeps no other waiting", panicOverSpooled},
		{"A picture that hangs keeps no later spool waiting, and the row says before it what its call has become", hangingUnknown},
		{"A zombie whose call was refused says why its task failed", refusedLate},
		{"A zombie that learns that the provider has the job waits for it and completes the task", acceptedLate},
		{"A zombie's answer does not complete a task that a person has cancelled, and its cost is on it", cancelledStays},
	})
}

// left is a spool in which entries were left by another process.
type left struct{ entries atomic.Pointer[[]spool.Entry] }

func (*left) Put(spool.Entry) error { return nil }
func (*left) Remove(string) error   { return nil }

func (l *left) Adopt(take func(spool.Entry) error, _ func(string, error)) error {
	var errs []error
	if all := l.entries.Swap(nil); all != nil {
		for _, e := range *all {
			errs = append(errs, take(e))
		}
	}
	return errors.Join(errs...)
}

// spooled is the entry of an answer to the only call of the task.
func (r *rig) spooled(id int64, ans provider.Answer) spool.Entry {
	r.Helper()
	a := r.attempts(id)[0]
	a.State, a.CostMicros, a.Currency = task.AttemptAnswered, new(int64(40_000)), "USD"
	answer, err := json.Marshal(map[string]any{"v": 1, "outputs": ans.Outputs})
	r.check(err)
	a.Answer = string(answer)
	text, err := json.Marshal(a)
	r.check(err)
	return spool.Entry{Task: id, Key: a.Key, Attempt: text}
}

func spoolCompletes(r *rig) {
	var l left
	r.equip = func(w *worker.Worker) { w.Spool = &l }
	t := r.leaves(nil)
	r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
	l.entries.Store(&[]spool.Entry{r.spooled(t.ID, drawn(pngOf(40, 30)))})
	r.until("it is completed", func() bool { return r.get(t.ID).Status == task.Completed })
	done := r.get(t.ID)
	r.same(facts{"CostMicros": *done.CostMicros, "Width": *done.Width, "ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"CostMicros": int64(40_000), "Width": 40, "ErrorMsg": "", "submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func panicOverSpooled(r *rig) {
	r.mayPanic = true
	var l left
	r.equip = func(w *worker.Worker) { w.Spool = &l }
	first, second := r.leaves(nil), r.leaves(nil)
	r.web = func(http.ResponseWriter, *http.Request) { panic("a fault of ours") }
	r.start()
	r.ends(first.ID, task.Failed)
	r.ends(second.ID, task.Failed)
	l.entries.Store(&[]spool.Entry{r.spooled(first.ID, at(r.host+"/1")), r.spooled(second.ID, drawn(pngOf(40, 30)))})
	r.until("the second is completed", func() bool { return r.get(second.ID).Status == task.Completed })
	r.passes(2 * time.Minute)
	r.same(facts{"states": r.states(first.ID), "Status": r.get(first.ID).Status}, facts{"states": []task.AttemptState{task.AttemptAnswered}, "Status": task.Failed})
}

func hangingUnknown(r *rig) {
	var l left
	r.equip = func(w *worker.Worker) { w.Spool = &l }
	first, second := r.leaves(nil), r.leaves(nil)
	goes := make(chan struct{})
	r.web = func(http.ResponseWriter, *http.Request) { <-goes }
	r.start()
	r.ends(first.ID, task.Failed)
	r.ends(second.ID, task.Failed)
	l.entries.Store(&[]spool.Entry{r.spooled(first.ID, at(r.host+"/1"))})
	r.until("the first is adopted", func() bool { return r.states(first.ID)[0] == task.AttemptAnswered })
	l.entries.Store(&[]spool.Entry{r.spooled(second.ID, drawn(pngOf(40, 30)))})
	r.passes(time.Minute)
	r.same(facts{"states": r.states(first.ID), "Status": r.get(second.ID).Status},
		facts{"states": []task.AttemptState{task.AttemptAnswered}, "Status": task.Completed})
	if text := r.get(first.ID).ErrorMsg; !strings.Contains(text, "has run this call after all") {
		r.Errorf("meanwhile the first says %q", text)
	}
	close(goes)
}

// frozen leaves a call in the hands of a zombie whose task is held, and returns what it
// is to hear.
func (r *rig) frozen() (*task.Task, chan func() (provider.Answer, error)) {
	r.Helper()
	made, says := make(chan struct{}, 1), make(chan func() (provider.Answer, error), 1)
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		made <- struct{}{}
		return (<-says)()
	}
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", made)
	first.heartStops()
	r.start()
	return r.ends(t.ID, task.Failed), says
}

func refusedLate(r *rig) {
	t, says := r.frozen()
	r.same(t.ErrorKind, task.OutcomeUnknown)
	says <- func() (provider.Answer, error) { return fails(task.Moderated, task.Executed) }
	r.until("the true reason is on the row", func() bool { return r.get(t.ID).ErrorKind == task.Moderated })
	r.same(facts{"ErrorMsg says the painter says moderated": strings.Contains(r.get(t.ID).ErrorMsg, "the painter says moderated"), "states": r.states(t.ID)},
		facts{"ErrorMsg says the painter says moderated": true, "states": []task.AttemptState{task.AttemptFailed}})
}

func acceptedLate(r *rig) {
	t, says := r.frozen()
	var ready atomic.Bool
	r.painter.poll = func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	}
	says <- func() (provider.Answer, error) { return working(0), nil }
	r.until("the row says that the provider has it", func() bool { return strings.Contains(r.get(t.ID).ErrorMsg, "has run this call after all") })
	r.passes(20 * time.Second)
	ready.Store(true)
	r.until("its pictures are kept", func() bool { return len(r.results(t.ID)) == 1 })
	got := r.get(t.ID)
	r.same(facts{"states": r.states(t.ID), "CostMicros": *got.CostMicros, "submits": r.painter.submits.Load()},
		facts{"states": []task.AttemptState{task.AttemptSucceeded}, "CostMicros": int64(40_000), "submits": int64(1)})
	r.same(got.Status, task.Completed)
}

func cancelledStays(r *rig) {
	t, says := r.frozen()
	r.exec("UPDATE image_generations SET status = 'cancelled'")
	says <- func() (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	r.until("the late picture is kept", func() bool { return len(r.results(t.ID)) == 1 })
	r.passes(time.Second)
	got := r.get(t.ID)
	r.same(facts{"Status": got.Status, "CostMicros": *got.CostMicros}, facts{"Status": task.Cancelled, "CostMicros": int64(40_000)})
}
