package worker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLateStatesAreForgotten(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		l := newLateCalls()
		l.note(1, true) // and its task is retried at once, so that nobody takes the call
		l.take(2)
		l.note(2, true)
		l.take(3)
		l.put(3, time.Hour)
		<-time.After(pauseCap + time.Second)
		l.sweep()
		for id, want := range map[int64]bool{1: false, 2: true, 3: true} {
			if l.known[id] != nil != want {
				t.Errorf("call %d is known: %t", id, !want)
			}
		}
		if asked, stopping := l.asked(2); !asked || !stopping {
			t.Errorf("of the call in hand it says %t, %t", asked, stopping)
		}
	})
}
