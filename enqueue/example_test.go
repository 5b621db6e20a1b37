package enqueue_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// openTables opens a new file of SQLite with easel's tables. An app on a server opens
// postgres://…, and leaves the tables to `easel migrate up`.
func openTables(ctx context.Context) (tasks *store.Store, done func()) {
	folder, err := os.MkdirTemp("", "easel-example-")
	check(err)
	tasks, err = store.Open(ctx, "sqlite:"+filepath.Join(folder, "easel.db"))
	check(err)
	_, err = tasks.Migrate(ctx)
	check(err)
	return tasks, func() {
		check(tasks.Close())
		check(os.RemoveAll(folder))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A task and the app's own rows are committed together, or neither is. Without a Queue
// the client leaves the publishing to the workers, who find new rows by themselves.
func ExampleClient_EnqueueTx() {
	ctx := context.Background()
	tasks, done := openTables(ctx)
	defer done()
	client := &enqueue.Client{Tasks: tasks}
	_, err := tasks.DB().ExecContext(ctx, "CREATE TABLE orders (title text, picture bigint)")
	check(err)

	tx, err := tasks.DB().BeginTx(ctx, nil) // the app's own pool does as well
	check(err)
	defer tx.Rollback()
	kite := &task.Task{Request: task.Request{Provider: "sketch", Prompt: "a red kite over a grey lake", IdempotencyKey: "order-7"}}
	_, err = client.EnqueueTx(ctx, tx, kite)
	check(err)
	_, err = tx.ExecContext(ctx, "INSERT INTO orders (title, picture) VALUES ('a kite', ?)", kite.ID)
	check(err)
	check(tx.Commit())

	got, err := tasks.Get(ctx, kite.ID)
	check(err)
	fmt.Println(got.Status, got.Prompt)
	// Output: pending a red kite over a grey lake
}

// Many tasks are stored in one transaction. One that was stored before, as its key
// says, is not stored again: it gets the id of the first.
func ExampleClient_EnqueueMany() {
	ctx := context.Background()
	tasks, done := openTables(ctx)
	defer done()
	client := &enqueue.Client{Tasks: tasks}

	boat := &task.Task{Request: task.Request{Provider: "sketch", Prompt: "a paper boat", IdempotencyKey: "boat"}}
	_, err := client.Enqueue(ctx, boat)
	check(err)
	batch := []*task.Task{
		{Request: task.Request{Provider: "sketch", Prompt: "spring", Priority: task.High}},
		{Request: task.Request{Provider: "sketch", Prompt: "winter", RunAt: time.Now().Add(time.Hour)}},
		{Request: task.Request{Provider: "sketch", Prompt: "a paper boat", IdempotencyKey: "boat"}},
	}
	created, err := client.EnqueueMany(ctx, batch)
	check(err)
	fmt.Println(created, batch[2].ID == boat.ID)
	// Output: [true true false] true
}

// A task is watched by its row. Here a person cancels it; a worker would complete it,
// and ImageURL would lead to the picture.
func Example_watch() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tasks, done := openTables(ctx)
	defer done()
	client := &enqueue.Client{Tasks: tasks}
	kite := &task.Task{Request: task.Request{Provider: "sketch", Prompt: "a red kite"}}
	_, err := client.Enqueue(ctx, kite)
	check(err)

	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for seen := task.Status(""); !seen.Final(); {
		now, err := tasks.Get(ctx, kite.ID)
		check(err)
		if now.Status != seen {
			seen = now.Status
			fmt.Println(seen)
		}
		if !seen.Final() { // somebody presses Cancel
			_, err = client.Cancel(ctx, task.Seen{Task: kite.ID})
			check(err)
		}
		<-tick.C
	}
	// Output:
	// pending
	// cancelled
}
