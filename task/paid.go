package task

import (
	"encoding/json"
	"fmt"
	"slices"
)

// RawFile is one picture of an answer whose bytes no decoder of ours takes. They lie in
// our storage as they came.
type RawFile struct {
	Position    int    `json:"position"`
	StorageKey  string `json:"storage_key"`
	ContentType string `json:"content_type"` // by its content
	FileSize    int64  `json:"file_size"`
	SHA256      string `json:"sha256"`
	Reason      string `json:"reason"` // why it is no picture for us
}

// RawFileList returns what RawFiles holds; none if it cannot be read.
func (a *Attempt) RawFileList() []RawFile {
	var all []RawFile
	if a.RawFiles == "" || json.Unmarshal([]byte(a.RawFiles), &all) != nil {
		return nil
	}
	return all
}

// SetRawFiles makes RawFiles of a list; none is the empty text.
func (a *Attempt) SetRawFiles(all []RawFile) error {
	a.RawFiles = ""
	if len(all) == 0 {
		return nil
	}
	text, err := json.Marshal(all)
	a.RawFiles = string(text)
	return err
}

// Collectable reports whether the call is known to have been taken by the provider and
// its pictures are not in our storage yet: they are collected, and it is not made again.
func (a *Attempt) Collectable() bool { return a.State == AttemptAccepted || a.State == AttemptAnswered }

// HeldInPart reports whether nobody can tell what became of the call, and our storage has some of its
// pictures, which a retry takes.
func (a *Attempt) HeldInPart() bool {
	return a.State == AttemptUnknown && a.ErrorAdvice == RetryCollects
}

// AnyCollectable reports whether a call of the task waits to be collected: the provider has
// taken it, and a retry does not make it again.
func AnyCollectable(attempts []Attempt) bool {
	for i := range attempts {
		if attempts[i].Collectable() {
			return true
		}
	}
	return false
}

// SeenCall is a Collectable call as somebody sees it who gives it up.
type SeenCall struct {
	Number int // of the attempt
	State  AttemptState
}

// CollectableCalls returns the Collectable calls, for who gives them up.
func CollectableCalls(attempts []Attempt) []SeenCall {
	var seen []SeenCall
	for i := range attempts {
		if a := &attempts[i]; a.Collectable() {
			seen = append(seen, SeenCall{a.Number, a.State})
		}
	}
	return seen
}

// CollectedByItself reports whether workers fetch what t has paid for, though no delivery leads
// to it any more, and nobody has found yet that it cannot be had. Nobody need retry it for that. But
// what workers have died of is left to a person: it would go from one to the next, and nobody
// counts them. Store.ToCollect finds the same calls.
func CollectedByItself(t *Task, attempts []Attempt) bool {
	return t.Status.Final() && t.DeletedAt == nil && t.ErrorKind != Crashed && slices.ContainsFunc(attempts, func(a Attempt) bool {
		return a.Collectable() && a.FinishedAt == nil
	})
}

// RetryStep is what a retry by hand begins with. What a person is told to do is Advice.
type RetryStep string

const (
	Collects RetryStep = "collect" // fetches what was paid for; what other calls lack is drawn after it, unless one was given up as charged
	Asks     RetryStep = "ask"     // looks a call up whose outcome is unknown
	Takes    RetryStep = "take"    // takes pictures that are in our storage already, and has none drawn
	Buys     RetryStep = "buy"     // makes a new call

	// BuysAgain makes a new call where a person gave one up as charged. Only who says that he pays
	// again has it made.
	BuysAgain RetryStep = "buy_again"
)

// AfterRetry says what a retry by hand begins with.
func (h *History) AfterRetry() RetryStep {
	if len(h.Attempts) == 0 {
		return Buys
	}
	last := h.Attempts[len(h.Attempts)-1]
	switch {
	case last.Collectable(), last.State == AttemptUnknown && AnyCollectable(h.Attempts):
		return Collects
	case last.HeldInPart():
		return Takes
	case last.State == AttemptSending, last.State == AttemptUnknown:
		return Asks
	case h.Left(false) <= 0:
		return Takes
	case AnyCollectable(h.Attempts):
		return Collects
	case h.GivenUp() != nil:
		return BuysAgain
	}
	return Buys
}

// NotCharged returns the history as it is once a person has said that the calls of unknown outcome
// were not charged.
func (h *History) NotCharged() *History {
	said := *h
	said.Attempts = slices.Clone(h.Attempts)
	for i := range said.Attempts {
		if a := &said.Attempts[i]; a.State == AttemptUnknown {
			a.State, a.ErrorKind = AttemptRejected, NotCharged
		}
	}
	return &said
}

// RevisedReason returns why a task is failed that was held because nobody knew the outcome of
// its calls, given what is known of them now. It is nil while the outcome of any is still unknown.
func (h *History) RevisedReason() *Failure {
	if len(h.Attempts) == 0 {
		return nil
	}
	rejected := true
	for _, a := range h.Attempts {
		if a.State == AttemptSending || a.State == AttemptUnknown {
			return nil
		}
		rejected = rejected && a.State == AttemptRejected
	}
	last := h.Attempts[len(h.Attempts)-1]
	if drew := lastSuccess(h.Attempts); h.Left(false) <= 0 && drew != nil {
		last = *drew // whatever became of the calls after it
	}
	switch {
	case rejected:
		return &Failure{Kind: Unavailable, Executed: NotExecuted, Message: "its worker stood still and lost the task before the call was made: nothing was bought", Advice: RetryByHand}
	case AnyCollectable(h.Attempts):
		return found(h.Attempts)
	case last.State == AttemptSucceeded:
		return CameLate(last.Number)
	}
	f := last.Failure(Executed)
	if f.Kind == "" || f.Kind == OutcomeUnknown {
		f.Kind = ProviderError
	}
	return f
}

// RevisedCharged is RevisedReason of a task that a person has given up as charged, whose row ends
// with an advice. It is about the calls that were given up: nil while each is as he said. What one of
// them still brings is kept, and completes no task that a person has ended.
func (h *History) RevisedCharged(advice Advice) *Failure {
	i := slices.IndexFunc(h.Attempts, func(a Attempt) bool { return a.ErrorKind == Charged && a.Collectable() && a.FinishedAt == nil })
	given := h.GivenUp()
	switch {
	case i >= 0:
		return &Failure{Kind: Charged, Executed: Executed, Advice: Wait,
			Message: fmt.Sprintf("a person found that the call was charged, and gave its picture up; call %d was found again since", h.Attempts[i].Number)}
	case given != nil && advice == Wait: // what was found has brought nothing
		return given.Failure(Executed)
	case given != nil:
		return nil
	}
	return h.RevisedReason()
}

// found is why a task is failed whose lost call the provider has taken after all. While it is
// collected, which needs no person, how it ended is not known: its answer may complete the task.
func found(attempts []Attempt) *Failure {
	var gaveUp *Attempt
	for i := range attempts {
		switch a := &attempts[i]; {
		case !a.Collectable():
		case a.FinishedAt == nil || a.ErrorKind == "":
			return &Failure{Kind: OutcomeUnknown, Executed: Executed, Message: "the provider has run this call after all; its worker had lost it", Advice: Wait}
		default:
			gaveUp = a
		}
	}
	f := gaveUp.Failure(Executed)
	f.Message = "the provider has run this call after all, and it could not be collected: " + f.Message
	return f
}

// CameLate is why a task is failed whose call of that number has brought its pictures
// when the task was not waiting for them any more.
func CameLate(number int) *Failure {
	return &Failure{Kind: Timeout, Executed: Executed, Message: fmt.Sprintf("the pictures of attempt %d came late and are kept", number),
		Advice: RetryTakes}
}

func lastSuccess(attempts []Attempt) *Attempt {
	for i := range slices.Backward(attempts) {
		if attempts[i].State == AttemptSucceeded {
			return &attempts[i]
		}
	}
	return nil
}
