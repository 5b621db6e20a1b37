package worker

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// keep brings every picture of the answer into our storage. It may be repeated and never
// buys. What was paid for is collected until it is in our storage, until the addresses are
// known to be dead, or until a person decides otherwise. That spends no try of the task, and
// holds no slot while it waits: the row waits instead.
func (s *step) keep(ctx context.Context) (phase, queue.Verdict) {
	crash.At("about to poll")
	c := s.collect(ctx)
	if err := s.noteCollected(ctx, c); err != nil {
		return s.endWith(unwritten{err})
	}
	if c.full != nil {
		return s.endWith(taskFailed{failure: c.full}) // the attempt stays answered, and the next try begins here
	}
	if c.waits != nil {
		pause, over := s.pauseBefore(c.waits)
		switch {
		case over == nil && s.waitsHere(ctx, pause):
			return keeping, none
		case over == nil:
			return s.endWith(s.fetchedLater(c.waits, pause))
		}
		c.missing(over)
	}
	s.w.collecting.over(s.last.ID)
	return s.endWith(s.endOfAnswer(c))
}

// endOfAnswer is how the step ends with all of the answer that can be had.
func (s *step) endOfAnswer(c *collection) ending {
	switch {
	case len(c.results) == 0 && c.bought:
		return s.givenUp(c.refused)
	case len(c.results) == 0:
		none := *c.refused
		none.Executed = task.Executed // the call was answered, whatever a single picture's failure says of itself
		return callFailed{&none}
	}
	if drawn, asked := pictures(s.answer.Outputs), s.asked(); drawn < asked {
		s.log.Warn().Int("asked", asked).Int("drawn", drawn).Msg("the provider drew fewer pictures than it was asked for")
		c.warnings = append(c.warnings, fmt.Sprintf("the call asked for %d pictures, and %s drew %d", asked, s.svc.Name, drawn))
	}
	s.last.ErrorMsg = c.warning()
	return callSucceeded{c.results}
}

// pictures is how many an answer names.
func pictures(outputs []provider.Output) int {
	n := 0
	for _, out := range outputs {
		n += out.Pictures()
	}
	return n
}

// collect looks at each picture of the answer once.
func (s *step) collect(ctx context.Context) *collection {
	c := &collection{of: max(s.before+len(s.answer.Outputs), s.t.ImageCount), before: s.before}
	for i := range s.answer.Outputs {
		out := &s.answer.Outputs[i]
		var b brought
		if r, ok := s.stored[out.Position]; ok {
			b.results = []task.Result{r}
		} else {
			b = s.bring(ctx, out)
		}
		if b.err != nil && b.err.Kind == task.Storage {
			c.full = b.err
			break
		}
		c.add(out, b)
	}
	return c
}

// noteCollected journals how far an answer has been collected that is not saved at once:
// what is in storage need not be fetched again, and rows name all that lies there.
func (s *step) noteCollected(ctx context.Context, c *collection) error {
	before := s.last.RawFileList()
	raw := c.rawWith(before)
	if !c.moved || c.waits == nil && c.full == nil && len(c.raw) == 0 && len(raw) == len(before) {
		return nil
	}
	s.answer.Version = answerVersion
	text, err := json.Marshal(s.answer)
	if err != nil {
		return err
	}
	s.last.Answer = string(text)
	if err := s.last.SetRawFiles(raw); err != nil {
		return err
	}
	_, err = s.write(ctx, store.Collected{Attempt: *s.last})
	return err
}

// givenUp is how a task ends whose pictures were paid for and cannot be had now. The attempt
// stays answered: a retry by hand collects again, and only a person's word buys.
func (s *step) givenUp(f *task.Failure) ending {
	f.Executed, f.Advice, f.About = task.Executed, task.RetryCollects, ""
	if s.late() {
		return endedLate{failure: f, state: task.AttemptAnswered}
	}
	if s.last.Images > 0 && s.severalCalls() {
		return emptyBatch{f, task.AttemptAnswered}
	}
	s.last.State = task.AttemptAnswered
	s.blame(f)
	return decided{s.fails(f), true}
}
