package worker

import (
	"testing"
	"time"
)

func TestADeliveryComesBackSoonToATaskThatIsPerhapsNotClaimed(t *testing.T) {
	w := &Worker{Lease: time.Minute}
	_, _, letGo := w.hold(t.Context(), 1, true)
	if got := w.holdsAlready(1).After; got != time.Second {
		t.Errorf("beside a delivery that perhaps means nothing any more another waits for %s", got)
	}
	w.claimed(1)
	if got := w.holdsAlready(1).After; got != time.Minute {
		t.Errorf("beside the step that has claimed the task a delivery waits for %s", got)
	}
	letGo()
	if got := w.holdsAlready(1).After; got != time.Second {
		t.Errorf("beside one that has just let go a delivery waits for %s", got)
	}
	if w.holds(1) {
		t.Error("a task that was let go is held")
	}
}
