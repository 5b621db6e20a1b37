package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// Bytes that come with an answer are stored before it is journalled. So what lies in storage under
// the name of a call proves that it was answered, though its worker did not live to say so. If all of its
// pictures are there nobody has to be asked. If only some are, whoever stored them may merely stand still,
// or the rest may be in a spool: then the call is not made again by itself, and a person's retry takes
// what is there if it still is no more.

// keptOf is what lies in storage of a call.
type keptOf struct {
	keys  map[int]string // by the position of the picture in the answer
	asked int            // how many pictures the call asks for
}

func (k keptOf) any() bool { return len(k.keys) > 0 }

func (k keptOf) whole() bool {
	for position := range k.asked {
		if k.keys[position] == "" {
			return false
		}
	}
	return true
}

// tell has f say what is there of a call that nobody can tell of, which a retry takes.
func (k keptOf) tell(f *task.Failure) {
	if k.any() {
		f.Message = fmt.Sprintf("%s; %d of its %d pictures are in our storage", f.Message, len(k.keys), k.asked)
		f.Advice, f.About = task.RetryCollects, ""
	}
}

// ahead is by how much a clock that stamps files may be behind the one that stamps calls.
const ahead = 5 * time.Second

// lookInStorage finds what lies there of the last call, or returns how the step ends if storage does not
// say. The attempt then stays as it is, and is asked after again as long as the task may wait for what
// is no fault of the provider's; after that what was listed until then counts.
func (s *step) lookInStorage(ctx context.Context) (keptOf, ending) {
	found, err := s.listStored(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return found, released{}
	case err != nil && s.t.Waits < s.svc.Retry.WithDefaults().MaxWaits:
		return found, taskFailed{failure: later(fmt.Sprintf("attempt %d was lost, and our storage does not say whether it has its pictures", s.last.Number), err)}
	}
	return found, nil
}

// listStored lists what lies in storage of the last call. A file from before the call is of
// another database that had the same ids.
func (s *step) listStored(ctx context.Context) (keptOf, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	found := keptOf{keys: make(map[int]string), asked: s.asked()}
	prefix := fmt.Sprintf("%d/%d-", s.t.ID, s.last.ID)
	for o, err := range s.w.Pictures.All(ctx, prefix) {
		if err != nil {
			return found, err
		}
		number, end, _ := strings.Cut(strings.TrimPrefix(o.Key, prefix), ".")
		position, err := strconv.Atoi(number)
		raw := "."+end == picture.StrayEnd
		small := strings.Contains(end, ".") && !raw
		if err != nil || small || raw && found.keys[position] != "" {
			continue
		}
		if o.Modified.Before(s.last.SentAt.Add(-ahead)) {
			s.log.Warn().Str("key", o.Key).Time("stored", o.Modified).Time("called", s.last.SentAt).Msg("a file of the name of a lost call is older than the call, and is left alone")
			continue
		}
		found.keys[position] = o.Key
	}
	return found, nil
}

// takeStored journals what lies in storage as the answer of the last call, and goes on to keep it.
// Those of its pictures that are not there are missing, and were paid for.
func (s *step) takeStored(ctx context.Context, found keptOf) (phase, queue.Verdict) {
	a := s.last
	outputs := found.outputs()
	s.charge(nil, len(outputs), nil)
	if err := s.setAnswer(outputs, nil); err != nil {
		return s.endWith(unwritten{err})
	}
	switch changed, err := s.write(ctx, store.Answered{Held: s.t.Token(), Attempt: *a}); {
	case err != nil:
		return s.endWith(unwritten{err})
	case !changed: // whoever made the call lives, and has journalled its answer meanwhile
		return s.endWith(released{})
	}
	s.log.Info().Int("attempt", a.Number).Int("pictures", len(found.keys)).Msg("the pictures of a lost call were found in storage")
	crash.At("answer journalled")
	return keeping, none
}

// buyUnlessStored buys in the place of a call of which a person has said that it was not charged, unless
// a worker that had stood still has stored pictures of it after nobody knew: they prove that it was.
func (s *step) buyUnlessStored(ctx context.Context, h *task.History) (phase, queue.Verdict) {
	s.locate(h, s.last.Number, s.asked())
	s.account, _ = s.accountOf(s.last)
	switch stored, e := s.lookInStorage(ctx); {
	case e != nil:
		return s.endWith(e)
	case stored.any():
		return s.takeStored(ctx, stored)
	}
	return buying, none
}

// outputs are those of an answer that came with what was found.
func (k keptOf) outputs() []provider.Output {
	positions := slices.Collect(maps.Keys(k.keys))
	for position := range k.asked {
		if k.keys[position] == "" {
			positions = append(positions, position)
		}
	}
	slices.Sort(positions)
	outputs := make([]provider.Output, len(positions))
	for i, position := range positions {
		outputs[i] = provider.Output{Position: position, Key: k.keys[position]}
		if outputs[i].Key == "" {
			outputs[i].Err = &task.Failure{Kind: task.Expired, Executed: task.Executed, Message: "the worker was lost while it stored the answer, and this picture is not in our storage"}
		}
	}
	return outputs
}

// setAnswer puts an answer of these pictures into the last call, as the journal is to have it.
func (s *step) setAnswer(outputs []provider.Output, raw json.RawMessage) error {
	s.answer = answer{answerVersion, outputs, raw}
	text, err := json.Marshal(s.answer)
	if err != nil {
		return err
	}
	s.last.State, s.last.Answer = task.AttemptAnswered, string(text)
	return nil
}
