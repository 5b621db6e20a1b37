package providertest

import (
	"testing"

	"github.com/easelqueue/easel/task"
)

func (s Suite) cancels(t *testing.T) {
	b := s.bench(t)
	if !s.async(b) {
		return
	}
	handle := b.begun(t)
	b.Waits(100)
	err := b.provider.Cancel(t.Context(), handle)
	if !b.provider.Capabilities(s.Request.Model).Cancel {
		if f := task.AsFailure(err); f == nil || f.Kind != task.Unsupported {
			t.Errorf("Cancel: %v; want Unsupported", err)
		}
		return
	}
	if err != nil || !b.Jobs()[0].Cancelled {
		t.Errorf("Cancel: %v; the service's job: %+v", err, b.Jobs()[0])
	}
	_, err = b.provider.Poll(t.Context(), handle)
	if f := task.AsFailure(err); f == nil || !(f.Kind == task.Stopped && f.Executed == task.Executed || f.Kind == task.Expired && b.provider.Capabilities(s.Request.Model).Deletes) {
		t.Errorf("a poll of the job that was cancelled: %v; want that it was", err)
	}
	b.Asks(new(Answers(404, "{}")))
	if err := b.provider.Cancel(t.Context(), handle); err == nil {
		t.Error("a cancel that the service refuses is no error")
	}
	t.Run("One that the service draws all the same is polled to its end", s.cancelsInVain)
}

func (s Suite) cancelsInVain(t *testing.T) {
	b := s.bench(t)
	b.Deaf()
	handle := b.begun(t)
	b.Waits(2)
	if err := b.provider.Cancel(t.Context(), handle); err != nil {
		t.Errorf("Cancel: %v", err)
	}
	for range 5 {
		a, err := b.provider.Poll(t.Context(), handle)
		switch {
		case err != nil:
			t.Fatalf("Poll: %v", err)
		case a.Done && len(a.Outputs) > 0:
			return
		}
	}
	t.Error("the job does not end")
}
