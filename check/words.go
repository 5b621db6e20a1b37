package check

import "unicode"

// The statuses of a task.
const (
	pending    = "pending"
	processing = "processing"
	completed  = "completed"
	cancelled  = "cancelled"
	failed     = "failed" // also a state of an attempt
)

var statuses = []string{pending, processing, completed, failed, cancelled}

func final(status string) bool {
	return status == completed || status == failed || status == cancelled
}

// The states of an attempt, besides failed.
const (
	sending   = "sending"  // committed before the call
	rejected  = "rejected" // the call certainly did not happen
	accepted  = "accepted"
	answered  = "answered"
	succeeded = "succeeded"
	unknown   = "unknown" // announced: nobody can say whether it happened
)

// outcomeUnknown is the error_kind of a task that failed over a call in state unknown.
const outcomeUnknown = "outcome_unknown"

// A task that failed as one of these is not completed by what comes late.
const (
	charged  = "charged"  // a person has given it up
	deadline = "deadline" // nobody waits for it
)

// notCharged is what a person says who authorises one more purchase.
const notCharged = "not_charged"

// buyAgain is what a person says who gives up what was paid for and not collected.
const buyAgain = "buy_again"

func notInTag(r rune) bool {
	return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
