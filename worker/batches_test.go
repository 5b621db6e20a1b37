package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestParts(t *testing.T) {
	inBubble(t, []claim{
		{"A task for more pictures than one call makes is several calls", severalCalls},
		{"A seed grows from call to call", growingSeed},
		{"A call of several that is tried again does not repeat the others", partTriedAgain},
		{"A call of several whose outcome is unknown fails the task with the others' pictures", batchUnknown},
		{"A call of several that is refused costs its own pictures alone", partRefused},
		{"If every call is refused the task fails as the last one did, and a retry by hand draws all", allPartsRefused},
		{"A worker that dies between two calls is followed by one that makes the second", diesBetweenParts},
		{"Whoever follows a worker that died after a refused call does not make that one again, and says what is missing", diesAfterRefusedPart},
		{"The last of several calls that is refused completes the task with the others", lastPartRefused},
	})
}

// parts makes the painter draw at most n pictures in a call, and answers each call by
// draw, whose number counts from 1.
func (r *rig) parts(n int, draw func(number, images int) (provider.Answer, error)) {
	r.painter.can.MaxImages = n
	r.painter.submit = func(_ context.Context, c provider.Call) (provider.Answer, error) {
		return draw(c.Number, asked(c))
	}
}

func asked(c provider.Call) int {
	var body struct{ N int }
	if err := json.Unmarshal(c.Body, &body); err != nil {
		panic(err)
	}
	return body.N
}

// part is an answer of pictures that are as wide as 100 times the call's number and
// their position.
func part(number, images int) (provider.Answer, error) {
	var all [][]byte
	for i := range images {
		all = append(all, pngOf(100*number+i, 10))
	}
	return drawn(all...), nil
}

func (r *rig) widths(id int64) (all []string) {
	for _, res := range r.results(id) {
		all = append(all, fmt.Sprintf("%d:%d", res.Position, res.Width))
	}
	return all
}

func severalCalls(r *rig) {
	r.parts(3, part)
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 7}})
	done := r.ends(t.ID, task.Completed)
	r.same(r.widths(t.ID), []string{"0:100", "1:101", "2:102", "3:200", "4:201", "5:202", "6:300"})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSucceeded, task.AttemptSucceeded, task.AttemptSucceeded})
	r.same(facts{"Width": *done.Width, "CostMicros": *done.CostMicros, "ErrorMsg": done.ErrorMsg, "FailedTries": done.FailedTries},
		facts{"Width": 100, "CostMicros": int64(7 * 40_000), "ErrorMsg": "", "FailedTries": 0})
	attempts, err := r.tasks.Attempts(r.Context(), t.ID)
	r.check(err)
	for i, want := range []int{3, 3, 1} {
		r.same(facts{"Images": attempts[i].Images, "CostMicros": *attempts[i].CostMicros}, facts{"Images": want, "CostMicros": int64(want) * 40_000})
	}
}

func growingSeed(r *rig) {
	var seeds []int64
	r.painter.seen = func(req provider.Request) { seeds = append(seeds, *req.Seed) }
	r.parts(2, part)
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 4, Seed: new(int64(40))}})
	r.ends(t.ID, task.Completed)
	r.same(seeds[len(seeds)-1], int64(42))
}

func partTriedAgain(r *rig) {
	r.parts(2, func(number, images int) (provider.Answer, error) {
		if number == 2 {
			return fails(task.Unavailable, task.NotExecuted)
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 4}})
	r.ends(t.ID, task.Completed)
	r.same(r.widths(t.ID), []string{"0:100", "1:101", "2:300", "3:301"})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSucceeded, task.AttemptRejected, task.AttemptSucceeded})
}

func batchUnknown(r *rig) {
	r.parts(2, func(number, images int) (provider.Answer, error) {
		if number == 2 {
			return fails(task.ProviderError, task.Unknown)
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 4}})
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "widths": r.widths(t.ID)}, facts{"ErrorKind": task.OutcomeUnknown, "widths": []string{"0:100", "1:101"}})
	_, err := r.client.Retry(r.Context(), failed.Seen(), true) // a person knows that it was not charged
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(facts{"widths": r.widths(t.ID), "submits": r.painter.submits.Load()}, facts{"widths": []string{"0:100", "1:101", "2:300", "3:301"}, "submits": int64(3)})
}

func partRefused(r *rig) {
	r.parts(1, func(number, images int) (provider.Answer, error) {
		if number == 2 {
			return fails(task.Moderated, task.Executed)
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	done := r.ends(t.ID, task.Completed)
	r.same(r.widths(t.ID), []string{"0:100", "2:300"})
	if !strings.Contains(done.ErrorMsg, "call 2 for 1 of 3 pictures brought none: the painter says moderated") || done.ErrorKind != "" {
		r.Errorf("the warning is %q of kind %q", done.ErrorMsg, done.ErrorKind)
	}
}

func diesAfterRefusedPart(r *rig) {
	third, hold := make(chan struct{}, 1), make(chan struct{})
	r.parts(1, func(number, images int) (provider.Answer, error) {
		switch {
		case number == 2:
			return fails(task.Moderated, task.Executed)
		case number == 3:
			third <- struct{}{}
			<-hold
			return fails(task.Unavailable, task.NotExecuted)
		}
		return part(number, images)
	})
	p := r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	heard(r, "the third call is made", third)
	p.heartStops()
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return part(3, 1) }
	r.painter.can.Recover = true
	r.start()
	done := r.ends(t.ID, task.Completed)
	close(hold)
	r.same(facts{"widths": r.widths(t.ID), "submits": r.painter.submits.Load()}, facts{"widths": []string{"0:100", "2:300"}, "submits": int64(3)})
	if !strings.Contains(done.ErrorMsg, "call 2 for 1 of 3 pictures brought none") {
		r.Errorf("the warning is %q", done.ErrorMsg)
	}
}

func lastPartRefused(r *rig) {
	r.parts(1, func(number, images int) (provider.Answer, error) {
		if number == 3 {
			return fails(task.Moderated, task.Executed)
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 3}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{
		"widths": r.widths(t.ID), "Width": *done.Width,
		"ImageURL is the first": done.ImageURL == r.results(t.ID)[0].GeneratedImageURL,
	}, facts{"widths": []string{"0:100", "1:200"}, "Width": 100, "ImageURL is the first": true})
	r.same(r.states(t.ID), []task.AttemptState{task.AttemptSucceeded, task.AttemptSucceeded, task.AttemptFailed})
}

func allPartsRefused(r *rig) {
	refuses := true
	r.parts(1, func(number, images int) (provider.Answer, error) {
		if refuses {
			return fails(task.Moderated, task.Executed)
		}
		return part(number, images)
	})
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "submits": r.painter.submits.Load()}, facts{"ErrorKind": task.Moderated, "submits": int64(2)})
	refuses = false
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.widths(t.ID), []string{"0:300", "1:400"})
}

func diesBetweenParts(r *rig) {
	second := make(chan struct{}, 10)
	hold := make(chan struct{})
	r.parts(2, func(number, images int) (provider.Answer, error) {
		if number == 2 && len(second) == 0 {
			second <- struct{}{}
			<-hold
			return fails(task.Unavailable, task.NotExecuted)
		}
		return part(number, images)
	})
	p := r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 4}})
	<-second
	r.same(r.widths(t.ID), []string{"0:100", "1:101"})
	p.heartStops()
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return part(2, 2) }
	r.painter.can.Recover = true
	r.start()
	r.ends(t.ID, task.Completed)
	close(hold)
	r.same(facts{"widths": r.widths(t.ID), "submits": r.painter.submits.Load()}, facts{"widths": []string{"0:100", "1:101", "2:200", "3:201"}, "submits": int64(2)})
}
