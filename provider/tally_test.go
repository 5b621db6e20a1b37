package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/task"
)

// longAnswer is an answer of at least n bytes: a head, pieces and a tail.
type longAnswer struct {
	head, piece, tail string
	n                 int
}

func (a longAnswer) write(w io.Writer) {
	pieces := strings.Repeat(a.piece, 1+(64<<10)/len(a.piece))
	io.WriteString(w, a.head)
	for sent := 0; sent < a.n; sent += len(pieces) {
		if _, err := io.WriteString(w, pieces); err != nil {
			return
		}
	}
	io.WriteString(w, a.tail)
}

// oddAnswers are of 40 MB each, within the bytes that are read.
func oddAnswers() map[string]longAnswer {
	const n = 40 << 20
	return map[string]longAnswer{
		"names and values": {`{"data":[`, "1,", "1]}", n},
		"values that are":  {`{"data":[]`, `,"k":1`, "}", n},
		"nested deeper":    {`{"data":`, "[", strings.Repeat("]", n), n},
		"than the 262144":  {`{"data":[`, "{},", "{}]}", n},
		"without its long texts, is longer than the 8388608 bytes": {`{"data":["`, strings.Repeat("a", 60<<10) + `","`, `"]}`, n},
	}
}

func TestAnOddAnswerTakesLittleMemoryAndIsNoRefusal(t *testing.T) {
	for says, answer := range oddAnswers() {
		t.Run(says, func(t *testing.T) {
			c, r := answering(t, answer.write)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Do(t.Context(), r)
			runtime.ReadMemStats(&after)
			f := task.AsFailure(err)
			if f == nil || f.Kind != task.BadAnswer || f.Executed != task.Unknown || !strings.Contains(f.Message, says) || f.Detail == "" {
				t.Errorf("got %#v", f)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 192<<20 {
				t.Errorf("%d bytes were allocated for an answer of 40 MB", grown)
			}
		})
	}
}

// The most that may be read, in the forms that take the most memory.
func TestTheLargestTreeTakesNoMoreThanItBorrows(t *testing.T) {
	names := make([]string, maxValues/2-8)
	for i := range names {
		names[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	for name, data := range map[string]string{
		"numbers":      strings.Repeat("1,", maxValues-8) + "1",
		"objects":      strings.Repeat("{},", maxValues/2-8) + "1",
		"lists":        strings.Repeat("[[]],", maxValues/3-8) + "1",
		"names":        "{" + strings.Join(names, ",") + "}",
		"within lists": strings.Repeat("[", maxNesting-2) + strings.Repeat("1,", maxValues-2*maxNesting) + "1" + strings.Repeat("]", maxNesting-2),
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"data":[` + data + `]}`)
			if err := readable(body); err != nil {
				t.Fatal("it is beyond the bound:", err)
			}
			var v struct{ Data Images }
			r := Reply{Status: http.StatusOK, Body: body}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := r.JSON(&v)
			r.Bad("it holds no picture")
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; err != nil || grown > treeMemory {
				t.Errorf("%d bytes were allocated, %d are borrowed; %v", grown, treeMemory, err)
			} else {
				t.Logf("%d bytes of JSON, %d allocated", len(body), grown)
			}
		})
	}
}

// peak returns the largest heap, in bytes, that was seen while work ran.
func peak(work func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var most uint64
	for {
		select {
		case <-done:
			return most
		case <-tick.C:
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
		}
	}
}

func TestManyOddAnswersAtOnceStayWithinTheMemory(t *testing.T) {
	var calls sync.WaitGroup
	most := peak(func() {
		for _, answer := range oddAnswers() {
			c, r := answering(t, answer.write)
			c.Memory, c.Owner = &budget.Budget{Size: 64 << 20}, "a"
			for range 6 {
				calls.Go(func() {
					ctx, end := context.WithTimeout(t.Context(), time.Minute)
					defer end()
					if _, err := c.Do(ctx, r); task.AsFailure(err).Kind != task.BadAnswer {
						t.Error(err)
					}
				})
			}
		}
		calls.Wait()
	})
	if most > 640<<20 {
		t.Errorf("%d bytes at the most for 30 answers of 40 MB each", most)
	}
	t.Logf("%d MB", most>>20)
}

func TestACallbackIsReadWithinBounds(t *testing.T) {
	var v any
	err := Callback{Body: []byte(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))}.JSON(&v)
	if f := task.AsFailure(err); f == nil || f.Kind != task.BadAnswer || !strings.Contains(f.Message, "64 levels") {
		t.Errorf("got %v", err)
	}
	if err := (Callback{Body: []byte(`{"a":"` + strings.Repeat("[", 1000) + `\"[` + `"}`)}).JSON(&v); err != nil {
		t.Error("brackets within a text are none:", err)
	}
}

func TestARefusalWithinA200IsShort(t *testing.T) {
	for n, want := range map[int]task.Kind{10: task.Billing, 10_000: task.BadAnswer} {
		body := `{"message":"insufficient balance","errors":[` + strings.Repeat(`"no","money",`, n) + `"no"]}`
		if f := (Reply{Status: http.StatusOK, Body: []byte(body)}).Bad("it holds no picture"); f.Kind != want {
			t.Errorf("%d bytes: got %s; want %s", len(body), f.Kind, want)
		}
	}
}

func TestTheCountIsThatOfTheTree(t *testing.T) {
	for text, want := range map[string]tally{
		`{"a":[1,2,{"b":"[,:{\"["}],"c":null}`: {values: 9, deepest: 3},
		`"[[[[,,"`:                             {},
		`[[],[[]]]`:                            {values: 5, deepest: 3},
	} {
		s := &sieve{}
		s.Write([]byte(text))
		if s.tally != want || !json.Valid([]byte(text)) {
			t.Errorf("%s: got %+v, want %+v", text, s.tally, want)
		}
	}
}
