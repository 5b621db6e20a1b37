package task

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// History is what the rows of a task say of its calls and of what they have brought. Only who
// holds the task's fence may take it for one moment's: it is read table by table. Attempts are in their order and come without Answer and RawFiles, which
// may be megabytes; Results are those of the first attempt first, and before all others
// those that an app has added by itself.
type History struct {
	Provider   string
	ImageCount int // 0 is one
	Status     Status
	ErrorKind  Kind
	Delivery   int
	RetriedAt  *time.Time

	Attempts []Attempt
	Results  []Result
	Inputs   []Input
}

// Where calls of a task may be several (batches), a call that was refused its pictures, or
// could not have them collected, since the last retry by hand is not made again: the others
// are drawn all the same.

// ImagesDone returns how many of the task's pictures need no further call: those that its
// calls have brought and, with batches, those that were refused or could not be collected
// since the last retry by hand.
func (h *History) ImagesDone(batches bool) int {
	n := 0
	for i := range h.Attempts {
		a := &h.Attempts[i]
		if h.brought(a) || batches && a.bringsNothing() && a.EndedSince(h.RetriedAt) {
			n += cmp.Or(a.Images, h.wanted())
		}
	}
	return n
}

// Left is how many pictures are still to be drawn, those of calls that have not ended
// included.
func (h *History) Left(batches bool) int { return h.wanted() - h.ImagesDone(batches) }

func (h *History) wanted() int { return max(h.ImageCount, 1) }

// brought reports whether a picture of the call lies in our storage.
func (h *History) brought(a *Attempt) bool {
	return a.State == AttemptSucceeded && slices.ContainsFunc(h.Results, func(r Result) bool {
		return r.AttemptID == a.ID && r.StorageKey != ""
	})
}

// bringsNothing: in the place of what a person gave up or had bought again another call is made, if any.
func (a *Attempt) bringsNothing() bool {
	return a.State == AttemptFailed && !a.Unbilled && a.ErrorKind != Charged && a.ErrorKind != BoughtAgain || a.State == AttemptAnswered
}

// EndedSince reports whether the call has ended since that time, whenever it was made; nil
// is ever.
func (a *Attempt) EndedSince(t *time.Time) bool {
	return a.FinishedAt != nil && (t == nil || !a.FinishedAt.Before(*t))
}

// HasCollected reports whether the pictures of that call are in storage.
func (h *History) HasCollected(id int64) bool {
	return slices.ContainsFunc(h.Attempts, func(a Attempt) bool { return a.ID == id && a.State == AttemptSucceeded })
}

// GoesOnWithout reports whether the task goes on with a call that is newer than the one of that number, and
// runs, so that its steps hear of that one only later.
func (h *History) GoesOnWithout(number int) bool {
	return slices.ContainsFunc(h.Attempts, func(a Attempt) bool {
		return a.Number > number && a.FinishedAt == nil && (a.State == AttemptSending || a.Collectable())
	})
}

// isEmptyBatch reports whether a is one of several calls that was refused its pictures, or
// could not have them collected, since the last retry by hand.
func (h *History) isEmptyBatch(a *Attempt) bool {
	return a.Images > 0 && a.bringsNothing() && a.EndedSince(h.RetriedAt)
}

// ServerErrors returns how many calls at the task's provider have failed by the service's
// own fault, unbilled, since a call last succeeded and since the last retry by hand.
func (h *History) ServerErrors() int {
	n := 0
	for _, a := range slices.Backward(h.Attempts) {
		if a.State == AttemptSucceeded {
			break
		}
		if a.State == AttemptFailed && a.Unbilled && a.Provider == h.Provider && a.EndedSince(h.RetriedAt) {
			n++
		}
	}
	return n
}

// NextToCollect returns the oldest call that the provider has taken and whose pictures are
// still to be collected; nil if there is none. An answer that could not be collected counts again
// after a retry by hand, and a job always: whoever works on the task asks after it. Those with the ids of but are left out.
func (h *History) NextToCollect(but ...int64) *Attempt {
	i := slices.IndexFunc(h.Attempts, func(a Attempt) bool {
		return a.Collectable() && !slices.Contains(but, a.ID) && (a.State == AttemptAccepted || a.FinishedAt == nil || h.RetriedAt != nil && a.FinishedAt.Before(*h.RetriedAt))
	})
	if i < 0 {
		return nil
	}
	return &h.Attempts[i]
}

// WentOnFrom reports whether the task is to be drawn elsewhere whatever becomes of the call: it was
// said to have ended, or not to have been made, before it was found again, and the task has gone to
// another provider. A provider that only bears another name is none: then the call was never let go.
func (h *History) WentOnFrom(a *Attempt) bool {
	return a.Collectable() && a.Provider != h.Provider && (slices.Contains(YieldToProof, a.ErrorKind) || slices.ContainsFunc(h.Attempts, func(later Attempt) bool {
		return later.Number > a.Number && later.Provider != a.Provider
	}))
}

// Uncollected returns the first of several calls that was paid for and could not be
// collected since the last retry by hand; nil if there is none. A task is not completed
// over it: nobody could have it collected then.
func (h *History) Uncollected() *Attempt {
	i := slices.IndexFunc(h.Attempts, func(a Attempt) bool { return a.State == AttemptAnswered && h.isEmptyBatch(&a) })
	if i < 0 {
		return nil
	}
	return &h.Attempts[i]
}

// Offset returns where among the task's pictures those of its call number belong: behind
// those of the calls before it, or, where calls have theirs there already, in the first gap.
func (h *History) Offset(number, images int) int {
	offset, own := 0, int64(0)
	for i := range h.Attempts {
		switch a := &h.Attempts[i]; {
		case a.Number == number:
			own = a.ID
		case a.Number < number && (a.State == AttemptSucceeded || h.isEmptyBatch(a)):
			offset += a.Images
		}
	}
	taken := func(from int) bool {
		return slices.ContainsFunc(h.Results, func(r Result) bool {
			return r.AttemptID != own && r.Position >= from && r.Position < from+images
		})
	}
	if taken(offset) {
		for offset = 0; taken(offset); {
			offset++
		}
	}
	return offset
}

// MayBePaidFor reports whether some call other than that with the id may have been carried
// out, or is still on its way.
func (h *History) MayBePaidFor(except int64) bool {
	return slices.ContainsFunc(h.Attempts, func(a Attempt) bool {
		switch a.State {
		case AttemptSending, AttemptUnknown, AttemptAccepted, AttemptAnswered:
			return a.ID != except
		}
		return false
	})
}

// FirstStored returns the first picture that lies in our storage, with those that come now
// behind the others; nil if there is none. Others were let go because of their age.
func (h *History) FirstStored(now []Result) *Result {
	for _, r := range slices.Concat(h.Results, now) {
		if r.StorageKey != "" {
			return &r
		}
	}
	return nil
}

// Missing says which pictures the task's calls have not brought, of which last is known
// better than the journal does.
func (h *History) Missing(last *Attempt) string {
	var said []string
	for i := range h.Attempts {
		a := &h.Attempts[i]
		text := a.ErrorMsg
		switch {
		case a.State == AttemptFailed && h.isEmptyBatch(a):
			text = fmt.Sprintf("call %d for %d of %d pictures brought none: %s", a.Number, a.Images, h.ImageCount, strings.TrimRight(text, ". "))
		case a.ID == last.ID && (last.State == AttemptAnswered || last.State == AttemptSucceeded):
			text = last.ErrorMsg
		case a.State != AttemptSucceeded, text == a.ErrorKind.FoundAgain(): // which lacks nothing
			continue
		}
		if text != "" {
			said = append(said, text)
		}
	}
	return strings.Join(said, "; ")
}
