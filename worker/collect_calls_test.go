package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestCollectingOfCalls(t *testing.T) {
	inBubble(t, []claim{
		{"One of several calls whose address is dead does not keep the others from being made, and a retry by hand collects it", deadPart},
		{"The last of several calls that brings half pictures fails the task with the others', and is bought again by a person's word", brokenPart},
		{"What is bought again of several calls stands where the lost pictures would", boughtAgainPart},
		{"A call that was given up is not made again when an app sets its task back to pending", setBackIsNotBought},
		{"If no call of several can be collected, a retry by hand collects and does not buy", deadParts},
		{"What an older call has brought is collected before another is made", olderIsCollected},
		{"What an older call has brought is collected while the last one is unknown", olderBesideUnknown},
		{"A task that workers died over is collected by a retry", crashedIsCollected},
		{"A retry by hand collects and does not buy, also if the database's clock was set back since", collectedAtAnyTime},
		{"An answer that cannot be read stays, and is not bought again", unreadableAnswer},
		{"A job that the service does not know any more stays accepted, and is bought again by a person's word alone", forgottenJob},
		{"A job that the service does not know for a moment is waited for", forgottenForAMoment},
		{"A job whose handle is in the journal is polled, whatever the policy and its state say", handlePolled},
		{"A free job that is lost is made again where the policy says so", freeJobAgain},
	})
}

func deadPart(r *rig) {
	r.painter.can.AddressLife = time.Minute
	_, alive := r.dead()
	r.secondLeadsAway()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "widths": r.widths(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Expired, "widths": []string{"0:100", "2:300"}, "submits": int64(3)})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSucceeded, task.AttemptAnswered, task.AttemptSucceeded})
	for _, text := range []string{"call 2 for 1 of 3 pictures", "404", "A retry fetches it again"} {
		r.same(facts{"text": text, "ErrorMsg names text": strings.Contains(failed.ErrorMsg, text)}, facts{"text": text, "ErrorMsg names text": true})
	}
	alive()
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"widths": r.widths(t.ID), "submits": r.painter.submits.Load(), "ErrorMsg": done.ErrorMsg},
		facts{"widths": []string{"0:100", "1:40", "2:300"}, "submits": int64(3), "ErrorMsg": ""})
}

func brokenPart(r *rig) {
	r.parts(10, func(number, images int) (provider.Answer, error) {
		if number == 2 {
			return drawn(pngOf(40, 30)[:60]), nil
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 15}})
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "len results": len(r.results(t.ID)), "states": r.states(t.ID)},
		facts{"ErrorKind": task.BadAnswer, "len results": 10, "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptAnswered}})
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "submits": r.painter.submits.Load()}, facts{"ErrorKind": task.BadAnswer, "submits": int64(2)})
	_, err = r.client.BuyAgain(r.Context(), failed.Seen(), task.CollectableCalls(r.attempts(failed.ID))...)
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"len results": len(r.results(t.ID)), "r.widths(t.ID)[10]": r.widths(t.ID)[10], "submits": r.painter.submits.Load(), "ErrorMsg": done.ErrorMsg},
		facts{"len results": 15, "r.widths(t.ID)[10]": "10:300", "submits": int64(3), "ErrorMsg": ""})
}

func boughtAgainPart(r *rig) {
	r.painter.can.AddressLife = time.Minute
	r.dead()
	r.secondLeadsAway()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	failed := r.ends(t.ID, task.Failed)
	_, err := r.client.BuyAgain(r.Context(), failed.Seen(), task.CollectableCalls(r.attempts(failed.ID))...)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"widths": r.widths(t.ID), "submits": r.painter.submits.Load()}, facts{"widths": []string{"0:100", "2:300", "1:400"}, "submits": int64(4)})
}

func setBackIsNotBought(r *rig) {
	r.painter.can.AddressLife = time.Minute
	_, alive := r.dead()
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.exec("UPDATE image_generations SET status = 'pending', delivery = delivery + 1, published_at = NULL, run_at = '2000-01-01 00:00:00.000000+00:00'")
	r.until("it was delivered", func() bool { return r.get(t.ID).Fence > failed.Fence && r.get(t.ID).Status == task.Failed })
	again := r.get(t.ID)
	r.same(facts{"ErrorKind": again.ErrorKind, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Expired, "states": []task.AttemptState{task.AttemptAnswered}, "submits": int64(1)})
	alive()
	_, err := r.client.Retry(r.Context(), again.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func deadParts(r *rig) {
	r.painter.can.AddressLife = time.Minute
	_, alive := r.dead()
	r.parts(1, func(number, _ int) (provider.Answer, error) { return at(fmt.Sprintf("%s/%d", r.host, number)), nil })
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	failed := r.ends(t.ID, task.Failed)
	answered := task.AttemptAnswered
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.Expired, "states": []task.AttemptState{answered, answered}, "submits": int64(2)})
	began := time.Now()
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "submits": r.painter.submits.Load()}, facts{"ErrorKind": task.Expired, "submits": int64(2)})
	if took := time.Since(began); took > 40*time.Second { // each has had the life of its address
		r.Errorf("the retry took %s", took)
	}
	alive()
	_, err = r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "len results": len(r.results(t.ID))}, facts{"submits": int64(2), "len results": 2})
}

func fetchedInPlace(r *rig) {
	r.svc.Accounts[0].Limits = provider.Limits{InFlight: 1}
	gets, alive := r.dead()
	r.start()
	t := r.asks()
	r.until("it was fetched in vain", func() bool { return gets.Load() > 0 })
	g, _, err := r.limiter.Acquire(r.Context(), "painter/main", r.svc.Accounts[0].Limits)
	r.check(err)
	r.same(g != nil, true) // nothing of the account is held meanwhile
	g.Release(r.Context())
	alive()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Fence": done.Fence, "ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load()}, facts{"Fence": int64(1), "ErrorMsg": "", "submits": int64(1)})
}

func olderIsCollected(r *rig) {
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(40, 30)) }
	t := r.leaves(func(t *task.Task, a *task.Attempt) {
		a.State, a.Answer = task.AttemptAnswered, `{"v":1,"outputs":[{"position":0,"url":"`+r.host+`/1"}]}`
		r.check(tables.Err(r.tasks.Record(r.Context(), store.Answered{Held: t.Token(), Attempt: *a})))
		b := &task.Attempt{Key: uuid.NewString(), Provider: "painter", Account: "main"}
		r.check(tables.Begin(r.Context(), r.tasks, t, b))
		b.State = task.AttemptRejected
		r.check(tables.Err(r.tasks.Record(r.Context(), store.AttemptEnded{Attempt: *b})))
	})
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptRejected}})
}

func olderBesideUnknown(r *rig) {
	r.painter.can.AddressLife, r.painter.can.Recover = time.Minute, true
	_, alive := r.dead()
	r.parts(1, func(number, _ int) (provider.Answer, error) {
		if number == 2 {
			return fails(task.Timeout, task.Unknown)
		}
		return at(fmt.Sprintf("%s/%d", r.host, number)), nil
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)},
		facts{"ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptAnswered, task.AttemptUnknown}})
	alive()
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID), "len results": len(r.results(t.ID)), "submits": r.painter.submits.Load()},
		facts{"ErrorKind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptUnknown}, "len results": 1, "submits": int64(2)})
}

func crashedIsCollected(r *rig) {
	r.web = func(w http.ResponseWriter, _ *http.Request) { w.Write(pngOf(40, 30)) }
	t := r.leaves(func(t *task.Task, a *task.Attempt) {
		a.State, a.Answer = task.AttemptAnswered, `{"v":1,"outputs":[{"position":0,"url":"`+r.host+`/1"}]}`
		r.check(tables.Err(r.tasks.Record(r.Context(), store.Answered{Held: t.Token(), Attempt: *a})))
	})
	r.exec("UPDATE image_generations SET crashes = 3")
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Crashed, "states": []task.AttemptState{task.AttemptAnswered}})
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(0))
}

func collectedAtAnyTime(r *rig) {
	r.painter.can.AddressLife = time.Minute
	_, alive := r.dead()
	r.start()
	failed := r.ends(r.asks().ID, task.Failed)
	r.exec("UPDATE generation_attempt SET finished_at = '2099-01-01 00:00:00.000000+00:00'") // by the clock before
	alive()
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(failed.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(failed.ID)},
		facts{"submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func unreadableAnswer(r *rig) {
	t := r.leaves(func(t *task.Task, a *task.Attempt) {
		a.State, a.Answer = task.AttemptAnswered, `{"v":1,"outputs":[{"position":"first"}]}`
		r.check(tables.Err(r.tasks.Record(r.Context(), store.Answered{Held: t.Token(), Attempt: *a})))
	})
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Internal, "states": []task.AttemptState{task.AttemptAnswered}})
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Failed)
	r.same(r.painter.submits.Load(), int64(0))
}

func forgottenJob(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) { return fails(task.Expired, task.Unknown) })
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Expired, "states": []task.AttemptState{task.AttemptAccepted}})
	if !strings.Contains(failed.ErrorMsg, "the painter says expired. A retry asks after it again and does not pay for it twice") {
		r.Errorf("the reason is %q", failed.ErrorMsg)
	}
	polls := r.painter.polls.Load()
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	failed = r.ends(t.ID, task.Failed)
	r.same(facts{"polls > before": r.painter.polls.Load() > polls, "submits": r.painter.submits.Load()},
		facts{"polls > before": true, "submits": int64(1)})
	r.painter.submit = newPainter().submit
	_, err = r.client.BuyAgain(r.Context(), failed.Seen(), task.CollectableCalls(r.attempts(failed.ID))...)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"submits": int64(2), "states": []task.AttemptState{task.AttemptFailed, task.AttemptSucceeded}})
}

func forgottenForAMoment(r *rig) {
	r.painter.accepts(func(_ context.Context, n int) (provider.Answer, error) {
		if n < 4 {
			return fails(task.Expired, task.Unknown)
		}
		return drawn(pngOf(40, 30)), nil
	})
	r.start()
	t := r.asks()
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func handlePolled(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	t := r.leaves(r.accepted)
	r.exec("UPDATE generation_attempt SET state = 'unknown'")
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "recovers": r.painter.recovers.Load()}, facts{"submits": int64(0), "recovers": int64(0)})
}

func freeJobAgain(r *rig) {
	r.svc.Retry.OnUnknown, r.painter.can.Free = task.Resend, true
	r.painter.accepts(func(context.Context, int) (provider.Answer, error) {
		if r.painter.submits.Load() == 1 {
			return fails(task.Expired, task.Unknown)
		}
		return drawn(pngOf(40, 30)), nil
	})
	r.start()
	t := r.asks()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"submits": int64(2), "states": []task.AttemptState{task.AttemptFailed, task.AttemptSucceeded}})
}

// secondLeadsAway has the second of the calls for one picture each answer with an address.
func (r *rig) secondLeadsAway() {
	r.parts(1, func(number, images int) (provider.Answer, error) {
		if number == 2 {
			return at(r.host + "/2"), nil
		}
		return part(number, images)
	})
}
