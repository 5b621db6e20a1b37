package main

import (
	"strconv"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/task"
)

// undecided says the two ways on from a call whose outcome nobody can be asked about.
func undecided(id string, last *task.Attempt, console string) string {
	where, call := "Look the call up at "+cli.Clean(last.Provider), " --attempt "+strconv.Itoa(last.Number)
	if console != "" {
		where += ": " + console
	}
	return where + "\nIf it was not charged, `easel retry " + id + " --not-charged" + call + "` sends it again.\n" +
		"If it was charged, `easel give-up " + id + call + "` ends it."
}

// collected says what becomes of what the task has paid for and workers collect.
func collected(t *task.Task, id string) string {
	const beside = "What it was charged for is collected by itself and kept beside it; nothing is bought."
	switch {
	case t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown:
		return "Its lost call was found again and is collected by itself; nothing is bought.\n" +
			"`easel retry --buy-again " + id + "` gives it up and has a new one drawn, which is paid for as well."
	case t.Status == task.Completed:
		return beside
	}
	return beside + "\n`easel retry " + id + "` makes it the task's answer and does not pay for it twice."
}

// hint says what a person can do about a task that does not go on by itself; empty if nothing.
func hint(told *story) string {
	t, attempts := told.Task, told.Attempts
	id := strconv.FormatInt(t.ID, 10)
	ended := t.Status == task.Failed || t.Status == task.Cancelled
	switch {
	case t.Fence < 0:
		return "It was there before easel, which does not touch it. Enqueue it anew to have it drawn."
	case t.OwnedByApp():
		return "easel does not touch it. To hand it over, the app sets its status to pending."
	case task.CollectedByItself(t, attempts):
		return collected(t, id)
	case ended && told.next == task.Collects:
		return "Retry it with `easel retry " + id + "`: that collects what was paid for and does not pay for it twice.\n" +
			"`easel retry --buy-again " + id + "` gives it up and has a new one drawn, which is paid for as well."
	case t.ErrorKind == task.OutcomeUnknown && told.services.Undecided(attempts):
		return undecided(id, &attempts[len(attempts)-1], told.services.Console(attempts[len(attempts)-1].Provider))
	case t.ErrorKind == task.OutcomeUnknown && told.next == task.Asks:
		return "Retry it with `easel retry " + id + "`: that asks the provider again and buys nothing.\n" +
			"Once you know that it was not charged, `easel retry " + id + " --not-charged --attempt " + strconv.Itoa(attempts[len(attempts)-1].Number) + "` sends it again."
	case ended && told.next == task.Takes:
		return "Retry it with `easel retry " + id + "`: that takes the pictures that are in storage already, and buys nothing."
	case ended && told.next == task.BuysAgain:
		return "Its call " + strconv.Itoa((&task.History{Attempts: attempts}).GivenUp().Number) + " was charged and given up, and a plain retry changes nothing.\n" +
			"`easel retry --buy-again " + id + "` has a new one drawn, which is paid for as well."
	case t.ErrorKind == task.Invalid || t.ErrorKind == task.Unsupported || t.ErrorKind == task.Moderated:
		return "Enqueue another one: the same request fails again. Only if its cause lay outside, such as in easel.yaml, and is mended, `easel retry " + id + "` brings it back."
	case ended:
		return "Retry it with `easel retry " + id + "`."
	}
	return ""
}
