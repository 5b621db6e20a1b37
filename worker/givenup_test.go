package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestGivenUp(t *testing.T) {
	inBubble(t, []claim{
		{"A retry of a task of several calls collects one and buys nothing in the place of one that was given up", partGivenUp},
		{"A call that was given up for another and that is found before that is made is collected, and nothing is bought", boughtAgainFound},
		{"One that is found when the other was made is kept beside the task", boughtAgainBeside},
	})
}

func partGivenUp(r *rig) {
	r.painter.can.AddressLife = time.Minute
	_, alive := r.dead()
	r.parts(1, func(number, images int) (provider.Answer, error) {
		switch number {
		case 1:
			return at(fmt.Sprintf("%s/%d", r.host, number)), nil
		case 2:
			return fails(task.Timeout, task.Unknown)
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	failed := r.ends(t.ID, task.Failed)
	_, err := r.client.GiveUp(r.Context(), failed.Seen())
	r.check(err)
	for _, c := range []struct {
		kind    task.Kind
		results int
	}{{task.Expired, 0}, {task.Charged, 1}} {
		_, err = r.client.Retry(r.Context(), r.get(t.ID).Seen(), false)
		r.check(err)
		got := r.ends(t.ID, task.Failed)
		r.same(facts{"ErrorKind": got.ErrorKind, "len results": len(r.results(t.ID)), "submits": r.painter.submits.Load()},
			facts{"ErrorKind": c.kind, "len results": c.results, "submits": int64(2)})
		alive()
	}
	_, err = r.tasks.Retry(r.Context(), r.get(t.ID).Seen(), false)
	var again *store.BuysAgain
	if !errors.As(err, &again) || again.Attempt != 2 {
		r.Errorf("the retry says %v", err)
	}
	_, err = r.client.BuyAgain(r.Context(), r.get(t.ID).Seen())
	r.check(err)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"len results": len(r.results(t.ID)), "ErrorMsg": done.ErrorMsg, "submits": r.painter.submits.Load()}, facts{"len results": 3, "ErrorMsg": "", "submits": int64(4)})
}

// givenUpForAnother leaves a task that is to be drawn anew, and no worker.
func (r *rig) givenUpForAnother() *task.Task {
	r.Helper()
	r.painter.poll = func(context.Context, int) (provider.Answer, error) { return drawn(pngOf(41, 30)), nil }
	t := r.lost()
	r.found(t.ID)
	_, err := r.tasks.BuyAgain(r.Context(), r.get(t.ID).Seen(), task.CollectableCalls(r.attempts(t.ID))...)
	r.check(err)
	return t
}

func boughtAgainFound(r *rig) {
	t := r.givenUpForAnother()
	r.same(r.found(t.ID), true)
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)}, facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func boughtAgainBeside(r *rig) {
	t := r.givenUpForAnother()
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(r.found(t.ID), true)
	r.until("its picture is kept", func() bool { return len(r.results(t.ID)) == 2 })
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID), "says": r.attempts(t.ID)[0].ErrorMsg},
		facts{"submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded, task.AttemptSucceeded}, "says": task.BoughtAgain.FoundAgain()})
}
