package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// lookInStorage makes an answer of the pictures of a lost call that lie in our storage: they came
// with the call's answer, which the worker that stored them did not live to journal. Those of its
// pictures that are not there are missing. It returns picture.ErrNotFound if there are none.
func (s *step) lookInStorage(ctx context.Context) (provider.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	keys := make(map[int]string)
	prefix := fmt.Sprintf("%d/%d-", s.t.ID, s.last.ID)
	for o, err := range s.w.Pictures.All(ctx, prefix) {
		if err != nil {
			return provider.Answer{}, err
		}
		number, end, _ := strings.Cut(strings.TrimPrefix(o.Key, prefix), ".")
		position, err := strconv.Atoi(number)
		raw := "."+end == picture.StrayEnd
		small := strings.Contains(end, ".") && !raw
		if err != nil || small || raw && keys[position] != "" {
			continue
		}
		keys[position] = o.Key
	}
	if len(keys) == 0 {
		return provider.Answer{}, picture.ErrNotFound
	}
	for position := range s.asked() {
		keys[position] += "" // those that are missing as well
	}
	ans := provider.Answer{Done: true, Cost: s.cost(len(keys), nil)}
	for _, position := range slices.Sorted(maps.Keys(keys)) {
		out := provider.Output{Position: position, Key: keys[position]}
		if out.Key == "" {
			out.Err = &task.Failure{Kind: task.Expired, Executed: task.Executed, Message: "the worker was lost while it stored the answer, and this picture is not in our storage"}
		}
		ans.Outputs = append(ans.Outputs, out)
	}
	return ans, nil
}

// takeStored journals an answer that was found in our storage, as record does one that has just come.
func (s *step) takeStored(ctx context.Context, ans provider.Answer) (phase, queue.Verdict) {
	s.log.Info().Int("attempt", s.last.Number).Msg("the pictures of a lost call were found in storage")
	if e := s.recordAnswer(ctx, ans); e != nil {
		return s.endWith(e)
	}
	return keeping, none
}
