package store

import (
	"fmt"
	"strings"

	"github.com/easelqueue/easel/task"
)

// saidNotCharged is what a row says of a call of which a person has found that it was not charged. An
// earlier release has written it without its kind, so that such a row is known by this alone.
const saidNotCharged = "a person found that this call was not charged"

// givenUp is the condition that a call is task.Attempt.GivenUp.
const givenUp = "state = 'failed' AND error_kind = 'charged'"

var (
	// unproven is the kind of task.YieldToProof by which a call has ended, or had before it was found; NULL
	// if there is none.
	unproven = "CASE WHEN state = 'rejected' AND error_msg = '" + saidNotCharged + "' THEN 'not_charged' WHEN error_kind IN (" + quoted(task.YieldToProof) + ") THEN error_kind END"

	// yieldsToProof is the condition that a call has ended by such a kind alone.
	yieldsToProof = "state IN ('rejected', 'failed') AND " + unproven + " IS NOT NULL"

	// foundAgain is what the row of a call says that had ended so and is found; NULL for others.
	foundAgain = "CASE " + unproven + sentencesFound() + " END"

	// asFound are the columns of why a call has failed, once it has not: they go on to say that it was found.
	asFound = "error_msg = " + foundAgain + ", error_kind = " + unproven + ", error_code = NULL, error_advice = NULL, error_about = NULL"

	// blamedAsFound is blamed of a call that has failed and is billed: one that was given up as charged and
	// found stays given up, since it is as the person said. Its arguments begin with the message, twice.
	blamedAsFound = "error_msg = CASE WHEN error_kind = 'charged' THEN " + foundAgain + " || ': ' || ? ELSE ? END, error_kind = CASE WHEN error_kind = 'charged' THEN error_kind ELSE ? END, error_code = ?, error_advice = ?, error_about = ?"
)

func sentencesFound() string {
	var b strings.Builder
	for _, k := range task.YieldToProof {
		fmt.Fprintf(&b, " WHEN '%s' THEN '%s'", k, k.FoundAgain())
	}
	return b.String()
}

// quoted is a list of kinds in SQL.
func quoted(kinds []task.Kind) string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = "'" + string(k) + "'"
	}
	return strings.Join(list, ", ")
}
