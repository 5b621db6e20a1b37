package task

import (
	"slices"
	"time"
)

// FoundAgain is what people read of a call that had ended by that kind, one of YieldToProof, and is
// found; empty for other kinds. Such a call goes on and keeps the kind beside its new state.
func (k Kind) FoundAgain() string {
	switch {
	case k == NotCharged:
		return "a person found that this call was not charged, and it was found again since: the provider has run it"
	case k == Charged:
		return "a person gave this call up as charged, and it was found again since"
	case k == BoughtAgain:
		return "a person gave this call up and had another one made, and it was found again since"
	case slices.Contains(YieldToProof, k):
		return "this call had ended without a picture, as far as was known, and it was found again since"
	}
	return ""
}

// GivenUp reports whether a person found that the call was charged, and gave its picture up.
func (a *Attempt) GivenUp() bool { return a.State == AttemptFailed && a.ErrorKind == Charged }

// GivenUp returns the last call that a person gave up as charged; nil if there is none. While there is
// one nothing is bought for the task: BuyAgain makes it BoughtAgain.
func (h *History) GivenUp() *Attempt {
	for i := range slices.Backward(h.Attempts) {
		if h.Attempts[i].GivenUp() {
			return &h.Attempts[i]
		}
	}
	return nil
}

// Took is how long the service had the call until its answer came, or until it ended. False where
// nobody knows: it has not ended, its outcome is unknown, or it ended by what was said or inferred
// of it later.
func (a *Attempt) Took() (time.Duration, bool) {
	switch {
	case a.AnsweredAt != nil:
		return a.AnsweredAt.Sub(a.SentAt), true
	case a.FinishedAt == nil, a.State == AttemptUnknown, slices.Contains(YieldToProof, a.ErrorKind):
		return 0, false
	}
	return a.FinishedAt.Sub(a.SentAt), true
}
