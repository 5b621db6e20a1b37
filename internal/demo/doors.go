package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// door is a way in. It enters all acts and fills in their ids.
type door func(ctx context.Context, command Command, e *app.App, acts []*Act) error

// byLibrary enqueues from Go.
func byLibrary(ctx context.Context, _ Command, e *app.App, acts []*Act) error {
	for _, act := range acts {
		if _, err := e.Client.Enqueue(ctx, &act.task); err != nil {
			return err
		}
		act.ID = act.task.ID
	}
	return nil
}

// byLibraryMany enqueues in multi-row statements.
func byLibraryMany(ctx context.Context, _ Command, e *app.App, acts []*Act) error {
	tasks := make([]*task.Task, len(acts))
	for i, act := range acts {
		tasks[i] = &act.task
	}
	if _, err := e.Client.EnqueueMany(ctx, tasks); err != nil {
		return err
	}
	for _, act := range acts {
		act.ID = act.task.ID
	}
	return nil
}

// byTransaction enqueues inside a transaction of the app's own. The relay publishes.
func byTransaction(ctx context.Context, _ Command, e *app.App, acts []*Act) error {
	tx, err := e.Tasks.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit this does nothing
	for _, act := range acts {
		if _, err := e.Client.EnqueueTx(ctx, tx, &act.task); err != nil {
			return err
		}
		act.ID = act.task.ID
	}
	return tx.Commit()
}

// bySQL inserts rows as any program in any language can.
func bySQL(ctx context.Context, _ Command, e *app.App, acts []*Act) error {
	for _, act := range acts {
		steps := "NULL"
		if act.task.Steps != nil {
			steps = fmt.Sprint(*act.task.Steps)
		}
		insert := fmt.Sprintf("INSERT INTO image_generations (provider, prompt, steps) VALUES (%s, %s, %s) RETURNING id",
			literal(act.task.Provider), literal(act.task.Prompt), steps)
		if err := e.Tasks.DB().QueryRowContext(ctx, insert).Scan(&act.ID); err != nil {
			return err
		}
	}
	return nil
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// byCommand runs `easel enqueue`, as a shell would, on the same database.
func byCommand(ctx context.Context, command Command, _ *app.App, acts []*Act) error {
	for _, act := range acts {
		args := []string{act.task.Prompt, "--provider", act.task.Provider, "--size", act.task.Size}
		for name, value := range act.task.Parameters {
			args = append(args, "--param", name+"="+value)
		}
		id, err := command(ctx, args...)
		if err != nil {
			return err
		}
		act.ID = id
	}
	return nil
}

// refused expects the door to say no, and that nothing is stored.
func refused(ctx context.Context, _ Command, e *app.App, acts []*Act) error {
	for _, act := range acts {
		_, err := e.Client.Enqueue(ctx, &act.task)
		if err == nil {
			act.ID, act.Result = act.task.ID, "it was taken"
			continue
		}
		act.Status, act.Result, act.done = act.Want, err.Error(), true
	}
	return nil
}

func retryByHand(ctx context.Context, e *app.App, id int64) error {
	t, err := e.Tasks.Get(ctx, id)
	if err != nil {
		return err
	}
	_, err = e.Client.Retry(ctx, t.Seen(), false)
	return err
}

func cancelIt(ctx context.Context, e *app.App, id int64) error {
	_, err := e.Client.Cancel(ctx, task.Seen{Task: id})
	var over *store.NotAllowed
	if errors.As(err, &over) {
		return nil // it ended first
	}
	return err
}
