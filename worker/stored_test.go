package worker_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/worker"
	"github.com/easelqueue/easel/worker/spool"
)

// TestStoredAnswers is about calls whose workers died when they had stored pictures and not journalled
// yet whose they are.
func TestStoredAnswers(t *testing.T) {
	inBubble(t, []claim{
		{"The picture of a lost call that lies in storage is taken, and not bought again", storedWhole},
		{"Of one that lies there in part the rest may come, and it is not made again", storedInPart(task.Hold)},
		{"Nor where calls of unknown outcome are made again", storedInPart(task.Resend)},
		{"What no decoder takes is found as it came", storedRaw},
		{"A file from before the call is not of it", storedBefore},
		{"While storage does not say what it has a lost call is not made again", storageAway},
		{"Storage that never says what it has ends as unknown", storageGone},
		{"The picture of an account that is gone is taken after its time", storedByGone},
		{"Storage that never says what it has of an account that is gone ends as unknown", storageGoneByGone},
		{"Pictures of another call are not taken for those of a lost one", storedByOther},
		{"A picture that was stored after nobody knew is taken, though a person says that its call was not charged", storedAfterAll(1)},
		{"So is a part of them", storedAfterAll(2)},
		{"A part whose account is gone is held for a retry, whatever is done with what nobody knows", partOfGone},
		{"A part that is gone when it is to be taken is not spoken of any more", partGone},
		{"What a worker that stood still still brings of such a part joins it", restOfPart},
		{"What a spool holds of an answer that was taken in part stays there", spoolOfPart},
		{"What was written into a picture is not written into it again", storedAnnotated},
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

// retries is a person's retry, which comes later than the task fails.
func (r *rig) retries(id int64) {
	r.Helper()
	r.passes(time.Second)
	_, err := r.client.Retry(r.Context(), r.get(id).Seen(), false)
	r.check(err)
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

func storedInPart(policy task.OnUnknown) func(r *rig) {
	return func(r *rig) {
		r.svc.Retry.OnUnknown = policy
		r.takesPart()
	}
}

func (r *rig) takesPart() {
	r.Helper()
	t, a := r.leavesSeveral(3)
	r.stores(a, "0.png", pngOf(40, 30))
	r.stores(a, "0.thumb.jpg", []byte("small"))
	r.stores(a, "2.png", pngOf(50, 30))
	r.start()
	held := r.ends(t.ID, task.Failed)
	r.same(facts{"kind": held.ErrorKind, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"kind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}, "submits": int64(0)})
	if !strings.Contains(held.ErrorMsg, "2 of its 3 pictures are in our storage. A retry fetches it again and does not pay for it twice") {
		r.Errorf("what is there is not named: %q", held.ErrorMsg)
	}
	r.retries(t.ID)
	done := r.ends(t.ID, task.Completed)
	found := r.kept(t.ID, 2)
	r.same(facts{"submits": r.painter.submits.Load(), "cost": *done.CostMicros, "positions": []int{found[0].Position, found[1].Position}},
		facts{"submits": int64(0), "cost": int64(120_000), "positions": []int{0, 2}})
	if said := r.attempts(t.ID)[0].ErrorMsg; !strings.Contains(said, "picture 2 of 3 is missing") {
		r.Errorf("what is missing is not named: %q", said)
	}
}

func spoolOfPart(r *rig) {
	s := &staying{}
	var said lines
	r.equip = func(w *worker.Worker) { w.Spool, w.Log = s, zerolog.New(&said) }
	t, a := r.leavesSeveral(3)
	r.stores(a, "0.png", pngOf(40, 30))
	p := r.start()
	r.ends(t.ID, task.Failed)
	r.retries(t.ID)
	r.ends(t.ID, task.Completed)
	s.entries.Store(&[]spool.Entry{r.spooled(t.ID, drawn(pngOf(40, 30), pngOf(41, 30), pngOf(42, 30)))})
	r.until("it was met three times", func() bool { return s.takes.Load() >= 3 })
	r.same(facts{"errs": s.errs.Load(), "said": said.count("has in part; its file stays")}, facts{"errs": int64(0), "said": 1})
	r.stop(p)
	r.exec("UPDATE generation_attempt SET answer = NULL") // as that of a large answer is, once it is collected
	before := s.errs.Load()
	r.start()
	r.until("it is known", func() bool { return s.errs.Load() > before })
}

func partOfGone(r *rig) {
	r.svc.Deadline = 20 * time.Second
	r.svc.Retry.OnUnknown = task.Resend
	t, a := r.leavesSeveral(2)
	r.stores(a, "0.png", pngOf(40, 30))
	r.svc.Accounts[0].Name = "other"
	r.start()
	held := r.ends(t.ID, task.Failed)
	r.same(facts{"advice": held.ErrorAdvice, "of": r.attempts(t.ID)[0].ErrorAdvice, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"advice": task.RetryCollects, "of": task.RetryCollects, "states": []task.AttemptState{task.AttemptUnknown}, "submits": int64(0)})
}

func partGone(r *rig) {
	t, a := r.leavesSeveral(2)
	r.stores(a, "0.png", pngOf(40, 30))
	r.start()
	held := r.ends(t.ID, task.Failed)
	r.check(r.pictures.Delete(r.Context(), fmt.Sprintf("%d/%d-0.png", t.ID, a.ID)))
	r.retries(t.ID)
	r.until("it is held again", func() bool { now := r.get(t.ID); return now.Delivery > held.Delivery && now.Status == task.Failed })
	of := r.attempts(t.ID)[0]
	r.same(facts{"part": of.HeldInPart(), "said": strings.Contains(of.ErrorMsg, "in our storage"), "submits": r.painter.submits.Load()},
		facts{"part": false, "said": false, "submits": int64(0)})
}

func restOfPart(r *rig) {
	s := &staying{}
	r.equip = func(w *worker.Worker) { w.Spool = s }
	r.svc.Timeout = time.Hour
	taken, answer := r.painter.hangs()
	first := r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	heard(r, "the call is made", taken)
	first.heartStops()
	r.stores(&r.attempts(t.ID)[0], "1.png", pngOf(41, 30))
	r.start()
	r.ends(t.ID, task.Failed)
	r.retries(t.ID)
	part := r.ends(t.ID, task.Completed)
	r.kept(t.ID, 1)
	answer <- drawn(pngOf(40, 30), pngOf(41, 30), pngOf(42, 30))
	r.until("the rest is kept", func() bool { return len(r.results(t.ID)) == 3 })
	r.stop(first)
	whole := r.get(t.ID)
	var keys []string
	for _, one := range r.results(t.ID) {
		keys = append(keys, one.StorageKey[len("1/1-"):])
	}
	r.same(s.puts.Load(), int64(1)) // until the rest is kept no journal has it
	r.same(facts{"said": part.ErrorMsg != "", "says": whole.ErrorMsg + r.attempts(t.ID)[0].ErrorMsg, "keys": keys, "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"said": true, "says": "", "keys": []string{"0.png", "1.png", "2.png"}, "submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
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

func storedBefore(r *rig) {
	t, a := r.leavesSeveral(1)
	r.exec("UPDATE generation_attempt SET sent_at = '2199-01-01 00:00:00.000000+00:00'")
	r.stores(a, "0.png", pngOf(40, 30))
	r.start()
	r.same(r.ends(t.ID, task.Failed).ErrorKind, task.OutcomeUnknown)
}

func storageAway(r *rig) {
	r.svc.Retry.OnUnknown = task.Resend
	t, a := r.leavesSeveral(1)
	r.exec("UPDATE image_generations SET max_attempts = 1")
	r.stores(a, "0.png", pngOf(40, 30))
	r.pictures.broken.Store(true)
	r.start()
	r.until("it is said why the task waits", func() bool { return strings.Contains(r.get(t.ID).ErrorMsg, "our storage does not say") })
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSending})
	r.pictures.broken.Store(false)
	r.ends(t.ID, task.Completed)
	r.kept(t.ID, 1)
	r.same(r.painter.submits.Load(), int64(0))
}

func storageGone(r *rig) {
	r.svc.Retry.MaxWaits = 3
	t, _ := r.leavesSeveral(1)
	r.pictures.broken.Store(true)
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"kind": failed.ErrorKind, "waits": failed.Waits, "states": r.states(t.ID), "submits": r.painter.submits.Load()},
		facts{"kind": task.OutcomeUnknown, "waits": 3, "states": []task.AttemptState{task.AttemptUnknown}, "submits": int64(0)})
}

func storageGoneByGone(r *rig) {
	r.svc.Retry.MaxWaits = 3
	r.svc.Deadline = 20 * time.Second
	t, _ := r.leavesSeveral(1)
	r.pictures.broken.Store(true)
	r.svc.Accounts[0].Name = "other"
	r.start()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"kind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"kind": task.OutcomeUnknown, "states": []task.AttemptState{task.AttemptUnknown}})
}

func storedAnnotated(r *rig) {
	r.equip = func(w *worker.Worker) { w.Annotate = true }
	t, a := r.leavesSeveral(1)
	r.stores(a, "0.png", codec.Annotate(pngOf(40, 30), codec.Notes{Prompt: "a lighthouse"}))
	r.start()
	r.ends(t.ID, task.Completed)
	found := r.kept(t.ID, 1)[0]
	file, err := r.pictures.Open(r.Context(), found.StorageKey)
	r.check(err)
	defer file.Close()
	content, err := io.ReadAll(file)
	r.check(err)
	sum := sha256.Sum256(content)
	r.same(facts{"size": found.FileSize, "sum": found.SHA256}, facts{"size": int64(len(content)), "sum": hex.EncodeToString(sum[:])})
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

func storedAfterAll(pictures int) func(r *rig) {
	return func(r *rig) {
		t, a := r.leavesSeveral(pictures)
		r.start()
		held := r.ends(t.ID, task.Failed)
		r.stores(a, "0.png", pngOf(40, 30))
		_, err := r.client.Retry(r.Context(), held.Seen(), true)
		r.check(err)
		done := r.ends(t.ID, task.Completed)
		r.kept(t.ID, 1)
		r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID), "cost": *done.CostMicros},
			facts{"submits": int64(0), "states": []task.AttemptState{task.AttemptSucceeded}, "cost": int64(pictures) * 40_000})
	}
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
