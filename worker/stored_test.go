package worker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

// TestStoredAnswers is about calls whose workers died when they had stored pictures and not journalled
// yet whose they are.
func TestStoredAnswers(t *testing.T) {
	inBubble(t, []claim{
		{"The picture of a lost call that lies in storage is taken, and not bought again", storedWhole},
		{"Of several what lies in storage is taken, and what does not is named", storedInPart},
		{"What no decoder takes is found as it came", storedRaw},
		{"While storage does not say what it has a lost call is not of unknown outcome", storageAway},
		{"The picture of an account that is gone is taken after its time", storedByGone},
		{"Pictures of another call are not taken for those of a lost one", storedByOther},
	})
}

// stores puts bytes where the call's picture lies, or what belongs to it.
func (r *rig) stores(a *task.Attempt, end string, content []byte) {
	r.Helper()
	r.check(r.pictures.Put(r.Context(), fmt.Sprintf("%d/%d-%s", a.TaskID, a.ID, end), bytes.NewReader(content), "image/png"))
}

// leavesSeveral is leaves of a task for so many pictures.
func (r *rig) leavesSeveral(pictures int) (*task.Task, *task.Attempt) {
	r.Helper()
	var lost task.Attempt
	t := r.leaves(func(_ *task.Task, a *task.Attempt) { lost = *a })
	r.exec(fmt.Sprintf("UPDATE image_generations SET image_count = %d", pictures))
	return t, &lost
}

// kept returns the task's pictures, of which there are to be so many.
func (r *rig) kept(id int64, many int) []task.Result {
	r.Helper()
	all := r.results(id)
	if len(all) != many {
		r.Fatalf("the task has %d pictures, not %d", len(all), many)
	}
	return all
}

func storedWhole(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	t, a := r.leavesSeveral(1)
	r.stores(a, "0.png", pngOf(40, 30))
	r.start()
	done := r.ends(t.ID, task.Completed)
	found := r.kept(t.ID, 1)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID), "cost": *done.CostMicros, "key": found[0].StorageKey, "width": found[0].Width, "warning": done.ErrorMsg},
		facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}, "cost": int64(40_000), "key": fmt.Sprintf("%d/%d-0.png", t.ID, a.ID), "width": 40, "warning": ""})
}

func storedInPart(r *rig) {
	t, a := r.leavesSeveral(3)
	r.stores(a, "0.png", pngOf(40, 30))
	r.stores(a, "0.thumb.jpg", []byte("small"))
	r.stores(a, "2.png", pngOf(50, 30))
	r.start()
	done := r.ends(t.ID, task.Completed)
	found := r.kept(t.ID, 2)
	r.same(facts{"submits": r.painter.submits.Load(), "cost": *done.CostMicros, "positions": []int{found[0].Position, found[1].Position}},
		facts{"submits": int64(0), "cost": int64(120_000), "positions": []int{0, 2}})
	if said := r.attempts(t.ID)[0].ErrorMsg; !strings.Contains(said, "picture 2 of 3 is missing") {
		r.Errorf("what is missing is not named: %q", said)
	}
}

func storedRaw(r *rig) {
	t, a := r.leavesSeveral(1)
	r.stores(a, "0.kept.bin", []byte("half a picture"))
	r.start()
	failed := r.ends(t.ID, task.Failed)
	kept := r.attempts(t.ID)[0].RawFileList()
	r.same(facts{"submits": r.painter.submits.Load(), "kind": failed.ErrorKind, "kept": len(kept), "key": kept[0].StorageKey},
		facts{"submits": int64(0), "kind": task.BadAnswer, "kept": 1, "key": fmt.Sprintf("%d/%d-0.kept.bin", t.ID, a.ID)})
}

func storageAway(r *rig) {
	t, a := r.leavesSeveral(1)
	r.stores(a, "0.png", pngOf(40, 30))
	r.pictures.broken.Store(true)
	r.start()
	r.until("it is said why the task waits", func() bool { return strings.Contains(r.get(t.ID).ErrorMsg, "our storage does not say") })
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSending})
	r.pictures.broken.Store(false)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "results": len(r.results(t.ID))}, facts{"submits": int64(0), "results": 1})
}

func storedByGone(r *rig) {
	r.svc.Deadline = 20 * time.Second
	t, a := r.leavesSeveral(1)
	r.stores(a, "0.png", pngOf(40, 30))
	r.svc.Accounts[0].Name = "other"
	r.start()
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "results": len(r.results(t.ID))}, facts{"submits": int64(0), "results": 1})
}

func storedByOther(r *rig) {
	t, a := r.leavesSeveral(1)
	other := *a
	other.ID = 10*a.ID + 1
	r.stores(&other, "0.png", pngOf(40, 30))
	r.start()
	r.same(facts{"kind": r.ends(t.ID, task.Failed).ErrorKind, "states": r.states(t.ID)},
		facts{"kind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}})
}
