package task

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
		if got := lacking(c.left, attempts).AfterRetry(); got != c.next {
			t.Errorf("%s: got %s, want %s", c.claim, got, c.next)
		}
	}
	held := []Attempt{{Number: 1, State: AttemptUnknown, RowError: RowError{ErrorAdvice: RetryCollects}}}
	if got := lacking(one, held).AfterRetry(); got != Takes {
		t.Errorf("what our storage has of a call of unknown outcome is taken: got %s", got)
	}
}

// lacking is the history of a task that lacks left pictures of two.
func lacking(left int, attempts []Attempt) *History {
	h := &History{ImageCount: 2, Attempts: append([]Attempt{{ID: 1, Images: 2 - left, State: AttemptSucceeded}}, attempts...), Results: []Result{{AttemptID: 1, StorageKey: "1"}}}
	if left == 2 || len(attempts) == 0 {
		h.Attempts = attempts
	}
	return h
}

func TestACallGivenUpAsChargedIsBoughtAgainByAWordOnly(t *testing.T) {
	charged := Attempt{Number: 1, Images: 1, State: AttemptFailed, RowError: RowError{ErrorKind: Charged}}
	again := charged
	again.ErrorKind = BoughtAgain
	for _, c := range []struct {
		claim    string
		attempts []Attempt
		left     int
		next     RetryStep
	}{
		{"After it another is paid for as well", []Attempt{charged}, 2, BuysAgain},
		{"Whatever call is the last", []Attempt{charged, {Number: 2, State: AttemptRejected}}, 2, BuysAgain},
		{"Whatever else is missing", []Attempt{charged, {Number: 2, State: AttemptSucceeded}}, 1, BuysAgain},
		{"Once it was to be bought again a retry goes on with that", []Attempt{again, {Number: 2, State: AttemptRejected}}, 2, Buys},
		{"Pictures that are there are taken", []Attempt{charged}, 0, Takes},
		{"What else was paid for is collected first", []Attempt{{Number: 1, State: AttemptAnswered}, charged}, 2, Collects},
		{"Its answer that came late is collected", []Attempt{{Number: 1, State: AttemptAnswered, RowError: RowError{ErrorKind: Charged}}}, 2, Collects},
	} {
		if got := lacking(c.left, c.attempts).AfterRetry(); got != c.next {
			t.Errorf("%s: got %s, want %s", c.claim, got, c.next)
		}
	}
}

func TestTheReasonOfWhatWasGivenUpIsAboutItsCalls(t *testing.T) {
	charged := Attempt{Number: 1, State: AttemptFailed, RowError: RowError{ErrorKind: Charged, ErrorMsg: "who knows"}}
	found := Attempt{Number: 1, State: AttemptAccepted, RowError: RowError{ErrorKind: Charged}}
	came := Attempt{Number: 1, State: AttemptSucceeded, RowError: RowError{ErrorKind: Charged}}
	uncollected := Attempt{Number: 2, State: AttemptAnswered, FinishedAt: new(time.Time), RowError: RowError{ErrorKind: Expired, ErrorMsg: "gone"}}
	moderated := Attempt{Number: 1, State: AttemptFailed, RowError: RowError{ErrorKind: Moderated}}
	wait := &Failure{Kind: Charged, Executed: Executed, Advice: Wait, Message: "a person found that the call was charged, and gave its picture up; call 1 was found again since"}
	for _, c := range []struct {
		claim    string
		attempts []Attempt
		advice   Advice
		want     *Failure
	}{
		{"It stays while nothing else is known of them", []Attempt{charged}, "", nil},
		{"It stays whatever becomes of others", []Attempt{charged, uncollected}, "", nil},
		{"One that is found is waited for", []Attempt{found, uncollected}, "", wait},
		{"One of two that is found is waited for", []Attempt{found, charged}, "", wait},
		{"One that is found and brings nothing is not waited for any more", []Attempt{charged}, Wait, charged.Failure(Executed)},
		{"One of two that is found and brings nothing is not waited for any more", []Attempt{moderated, charged}, Wait, charged.Failure(Executed)},
		{"One that has come is kept", []Attempt{came}, Wait, CameLate(1)},
	} {
		h := History{Attempts: c.attempts}
		if diff := cmp.Diff(c.want, h.RevisedCharged(c.advice)); diff != "" {
			t.Errorf("%s:\n%s", c.claim, diff)
		}
	}
}
