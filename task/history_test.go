package task_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/task"
)

// at is minutes after the last retry by hand of a history that has one.
func at(minutes int) *time.Time {
	t := time.Date(2026, 1, 1, 12, minutes, 0, 0, time.UTC)
	return &t
}

// calls gives attempts their numbers and ids, and those that succeeded a picture each in storage.
func calls(h task.History, attempts ...task.Attempt) *task.History {
	for i, a := range attempts {
		a.Number, a.ID = i+1, int64(10*(i+1))
		h.Attempts = append(h.Attempts, a)
		if a.State == task.AttemptSucceeded {
			h.Results = append(h.Results, task.Result{AttemptID: a.ID, Position: i, StorageKey: fmt.Sprint(i)})
		}
	}
	return &h
}

func TestImagesDone(t *testing.T) {
	retried := task.History{ImageCount: 9, RetriedAt: at(0)}
	let := calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptSucceeded, Images: 4})
	let.Results[0].StorageKey = ""
	for _, c := range []struct {
		claim          string
		h              *task.History
		alone, batches int
	}{
		{"Without a call nothing is done", calls(task.History{ImageCount: 9}), 0, 0},
		{"What a call has brought is done", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptSucceeded, Images: 4}), 4, 4},
		{"A call that does not say how many it asked for has brought all", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptSucceeded}), 9, 9},
		{"A task that does not say how many it is for is for one", calls(task.History{}, task.Attempt{State: task.AttemptSucceeded}), 1, 1},
		{"Pictures that were let go because of their age are not", let, 0, 0},
		{"What one of several calls was refused is", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptFailed, Images: 3, FinishedAt: at(1)}), 0, 3},
		{"What could not be collected is", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptAnswered, Images: 3, FinishedAt: at(1)}), 0, 3},
		{"What is being collected is not", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptAnswered, Images: 3}), 0, 0},
		{"What the service failed by its own fault is not", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptFailed, Unbilled: true, Images: 3, FinishedAt: at(1)}), 0, 0},
		{"What is of unknown outcome is not", calls(task.History{ImageCount: 9}, task.Attempt{State: task.AttemptUnknown, Images: 3, FinishedAt: at(1)}), 0, 0},
		{"A retry by hand draws anew what was refused before it", calls(retried, task.Attempt{State: task.AttemptFailed, Images: 3, FinishedAt: at(-1)}), 0, 0},
		{"and not what was refused after it, or in its moment", calls(retried, task.Attempt{State: task.AttemptFailed, Images: 3, FinishedAt: at(0)}), 0, 3},
	} {
		t.Run(c.claim, func(t *testing.T) {
			got := []int{c.h.ImagesDone(false), c.h.ImagesDone(true), c.h.Left(true)}
			if diff := cmp.Diff([]int{c.alone, c.batches, max(c.h.ImageCount, 1) - c.batches}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestServerErrorsAreCountedInARow(t *testing.T) {
	broke := task.Attempt{Provider: "painter", State: task.AttemptFailed, Unbilled: true, FinishedAt: at(1)}
	before, other, billed := broke, broke, broke
	before.FinishedAt, other.Provider, billed.Unbilled = at(-1), "sketch", false
	h := task.History{Provider: "painter", RetriedAt: at(0)}
	for _, c := range []struct {
		claim    string
		attempts []task.Attempt
		want     int
	}{
		{"Each counts", []task.Attempt{broke, broke}, 2},
		{"One of another provider does not", []task.Attempt{other, broke}, 1},
		{"One that was billed does not", []task.Attempt{billed, broke}, 1},
		{"Those before a call that was kept do not", []task.Attempt{broke, {State: task.AttemptSucceeded}, broke}, 1},
		{"Those before the last retry by hand do not", []task.Attempt{before, broke}, 1},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := calls(h, c.attempts...).ServerErrors(); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestWhatIsStillToBeCollected(t *testing.T) {
	for _, c := range []struct {
		claim             string
		retried           *time.Time
		attempts          []task.Attempt
		next, uncollected int64
	}{
		{"A job and an answer are, the oldest first", nil, []task.Attempt{{State: task.AttemptRejected}, {State: task.AttemptAccepted}, {State: task.AttemptAnswered}}, 20, 0},
		{"What could not be collected is not, and the task is not completed over it", nil, []task.Attempt{{State: task.AttemptAnswered, Images: 2, FinishedAt: at(1)}}, 0, 10},
		{"but is after a retry by hand", at(2), []task.Attempt{{State: task.AttemptAnswered, Images: 2, FinishedAt: at(1)}}, 10, 0},
		{"What was given up in the moment of the retry is not", at(1), []task.Attempt{{State: task.AttemptAnswered, Images: 2, FinishedAt: at(1)}}, 0, 10},
		{"Of other states none is", nil, []task.Attempt{{State: task.AttemptSending}, {State: task.AttemptUnknown}, {State: task.AttemptFailed, Images: 2, FinishedAt: at(1)}, {State: task.AttemptSucceeded}}, 0, 0},
	} {
		t.Run(c.claim, func(t *testing.T) {
			h := calls(task.History{ImageCount: 4, RetriedAt: c.retried}, c.attempts...)
			id := func(a *task.Attempt) int64 {
				if a == nil {
					return 0
				}
				return a.ID
			}
			if diff := cmp.Diff([]int64{c.next, c.uncollected}, []int64{id(h.NextToCollect()), id(h.Uncollected())}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOffset(t *testing.T) {
	two := task.Attempt{State: task.AttemptSucceeded, Images: 2}
	refused := task.Attempt{State: task.AttemptFailed, Images: 2, FinishedAt: at(1)}
	result := func(of int64, position int) task.Result { return task.Result{AttemptID: of, Position: position} }
	for _, c := range []struct {
		claim   string
		h       task.History
		number  int
		results []task.Result
		want    int
	}{
		{"Pictures come behind those of the calls before", *calls(task.History{}, two, two), 3, []task.Result{result(10, 0), result(10, 1), result(20, 2), result(20, 3)}, 4},
		{"behind the places of those that were refused too", *calls(task.History{}, two, refused), 3, []task.Result{result(10, 0), result(10, 1)}, 4},
		{"a call that certainly did not happen takes none", *calls(task.History{}, two, task.Attempt{State: task.AttemptRejected, Images: 2}), 3, []task.Result{result(10, 0), result(10, 1)}, 2},
		{"Where others have theirs already the first gap is taken", *calls(task.History{}, two, two), 2, []task.Result{result(10, 2), result(10, 3)}, 0},
		{"One's own pictures are not in the way", *calls(task.History{}, two, two), 2, []task.Result{result(10, 0), result(10, 1), result(20, 2)}, 2},
	} {
		t.Run(c.claim, func(t *testing.T) {
			c.h.Results = c.results
			if got := c.h.Offset(c.number, 2); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	h := calls(task.History{ImageCount: 6},
		task.Attempt{State: task.AttemptSucceeded, Images: 2, RowError: task.RowError{ErrorMsg: "picture 1 of 6 is missing"}},
		task.Attempt{State: task.AttemptFailed, Images: 2, RowError: task.RowError{ErrorMsg: "no cats."}, FinishedAt: at(1)},
		task.Attempt{State: task.AttemptFailed, Images: 2, Unbilled: true, RowError: task.RowError{ErrorMsg: "broken"}, FinishedAt: at(1)},
		task.Attempt{State: task.AttemptSending, Images: 2})
	last := task.Attempt{ID: 40, State: task.AttemptAnswered, RowError: task.RowError{ErrorMsg: "picture 6 of 6 is missing"}}
	want := "picture 1 of 6 is missing; call 2 for 2 of 6 pictures brought none: no cats; picture 6 of 6 is missing"
	if got := h.Missing(&last); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMayBePaidFor(t *testing.T) {
	for state, want := range map[task.AttemptState]bool{task.AttemptSending: true, task.AttemptUnknown: true, task.AttemptAccepted: true, task.AttemptAnswered: true,
		task.AttemptRejected: false, task.AttemptFailed: false, task.AttemptSucceeded: false} {
		h := calls(task.History{}, task.Attempt{State: state})
		if got := []bool{h.MayBePaidFor(0), h.MayBePaidFor(10)}; got[0] != want || got[1] {
			t.Errorf("%s: %v", state, got)
		}
	}
}

func TestATaskGoesOnOnlyFromACallThatWasSaidToHaveEnded(t *testing.T) {
	call := func(number int, provider string, kind task.Kind) task.Attempt {
		return task.Attempt{Number: number, Provider: provider, State: task.AttemptAccepted, RowError: task.RowError{ErrorKind: kind}}
	}
	for name, c := range map[string]struct {
		calls []task.Attempt
		want  bool
	}{
		"of this provider":                       {[]task.Attempt{call(1, "rival", task.Charged)}, false},
		"of a provider that bore another name":   {[]task.Attempt{call(1, "painter", "")}, false},
		"forgotten, and found":                   {[]task.Attempt{call(1, "painter", task.Forgotten)}, true},
		"before one at the fallback":             {[]task.Attempt{call(1, "painter", ""), {Number: 2, Provider: "rival", State: task.AttemptRejected}}, true},
		"before another one at its own provider": {[]task.Attempt{call(1, "painter", ""), {Number: 2, Provider: "painter", State: task.AttemptRejected}}, false},
		"that has failed, before the fallback's": {[]task.Attempt{{Number: 1, Provider: "painter", State: task.AttemptFailed}, call(2, "rival", "")}, false},
	} {
		h := &task.History{Provider: "rival", Attempts: c.calls}
		if got := h.WentOnFrom(&h.Attempts[0]); got != c.want {
			t.Errorf("a call %s: %t, not %t", name, got, c.want)
		}
	}
}
