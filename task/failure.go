package task

import (
	"errors"
	"strings"
	"time"
)

// Kind says what went wrong, and so who has to act.
type Kind string

const (
	Invalid        Kind = "invalid"         // the request is wrong; the caller mends it
	Unsupported    Kind = "unsupported"     // this provider or model cannot do that
	Auth           Kind = "auth"            // the provider refuses our key; the operator mends it
	Billing        Kind = "billing"         // no money or quota left; the operator mends it
	RateLimited    Kind = "rate_limited"    // too fast; waiting mends it
	Moderated      Kind = "moderated"       // the provider refuses the prompt or the picture
	Unavailable    Kind = "unavailable"     // the provider could not be reached or was too busy to begin
	ProviderError  Kind = "provider_error"  // the provider broke
	BadAnswer      Kind = "bad_answer"      // the provider's answer cannot be used
	Timeout        Kind = "timeout"         // no answer in time
	Expired        Kind = "expired"         // the provider no longer has the result
	Storage        Kind = "storage"         // our own storage refused the pictures
	Deadline       Kind = "deadline"        // the task's own deadline passed
	Crashed        Kind = "crashed"         // workers died over this task
	Archived       Kind = "archived"        // a person archived its delivery
	Stopped        Kind = "cancelled"       // a person cancelled it while it was drawn
	OutcomeUnknown Kind = "outcome_unknown" // nobody can say whether the call was made and billed
	Charged        Kind = "charged"         // a person found that a lost call was billed, and gave it up
	Internal       Kind = "internal"        // a fault of ours
)

// Kinds lists every kind of a task's failure, for help texts and filters.
var Kinds = []Kind{Invalid, Unsupported, Auth, Billing, RateLimited, Moderated, Unavailable, ProviderError,
	BadAnswer, Timeout, Expired, Storage, Deadline, Crashed, Archived, Stopped, OutcomeUnknown, Charged, Internal}

// Forgotten is the kind of a call, and of no task, that was taken for ended, or for never made, since its
// provider does not know it.
const Forgotten Kind = "forgotten"

// NotCharged and BoughtAgain are what a person has said of a call, and are kinds of no task either.
const (
	NotCharged  Kind = "not_charged"  // it was not billed
	BoughtAgain Kind = "bought_again" // it was paid for and given up, so that another one was made
)

// YieldToProof are the kinds by which a call has ended though its provider has not said so: a person
// has, or it was inferred. What is heard of such a call after all, as by its callback, counts, and it goes on.
var YieldToProof = []Kind{NotCharged, Charged, BoughtAgain, Forgotten}

// Execution says whether a call that may cost money was carried out. Its zero is Unknown:
// whoever forgets to say causes no second purchase.
type Execution string

const (
	// Unknown means that it may have run and been billed.
	Unknown Execution = ""
	// NotExecuted means certainly not: the call may be made again.
	NotExecuted Execution = "no"
	// Executed means that the provider ran it; only its outcome was bad.
	Executed Execution = "yes"
)

const unknownText = "maybe" // in JSON, as every release writes it

func (e Execution) String() string {
	if e == Unknown {
		return unknownText
	}
	return string(e)
}

// MarshalText writes what former releases read.
func (e Execution) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what they have written: empty was their NotExecuted. A word that is
// none of ours, as a later release may write, is Unknown.
func (e *Execution) UnmarshalText(text []byte) error {
	switch read := Execution(text); read {
	case NotExecuted, Executed:
		*e = read
	case "":
		*e = NotExecuted
	default:
		*e = Unknown
	}
	return nil
}

// Failure is why a step did not work. Its texts hold no secret: whoever fills
// them scrubs them first.
type Failure struct {
	Kind     Kind
	Executed Execution
	Message  string // one sentence of ours, without a full stop
	Code     string // the provider's own code
	Detail   string // the provider's own text
	Advice   Advice // what can be done about it
	About    string // the argument of Advice

	// Unbilled says of a call that was carried out that the service itself named a failure
	// of its own, drew nothing and bills nothing: the only call that the machine may
	// make again although it was carried out. Nothing else is to set it.
	Unbilled bool
	// SpendsTry says of a rate limit that it is no mere wait: the answer was a 2xx, so that
	// not even the service may know it as a refusal.
	SpendsTry bool

	// Billed says of a call that was carried out that the service bills it although it brought
	// nothing, as it says itself.
	Billed bool

	// OfModel says that the provider refuses this one model, and not the account.
	OfModel bool

	HTTPStatus int           // of the provider's answer; 0 if there was none
	RequestID  string        // the provider's id of the request
	RetryAfter time.Duration // how long the provider asks us to wait; 0 if it did not say
	Cause      error         `json:"-"` // for errors.Is and errors.As; never shown
}

// Reason is our sentence with the provider's code and text.
func (f *Failure) Reason() string {
	switch {
	case f.Code != "" && strings.Contains(f.Message, "("+f.Code): // as this wrote it before, and so its text
		return f.Message
	case f.Code != "" && f.Detail != "":
		return f.Message + " (" + f.Code + ": " + f.Detail + ")"
	case f.Code != "" || f.Detail != "":
		return f.Message + " (" + f.Code + f.Detail + ")"
	}
	return f.Message
}

// Error is what a person reads in error_msg: the reason, and what can be done about it.
func (f *Failure) Error() string { return f.Reason() + f.Advice.Ending(f.About) }

func (f *Failure) Unwrap() error { return f.Cause }

// AsFailure returns the Failure in err's chain, or an Internal one that wraps
// err and says that a call may have happened: an error nobody classified must
// not lead to a second purchase.
func AsFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: Internal, Executed: Unknown, Message: err.Error(), Cause: err}
}
