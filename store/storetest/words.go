package storetest

import (
	"errors"
	"fmt"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// words are what a person can say of a failed task.
func words(b *bench) map[string]func(task.Seen) error {
	return map[string]func(task.Seen) error{
		"retry":       func(seen task.Seen) error { _, err := b.store.Retry(b.Context(), seen, false); return err },
		"not charged": func(seen task.Seen) error { _, err := b.store.Retry(b.Context(), seen, true); return err },
		"charged":     func(seen task.Seen) error { _, err := b.store.GiveUp(b.Context(), seen, nil); return err },
	}
}

func wordRace(b *bench) {
	say := words(b)
	for range 5 {
		t := b.get(b.outcomeUnknown().ID)
		var taken [8]bool
		together(len(taken), func(i int) {
			taken[i] = say[[]string{"not charged", "charged"}[i%2]](t.Seen()) == nil
		})
		n, which := 0, 0
		for i, took := range taken {
			if took {
				n, which = n+1, i%2
			}
		}
		attempts, err := b.store.Attempts(b.Context(), t.ID)
		b.check(err)
		b.same(facts{"n": n, "State": attempts[0].State}, facts{"n": 1, "State": []task.AttemptState{task.AttemptRejected, task.AttemptFailed}[which]})
	}
}

func wordsInTurn(b *bench) {
	for first, word := range words(b) {
		for second, other := range words(b) {
			t := b.get(b.outcomeUnknown().ID)
			b.check(word(t.Seen()))
			b.unchanged(t.ID, func() {
				err := other(t.Seen())
				became := "it was failed, and is pending now"
				if first == "charged" {
					became = "a call of it was given up as charged, or was heard of after that"
				}
				b.same(fmt.Sprint(err), fmt.Sprintf("task %d has moved on since you looked: %s; look again", t.ID, became))
				if b.Failed() {
					b.Logf("%s after %s", second, first)
				}
			})
		}
	}
}

func wordsOfNow(b *bench) {
	say := words(b)
	given := b.outcomeUnknown()
	b.check(say["charged"](b.get(given.ID).Seen()))
	other := b.used(task.Failed) // without a call
	for _, t := range []*task.Task{given, other} {
		b.unchanged(t.ID, func() {
			var nothing *store.NothingUnknown
			if err := say["not charged"](b.get(t.ID).Seen()); !errors.As(err, &nothing) || nothing.Task != t.ID {
				b.Errorf("not charged, after charged: %v", err)
			}
		})
	}
	called := b.outcomeUnknown()
	b.check(say["not charged"](b.get(called.ID).Seen()))
	b.exec("UPDATE image_generations SET status = 'failed', error_kind = 'outcome_unknown' WHERE id = %d", called.ID)
	b.unchanged(called.ID, func() { b.notAllowed(say["charged"](b.get(called.ID).Seen()), b.get(called.ID)) })
}

func notLookedAt(b *bench) {
	t := b.outcomeUnknown()
	b.unchanged(t.ID, func() {
		for name, say := range words(b) {
			var not *store.NotLookedAt
			if err := say(task.Seen{Task: t.ID}); !errors.As(err, &not) {
				b.Errorf("%s: %v", name, err)
			}
		}
	})
}
