package task

import (
	"cmp"
	"time"
)

// OnUnknown is what the machine may do with a call whose outcome nobody knows.
type OnUnknown string

const (
	// Hold parks the task until a person decides. The default for paid providers.
	Hold OnUnknown = "hold"
	// Resend makes the call again, as any other failed try. For free providers.
	Resend OnUnknown = "retry"
)

// Retry is how failed tries of one provider are spaced and bounded. The zero
// value of a field stands for its default.
type Retry struct {
	Base       time.Duration // first back-off, default 2 s; doubles with each failed try
	Cap        time.Duration // longest back-off, default 5 min
	MaxWaits   int           // waits for rate limits and storage before the task is parked, default 100
	MaxCrashes int           // workers that may die over a task before it is parked, default 3
	MaxAfter   time.Duration // longest Retry-After that is believed, default 1 h
	OnUnknown  OnUnknown     // default Hold
}

const authPause = 30 * time.Second // a refused key is looked at by a person, not hammered

// WithDefaults returns r with every zero field set.
func (r Retry) WithDefaults() Retry {
	r.Base = cmp.Or(r.Base, 2*time.Second)
	r.Cap = cmp.Or(r.Cap, 5*time.Minute)
	r.MaxWaits = cmp.Or(r.MaxWaits, 100)
	r.MaxCrashes = cmp.Or(r.MaxCrashes, 3)
	r.MaxAfter = cmp.Or(r.MaxAfter, time.Hour)
	r.OnUnknown = cmp.Or(r.OnUnknown, Hold)
	return r
}

// Verdict is what a failure does to its task. The status is Pending (try again
// after Delay) or Failed (parked).
type Verdict struct {
	Status  Status
	Delay   time.Duration
	Attempt int // the task's new counters
	Waits   int
	Failure *Failure // what the row will say
}

// Fail decides what f does to t: the one place where trying again is allowed.
// Only a call that certainly did not happen is repeated, unless r says that an
// unknown outcome costs nothing. rnd returns a number in [0,1) and spreads the
// retries (full jitter).
func (t *Task) Fail(f *Failure, r Retry, now time.Time, rnd func() float64) Verdict {
	r = r.WithDefaults()
	v := Verdict{Status: Failed, Attempt: t.Attempt, Waits: t.Waits, Failure: f}

	if f.Executed == Maybe && r.OnUnknown != Resend {
		v.Attempt++
		v.Failure = unknown(f)
		return v
	}
	if f.Executed == Yes && r.OnUnknown != Resend {
		v.Attempt++ // it was run and paid for, whatever the provider calls it
		return v
	}
	switch f.Kind {
	case RateLimited, Storage:
		v.Waits++
		if v.Waits > r.MaxWaits {
			return v
		}
		v.Delay = r.backoff(v.Waits, rnd)
	case Unavailable, ProviderError, BadAnswer, Timeout, Expired, Auth, Internal, OutcomeUnknown:
		v.Attempt++
		if v.Attempt >= t.Tries() {
			return v
		}
		v.Delay = r.backoff(v.Attempt, rnd)
		if f.Kind == Auth {
			v.Delay += authPause
		}
	default: // the same call would fail the same way
		v.Attempt++
		return v
	}
	if f.RetryAfter > 0 {
		v.Delay = min(f.RetryAfter, r.MaxAfter) + r.backoff(1, rnd)
	}
	if t.DeadlineAt != nil && now.Add(v.Delay).After(*t.DeadlineAt) {
		v.Delay = 0
		v.Failure = &Failure{Kind: Deadline, Executed: f.Executed, Code: f.Code, Detail: f.Detail, HTTPStatus: f.HTTPStatus,
			RequestID: f.RequestID, Message: "the task's deadline leaves no time for another try after: " + f.Message,
			Next: "Retry it with a later deadline_at", Cause: f}
		return v
	}
	v.Status = Pending
	return v
}

// backoff returns a random delay of up to Base doubled n-1 times, capped.
func (r Retry) backoff(n int, rnd func() float64) time.Duration {
	d := r.Cap
	if n < 30 && r.Base<<(n-1) < r.Cap && r.Base<<(n-1) > 0 {
		d = r.Base << (n - 1)
	}
	return time.Duration(rnd() * float64(d))
}

func unknown(f *Failure) *Failure {
	u := *f
	u.Kind = OutcomeUnknown
	u.Message = "nobody can say whether the provider ran and billed this call: " + f.Message
	u.Next = "`easel retry` asks the provider again and buys nothing; if you know that it was not charged, `easel retry --not-charged` sends it again"
	u.Cause = f
	return &u
}
