package storetest

import (
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func lastCalls(b *bench) {
	t := b.held()
	first := b.begin(t)
	first.State = task.AttemptRejected
	b.check(b.record(store.AttemptEnded{Attempt: *first}))
	second := b.begin(t)
	idle := b.insert(task.Task{Request: task.Request{Provider: "fal"}})
	b.insert(task.Task{Request: task.Request{Provider: "fal", RunAt: time.Now().Add(time.Hour)}})
	calls, err := b.store.LastCalls(b.Context(), []int64{t.ID, idle.ID})
	b.check(err)
	b.same(len(calls), 1)
	b.same(calls[t.ID].State, task.AttemptSending)
	b.same(calls[t.ID].SentAt.Equal(second.SentAt), true)
	none, err := b.store.LastCalls(b.Context(), nil)
	b.check(err)
	b.same(len(none), 0)
	due, err := b.store.Backlog(b.Context())
	b.check(err)
	b.same(len(due), 1)
	b.same(facts{"Provider": due[0].Provider, "Tasks": due[0].Tasks}, facts{"Provider": "fal", "Tasks": 1})
	b.near(due[0].Since, 0)
}
