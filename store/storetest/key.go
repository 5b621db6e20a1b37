package storetest

import (
	"errors"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func keys() []claim {
	return []claim{
		{"The same key with the same request is the same task", sameKey},
		{"A known key brings the task as it stands now", keyMovedOn},
		{"20 inserts of one key at once are one task", keyRace},
		{"The same key with another request is refused and names the task", keyReused},
		{"A refused key refuses the whole insert", keyReusedAll},
		{"The same key of another user is another task", otherUser},
		{"A relative time does not make another request", relativeTimes},
		{"A task that is inserted a second time is the same request", insertedAgain},
		{"One key twice in one insert is one task", keyTwice},
	}
}

func keyed(prompt string) *task.Task {
	return &task.Task{Request: task.Request{Provider: "painter", Prompt: prompt, IdempotencyKey: "k-1", Parameters: map[string]string{"a": "1"}}}
}

func sameKey(b *bench) {
	first := b.insert(*keyed("a boat"))
	again := keyed("a boat")
	fresh, err := b.store.Insert(b.Context(), []*task.Task{again})
	b.check(err)
	b.same(fresh, []bool{false})
	b.same(again, b.get(first.ID))
	b.same(b.number("SELECT count(*) FROM image_generations"), int64(1))
	b.same(b.number("SELECT count(*) FROM generation_parameter"), int64(1))
}

func keyMovedOn(b *bench) {
	first := b.insert(*keyed("a boat"))
	b.take(first.Ref(), "first", lease)
	b.same(b.insert(*keyed("a boat")).Status, task.Processing)
}

func keyRace(b *bench) {
	const producers = 20
	var ids [producers]int64
	var fresh [producers]bool
	together(producers, func(i int) {
		t := keyed("a boat")
		f, err := b.store.Insert(b.Context(), []*task.Task{t})
		if err != nil {
			b.Error(err)
			return
		}
		ids[i], fresh[i] = t.ID, f[0]
	})
	first := 0
	for i, id := range ids {
		if id != ids[0] || id == 0 {
			b.Errorf("producer %d got task %d, producer 0 task %d", i, id, ids[0])
		}
		if fresh[i] {
			first++
		}
	}
	b.same(first, 1)
	b.same(b.number("SELECT count(*) FROM generation_parameter"), int64(1))
}

func keyReused(b *bench) {
	first := b.insert(*keyed("a boat"))
	for what, other := range map[string]func(*task.Task){
		"prompt":    func(t *task.Task) { t.Prompt = "a car" },
		"priority":  func(t *task.Task) { t.Priority = task.High },
		"parameter": func(t *task.Task) { t.Parameters["a"] = "2" },
	} {
		t := keyed("a boat")
		other(t)
		_, err := b.store.Insert(b.Context(), []*task.Task{t})
		var reused *store.KeyReused
		if !errors.As(err, &reused) || reused.Task != first.ID || reused.Key != "k-1" {
			b.Errorf("another %s: %v", what, err)
		}
	}
	b.same(b.get(first.ID).Prompt, "a boat")
}

func keyReusedAll(b *bench) {
	b.insert(*keyed("a boat"))
	_, err := b.store.Insert(b.Context(), []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "plain"}}, keyed("a car")})
	if err == nil {
		b.Error("the key was taken")
	}
	b.same(b.number("SELECT count(*) FROM image_generations"), int64(1))
}

func otherUser(b *bench) {
	users := []*int64{nil, ptr(int64(1)), ptr(int64(2))}
	var first, again []int64
	for _, ids := range []*[]int64{&first, &again} {
		for _, user := range users {
			t := keyed("a boat")
			t.UserID = user
			*ids = append(*ids, b.insert(*t).ID)
		}
	}
	b.same(again, first)
	b.same(b.number("SELECT count(*) FROM image_generations"), int64(len(users)))
}

func relativeTimes(b *bench) {
	later := func(d time.Duration) task.Task {
		t := keyed("a boat")
		t.RunAt, t.DeadlineAt = time.Now().Add(d), ptr(time.Now().Add(2*d))
		return *t
	}
	b.same(b.insert(later(time.Hour)).ID, b.insert(later(time.Hour+time.Second)).ID)
}

func insertedAgain(b *bench) {
	t := keyed("a boat")
	tx, err := b.store.DB().BeginTx(b.Context(), nil)
	b.check(err)
	_, err = b.store.InsertTx(b.Context(), tx, []*task.Task{t})
	b.check(err)
	b.check(tx.Rollback())

	for i := range 2 {
		fresh, err := b.store.Insert(b.Context(), []*task.Task{t})
		b.check(err)
		b.same(fresh, []bool{i == 0})
		b.same(b.get(t.ID).Prompt, "a boat")
	}
	b.same(b.insert(*keyed("a boat")).ID, t.ID)
}

func keyTwice(b *bench) {
	one, two := keyed("a boat"), keyed("a boat")
	fresh, err := b.store.Insert(b.Context(), []*task.Task{one, two})
	b.check(err)
	b.same(fresh, []bool{true, false})
	b.same(one.ID, two.ID)
}
