package budget

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// asks starts an Acquire and returns where its release will be.
func asks(t *testing.T, b *Budget, owner string, n int64) chan func() {
	got := make(chan func(), 1)
	go func() {
		release, err := b.Acquire(t.Context(), owner, n)
		if err != nil {
			if t.Context().Err() == nil { // the test has not ended meanwhile
				t.Errorf("%s: %v", owner, err)
			}
			return
		}
		got <- release
	}()
	synctest.Wait()
	return got
}

func TestBudget(t *testing.T) {
	t.Run("No more is lent than there is, and in order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &Budget{Size: 100}
			first := asks(t, b, "a", 60)
			large, small := asks(t, b, "a", 90), asks(t, b, "a", 10)
			if len(first) != 1 || len(large) != 0 || len(small) != 0 {
				t.Fatal("somebody has come before another")
			}
			(<-first)()
			synctest.Wait()
			if len(large) != 1 || len(small) != 1 {
				t.Fatal("there is room for both")
			}
		})
	})
	t.Run("Who asks for more than there is is alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &Budget{Size: 100}
			all, next := asks(t, b, "a", 1000), asks(t, b, "b", 1)
			if len(all) != 1 || len(next) != 0 {
				t.Fatal("it is not alone")
			}
			(<-all)()
			synctest.Wait()
			if len(next) != 1 {
				t.Fatal("it has not given all back")
			}
		})
	})
	t.Run("A flood of one owner leaves half to others who wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &Budget{Size: 100}
			var held []chan func()
			for range 10 {
				held = append(held, asks(t, b, "flood", 20))
			}
			other := asks(t, b, "other", 50)
			for i := range 3 { // nobody of the flood comes in their place
				(<-held[i])()
				synctest.Wait()
			}
			if len(other) != 1 {
				t.Fatal("the other has to wait for the flood")
			}
			(<-other)()
			for _, release := range held[3:] {
				(<-release)()
			}
		})
	})
	t.Run("Two who each want more than half have it one after the other", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &Budget{Size: 100}
			a, c := asks(t, b, "a", 80), asks(t, b, "c", 80)
			again := asks(t, b, "a", 80)
			(<-a)()
			synctest.Wait()
			(<-c)()
			synctest.Wait()
			(<-again)()
		})
	})
	t.Run("Who gives up leaves its place to the next", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &Budget{Size: 100}
			first := asks(t, b, "a", 50)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := b.Acquire(ctx, "a", 100)
				ended <- err
			}()
			synctest.Wait()
			next := asks(t, b, "a", 50)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			synctest.Wait()
			if len(first) != 1 || len(next) != 1 {
				t.Error("the next one still waits")
			}
		})
	})
}
