package task

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func half() float64 { return 0.5 }

func TestFail(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	paid, free := Retry{Base: 2 * time.Second}, Retry{Base: 2 * time.Second, OnUnknown: Resend, Free: true}
	twice := Retry{Base: 2 * time.Second, OnUnknown: Resend}
	soon := now.Add(500 * time.Millisecond)
	type decided struct {
		Status      Status
		Kind        Kind
		Delay       time.Duration
		FailedTries int
		Waits       int
	}
	for _, c := range []struct {
		claim   string
		task    Task
		failure Failure
		retry   Retry
		decided
	}{
		{"A call that did not happen is tried again", Task{}, Failure{Kind: Unavailable, Executed: NotExecuted}, paid, decided{Pending, Unavailable, time.Second, 1, 0}},
		{"The back-off doubles", Task{Standing: Standing{FailedTries: 2}}, Failure{Kind: Unavailable, Executed: NotExecuted}, paid, decided{Pending, Unavailable, 4 * time.Second, 3, 0}},
		{"The back-off is capped", Task{Request: Request{MaxAttempts: 100}, Standing: Standing{FailedTries: 60}}, Failure{Kind: Unavailable, Executed: NotExecuted}, paid, decided{Pending, Unavailable, 150 * time.Second, 61, 0}},
		{"The last try fails the task", Task{Standing: Standing{FailedTries: 4}}, Failure{Kind: Unavailable, Executed: NotExecuted}, paid, decided{Failed, Unavailable, 0, 5, 0}},
		{"A rate limit spends no attempt", Task{Standing: Standing{FailedTries: 4}}, Failure{Kind: RateLimited, Executed: NotExecuted}, paid, decided{Pending, RateLimited, time.Second, 4, 1}},
		{"A rate limit within a 2xx spends one", Task{Standing: Standing{FailedTries: 3}}, Failure{Kind: RateLimited, Executed: NotExecuted, SpendsTry: true}, paid, decided{Pending, RateLimited, 8 * time.Second, 4, 0}},
		{"A rate limit within a 2xx ends with the tries", Task{Standing: Standing{FailedTries: 4}}, Failure{Kind: RateLimited, Executed: NotExecuted, SpendsTry: true}, paid, decided{Failed, RateLimited, 0, 5, 0}},
		{"A rate limit waits as long as asked, and a little", Task{}, Failure{Kind: RateLimited, Executed: NotExecuted, RetryAfter: time.Minute}, paid, decided{Pending, RateLimited, 61 * time.Second, 0, 1}},
		{"A Retry-After of a year is not believed", Task{}, Failure{Kind: RateLimited, Executed: NotExecuted, RetryAfter: 365 * 24 * time.Hour}, paid, decided{Pending, RateLimited, time.Hour + time.Second, 0, 1}},
		{"A negative Retry-After is none", Task{}, Failure{Kind: RateLimited, Executed: NotExecuted, RetryAfter: -time.Hour}, paid, decided{Pending, RateLimited, time.Second, 0, 1}},
		{"Waits have a budget of their own", Task{Standing: Standing{Waits: 100}}, Failure{Kind: RateLimited, Executed: NotExecuted}, paid, decided{Failed, RateLimited, 0, 0, 101}},
		{"Storage waits", Task{Standing: Standing{FailedTries: 4}}, Failure{Kind: Storage, Executed: NotExecuted}, paid, decided{Pending, Storage, time.Second, 4, 1}},
		{"An unknown outcome of a paid call is held", Task{}, Failure{Kind: Timeout, Executed: Unknown}, paid, decided{Failed, OutcomeUnknown, 0, 1, 0}},
		{"An unknown outcome is held whatever its kind", Task{}, Failure{Kind: RateLimited, Executed: Unknown}, paid, decided{Failed, OutcomeUnknown, 0, 1, 0}},
		{"An unknown outcome of a free call is sent again", Task{}, Failure{Kind: Timeout, Executed: Unknown}, free, decided{Pending, Timeout, time.Second, 1, 0}},
		{"What a paid provider ran is not run again", Task{}, Failure{Kind: BadAnswer, Executed: Executed}, paid, decided{Failed, BadAnswer, 0, 1, 0}},
		{"What a paid provider ran is not run again, even if it calls that a rate limit", Task{}, Failure{Kind: RateLimited, Executed: Executed}, paid, decided{Failed, RateLimited, 0, 1, 0}},
		{"An unknown outcome of a paid call is sent again where the operator says so", Task{}, Failure{Kind: Timeout, Executed: Unknown}, twice, decided{Pending, Timeout, time.Second, 1, 0}},
		{"What a paid provider ran is not run again, even where unknown outcomes are", Task{}, Failure{Kind: BadAnswer, Executed: Executed}, twice, decided{Failed, BadAnswer, 0, 1, 0}},
		{"What a free provider ran is run again", Task{}, Failure{Kind: BadAnswer, Executed: Executed}, free, decided{Pending, BadAnswer, time.Second, 1, 0}},
		{"Moderation is final", Task{}, Failure{Kind: Moderated, Executed: Executed}, free, decided{Failed, Moderated, 0, 1, 0}},
		{"A wrong request is final", Task{}, Failure{Kind: Invalid, Executed: NotExecuted}, free, decided{Failed, Invalid, 0, 1, 0}},
		{"No money is final", Task{}, Failure{Kind: Billing, Executed: NotExecuted}, free, decided{Failed, Billing, 0, 1, 0}},
		{"A crash budget that is used up is final", Task{}, Failure{Kind: Crashed, Executed: NotExecuted}, free, decided{Failed, Crashed, 0, 1, 0}},
		{"A refused key is not hammered", Task{}, Failure{Kind: Auth, Executed: NotExecuted}, paid, decided{Pending, Auth, 31 * time.Second, 1, 0}},
		{"A try that would come after the deadline is not made", Task{Request: Request{DeadlineAt: &soon}}, Failure{Kind: Unavailable, Executed: NotExecuted}, paid, decided{Failed, Deadline, 0, 1, 0}},
		{"max_attempts of the task counts", Task{Request: Request{MaxAttempts: 1}}, Failure{Kind: Unavailable, Executed: NotExecuted}, paid, decided{Failed, Unavailable, 0, 1, 0}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			v := c.task.Fail(&c.failure, c.retry, now, half)
			got := decided{v.Status, v.Failure.Kind, v.Delay, v.FailedTries, v.Waits}
			if diff := cmp.Diff(c.decided, got); diff != "" {
				t.Errorf("wanted (-), got (+):\n%s", diff)
			}
		})
	}

	t.Run("Every kind ends, whatever happens again and again", func(t *testing.T) {
		for _, kind := range Kinds {
			for _, executed := range []Execution{NotExecuted, Unknown, Executed} {
				for _, retry := range []Retry{paid, twice, free} {
					var looping Task
					v := Decision{Status: Pending}
					for n := 0; v.Status == Pending; n++ {
						if n > 200 {
							t.Fatalf("%s, executed %s, is tried for ever", kind, executed)
						}
						v = looping.Fail(&Failure{Kind: kind, Executed: executed}, retry, now, half)
						looping.FailedTries, looping.Waits = v.FailedTries, v.Waits
						if v.Status == Pending && v.Delay <= 0 {
							t.Fatalf("%s, executed %s, is tried again at once", kind, executed)
						}
						if v.Status == Pending && (executed == Unknown && retry.OnUnknown != Resend || executed == Executed && !retry.Free) {
							t.Fatalf("%s, executed %s, is bought again", kind, executed)
						}
					}
				}
			}
		}
	})
}

func TestFailure(t *testing.T) {
	t.Run("It reads as our sentence, the provider's words and what to do", func(t *testing.T) {
		f := &Failure{Executed: NotExecuted, Message: "openai refuses the key", Code: "invalid_api_key", Detail: "Incorrect API key", Advice: GiveKey, About: "OPENAI_API_KEY"}
		if got, want := f.Error(), "openai refuses the key (invalid_api_key: Incorrect API key). Set OPENAI_API_KEY in the environment of easel"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("An error that nobody classified may have been billed", func(t *testing.T) {
		cause := errors.New("surprise")
		f := AsFailure(fmt.Errorf("adapter: %w", cause))
		if f.Executed != Unknown || f.Kind != Internal || !errors.Is(f, cause) {
			t.Errorf("got %s, executed %s", f.Kind, f.Executed)
		}
	})
	t.Run("A classified one is found in a chain", func(t *testing.T) {
		f := &Failure{Kind: Billing, Executed: NotExecuted}
		if got := AsFailure(fmt.Errorf("adapter: %w", f)); got != f {
			t.Errorf("got %v", got)
		}
	})
}
