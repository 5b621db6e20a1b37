package main

import (
	"errors"
	"fmt"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// What can be done about a failure is a code, and a reason to wait says who has to act. Here
// is what a person types for it; empty where nothing that easel has is of help.

// command is for a task that has failed.
func command(a task.Advice, id int64) string {
	switch a {
	case task.RetryByHand, task.RetryWhenWell, task.RetryCollects, task.RetryAsks, task.RetryTakes, task.Redraw, task.ReadWorkerLogs, task.ExtendDeadline:
		return fmt.Sprintf("easel retry %d", id)
	case task.DecideByHand:
		return fmt.Sprintf("easel show %d", id)
	}
	return settingCommand(a)
}

// advised is command for what the task's row advises.
func advised(t *task.Task) string {
	if !t.Advised() {
		return ""
	}
	return command(t.ErrorAdvice, t.ID)
}

// settingCommand is for what no task is needed for: a request that was refused, or a setting.
func settingCommand(a task.Advice) string {
	switch a {
	case task.ConfigureProvider:
		return "easel help environment"
	case task.GiveKey, task.CheckKey, task.CheckAccount, task.CheckBaseURL, task.RestoreBaseURL, task.CheckProxy, task.CheckNetwork, task.CheckServer:
		return "easel doctor"
	case task.UseParameters:
		return "easel providers"
	case task.SetModel, task.NameModel, task.OpenModel, task.ChooseImageModel:
		return "easel enqueue --model NAME"
	case task.FitPicture:
		return "easel enqueue --fit-inputs"
	}
	return ""
}

// waitCommand is for a task that waits.
func waitCommand(why *waiting.Reason) string {
	switch why.Kind {
	case waiting.NoWorker:
		return "easel up"
	case waiting.Paused:
		return "easel queues resume " + cli.Clean(why.Name)
	case waiting.Storage, waiting.RedisAway:
		return "easel doctor"
	}
	if why.Who == waiting.Nobody {
		return ""
	}
	return settingCommand(why.Advice)
}

// inShell adds to the words of an error what to type; empty if there is nothing.
func inShell(err error) string {
	var unknown *enqueue.UnknownOutcome
	var nothing *store.NothingPaid
	var again *store.BuysAgain
	var first *buysFirst
	var not *enqueue.NotAbout
	var f *task.Failure
	switch {
	case errors.As(err, &unknown):
		return fmt.Sprintf(": if it was not charged, `easel retry %[1]d --not-charged --attempt %[2]d` sends it again; if it was, `easel give-up %[1]d --attempt %[2]d` ends it", unknown.Task, unknown.Attempt)
	case errors.As(err, &first):
		return fmt.Sprintf(". First `easel retry %[1]d --buy-again` for that call, which sends nothing while call %[2]d is of unknown outcome; when the task has failed over that again, `easel retry %[1]d --not-charged --attempt %[2]d`", first.Task, first.call)
	case errors.As(err, &again):
		return fmt.Sprintf(": `easel retry %d --buy-again` makes it", again.Task)
	case errors.As(err, &not) && !not.Moved:
		return fmt.Sprintf(": see `easel show %d`", not.Task)
	case errors.As(err, &not):
		return fmt.Sprintf(" with `easel show %d`", not.Task)
	case errors.As(err, &nothing):
		return fmt.Sprintf(": `easel retry %d`", nothing.Task)
	case errors.As(err, &f) && settingCommand(f.Advice) != "":
		return ": `" + settingCommand(f.Advice) + "`"
	}
	return ""
}
