package task

import "testing"

func TestARetryBeginsWithWhatWasPaidFor(t *testing.T) {
	const one, none = 1, 0
	for _, c := range []struct {
		claim  string
		states []AttemptState
		left   int
		next   RetryStep
	}{
		{"Without a call one is made", nil, one, Buys},
		{"After one that certainly did not happen another is made", []AttemptState{AttemptRejected}, one, Buys},
		{"After one that brought nothing another is made", []AttemptState{AttemptFailed}, one, Buys},
		{"An answer is collected", []AttemptState{AttemptAnswered}, one, Collects},
		{"A job is collected", []AttemptState{AttemptAccepted}, one, Collects},
		{"An older call is collected before another is made", []AttemptState{AttemptAnswered, AttemptRejected}, one, Collects},
		{"An older call is collected before a later one is asked after", []AttemptState{AttemptAnswered, AttemptUnknown}, one, Collects},
		{"A call of unknown outcome is asked after", []AttemptState{AttemptUnknown}, one, Asks},
		{"A call whose worker died is asked after", []AttemptState{AttemptAnswered, AttemptSending}, one, Asks},
		{"Pictures that came late are taken", []AttemptState{AttemptSucceeded}, none, Takes},
		{"Pictures of an earlier call are taken, whatever became of the last", []AttemptState{AttemptSucceeded, AttemptRejected}, none, Takes},
		{"What is missing is bought", []AttemptState{AttemptSucceeded, AttemptRejected}, one, Buys},
		{"What is missing is bought, also after a call that brought its part", []AttemptState{AttemptSucceeded}, one, Buys},
		{"Nothing more is collected for a task that has all its pictures", []AttemptState{AttemptAnswered, AttemptSucceeded}, none, Takes},
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

func TestACallGivenUpAsChargedIsBoughtAgainByAWordOnly(t *testing.T) {
	charged := Attempt{Number: 1, State: AttemptFailed, RowError: RowError{ErrorKind: Charged}}
	for _, c := range []struct {
		claim    string
		attempts []Attempt
		left     int
		next     RetryStep
	}{
		{"After it another is paid for as well", []Attempt{charged}, 1, BuysAgain},
		{"Once another was made that one counts", []Attempt{charged, {Number: 2, State: AttemptRejected}}, 1, Buys},
		{"Pictures that are there are taken", []Attempt{{Number: 1, State: AttemptSucceeded}, charged}, 0, Takes},
		{"What else was paid for is collected first", []Attempt{{Number: 1, State: AttemptAnswered}, charged}, 1, Collects},
		{"Its answer that came late is collected", []Attempt{{Number: 1, State: AttemptAnswered, RowError: RowError{ErrorKind: Charged}}}, 1, Collects},
	} {
		if got := AfterRetry(c.attempts, c.left); got != c.next {
			t.Errorf("%s: got %s, want %s", c.claim, got, c.next)
		}
	}
}
