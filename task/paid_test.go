package task

import "testing"

func TestARetryBeginsWithWhatWasPaidFor(t *testing.T) {
	const one, none = 1, 0
	for _, c := range []struct {
		claim  string
		states []State
		left   int
		next   NextStep
	}{
		{"Without a call one is made", nil, one, Buys},
		{"After one that certainly did not happen another is made", []State{AttemptRejected}, one, Buys},
		{"After one that brought nothing another is made", []State{AttemptFailed}, one, Buys},
		{"An answer is collected", []State{AttemptAnswered}, one, Collects},
		{"A job is collected", []State{AttemptAccepted}, one, Collects},
		{"An older call is collected before another is made", []State{AttemptAnswered, AttemptRejected}, one, Collects},
		{"An older call is collected before a later one is asked after", []State{AttemptAnswered, AttemptUnknown}, one, Collects},
		{"A call of unknown outcome is asked after", []State{AttemptUnknown}, one, Asks},
		{"A call whose worker died is asked after", []State{AttemptAnswered, AttemptSending}, one, Asks},
		{"Pictures that came late are taken", []State{AttemptSucceeded}, none, Takes},
		{"Pictures of an earlier call are taken, whatever became of the last", []State{AttemptSucceeded, AttemptRejected}, none, Takes},
		{"What is missing is bought", []State{AttemptSucceeded, AttemptRejected}, one, Buys},
		{"What is missing is bought, also after a call that brought its part", []State{AttemptSucceeded}, one, Buys},
		{"Nothing more is collected for a task that has all its pictures", []State{AttemptAnswered, AttemptSucceeded}, none, Takes},
	} {
		attempts := make([]Attempt, len(c.states))
		for i, s := range c.states {
			attempts[i] = Attempt{Number: i + 1, State: s}
		}
		if got := AfterRetry(attempts, c.left); got != c.next {
			t.Errorf("%s: got %s, want %s", c.claim, got, c.next)
		}
	}
}
