package demo

import (
	"testing"

	"github.com/easelqueue/easel/task"
)

func TestJudge(t *testing.T) {
	for claim, c := range map[string]struct {
		act  Act
		want string
	}{
		"All as it should be":             {Act{Status: task.Completed, Want: task.Completed, Calls: 2, wantCalls: 2, Pictures: 3, wantPictures: 3}, ""},
		"Another status is wrong":         {Act{Status: task.Failed, Want: task.Completed}, "failed, not completed"},
		"One call too many is wrong":      {Act{Calls: 2, wantCalls: 1}, "2 calls, not 1"},
		"One call too few is wrong":       {Act{Calls: 1, wantCalls: 2}, "1 call, not 2"},
		"Any number of calls can be fine": {Act{Calls: 7}, ""},
		"No call at all can be wanted":    {Act{Calls: 1, wantCalls: none}, "1 call, not 0"},
		"A missing picture is wrong":      {Act{Pictures: 1, wantPictures: 2}, "1 picture, not 2"},
		"A picture that nobody expects":   {Act{Pictures: 1}, "1 picture, not 0"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := c.act.judge(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMade(t *testing.T) {
	attempts := []task.Attempt{
		{State: task.AttemptSucceeded},
		{State: task.AttemptUnknown, RowError: task.RowError{ErrorKind: task.OutcomeUnknown}},
		{State: task.AttemptRejected, RowError: task.RowError{ErrorKind: task.Unavailable}},
		{State: task.AttemptRejected, RowError: task.RowError{ErrorMsg: "the call was not made"}},
	}
	t.Run("A call that was journalled and never made does not count", func(t *testing.T) {
		if got := made(attempts); got != 3 {
			t.Errorf("got %d, want 3", got)
		}
	})
}
