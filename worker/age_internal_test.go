package worker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/task"
)

func TestADeadlineGoesByTheDatabasesClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"a day behind ours": -24 * time.Hour, "a day ahead of ours": 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			theirs := time.Now().Add(ahead)
			deadline := theirs.Add(time.Minute)
			s := &step{claimed: time.Now(), clock: theirs, t: &task.Task{Request: task.Request{DeadlineAt: &deadline}}}
			<-time.After(59 * time.Second)
			if f := s.mayNotBegin(); f == nil || f.Kind == task.Deadline {
				t.Errorf("%s, and a second before it: %v", name, f)
			}
			<-time.After(2 * time.Second)
			if f := s.mayNotBegin(); f == nil || f.Kind != task.Deadline {
				t.Errorf("%s, and a second after it: %v", name, f)
			}
		})
	}
}

func TestAClockThatIsFarFromTheDatabasesIsSaidNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		w := &Worker{Log: zerolog.New(&said)}
		words := func(ahead time.Duration) int {
			said.Reset()
			w.noteSkew(time.Now(), time.Now().Add(-ahead))
			return strings.Count(said.String(), "clock is far")
		}
		if n := words(4*time.Second) + words(-4*time.Second); n != 0 {
			t.Errorf("%d words about four seconds", n)
		}
		if a, b := words(time.Hour), words(-time.Hour); a != 1 || b != 0 {
			t.Errorf("%d words, and %d at once again", a, b)
		}
		<-time.After(skewAgain)
		if n := words(-time.Hour); n != 1 {
			t.Errorf("%d words after a while", n)
		}
	})
}
