package web

import (
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestStanding(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	soon, before := now.Add(5*time.Minute), now.Add(-90*time.Second)
	for want, row := range map[string]task.Task{
		"waits, due in 5m":             {Request: task.Request{RunAt: soon}, Standing: task.Standing{Status: task.Pending, PublishedAt: &before}},
		"not in the queue yet":         {Request: task.Request{RunAt: before}, Standing: task.Standing{Status: task.Pending}},
		"waits for a worker":           {Request: task.Request{RunAt: before}, Standing: task.Standing{Status: task.Pending, PublishedAt: &before}},
		"being drawn":                  {Standing: task.Standing{Status: task.Processing, Worker: "w"}},
		"managed by the app itself":    {Standing: task.Standing{Status: task.Processing, Progress: 40}},
		"being drawn, 40%":             {Standing: task.Standing{Status: task.Processing, Worker: "w", Progress: 40}},
		"done in 1m30s":                {Standing: task.Standing{Status: task.Completed, StartedAt: &before, CompletedAt: &now}},
		"failed, waits for a decision": {Standing: task.Standing{Status: task.Failed}},
		"failed, charged and given up": {Standing: task.Standing{Status: task.Failed, RowError: task.RowError{ErrorKind: task.Charged}}},
		"cancelled by a person":        {Standing: task.Standing{Status: task.Cancelled}},
		"":                             {Standing: task.Standing{Status: task.Completed}},
	} {
		t.Run("A task says why it is where it is: "+want, func(t *testing.T) {
			if got := standing(&row, now); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}
