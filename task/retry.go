package task

import (
	"cmp"
	"time"
)

// OnUnknown is what the machine may do with a call whose outcome nobody knows.
type OnUnknown string

const (
	// Hold leaves the task failed until a person decides. The default for paid providers.
	Hold OnUnknown = "hold"
	// Resend makes the call again, as any other failed try. For free providers, and for
	// those who would rather pay twice than wait.
	Resend OnUnknown = "retry"
)

// Retry is how failed tries of one provider are spaced and bounded. The zero
// value of a field stands for its default.
type Retry struct {
	Base       time.Duration // first back-off, default 2 s; doubles with each failed try
	Cap        time.Duration // longest back-off, default 5 min
	MaxWaits   int           // waits for rate limits and storage before the task fails, default 100
	MaxCrashes int           // workers that may die over a task before it fails, default 3
	MaxAfter   time.Duration // longest Retry-After that is believed, default 1 h
	OnUnknown  OnUnknown     // default Hold
	Free       bool          // a call costs nothing, so that Resend holds for one that was carried out too

	// ServerErrors is how many calls may follow those that failed by the service's own
	// fault and were not billed, before the task fails; default 2.
	ServerErrors int
	// HoldServerErrors fails the task at the first of them.
	HoldServerErrors bool
}

// DefaultServerErrors is how often a call is made again that failed by the service's
// own fault: as often as OpenAI's own client does it.
const DefaultServerErrors = 2

const authPause = 30 * time.Second // a refused key is looked at by a person, not hammered

// WithDefaults returns r with every zero field set.
func (r Retry) WithDefaults() Retry {
	r.Base = cmp.Or(r.Base, 2*time.Second)
	r.Cap = cmp.Or(r.Cap, 5*time.Minute)
	r.MaxWaits = cmp.Or(r.MaxWaits, 100)
	r.MaxCrashes = cmp.Or(r.MaxCrashes, 3)
	r.MaxAfter = cmp.Or(r.MaxAfter, time.Hour)
	r.OnUnknown = cmp.Or(r.OnUnknown, Hold)
	r.ServerErrors = cmp.Or(r.ServerErrors, DefaultServerErrors)
	return r
}

// Decision is what a failure does to its task. The status is Pending (try again
// after Delay) or Failed.
type Decision struct {
	Status      Status
	Delay       time.Duration
	FailedTries int // the task's new counters
	Waits       int
	Failure     *Failure // what the row will say
}

// Fail decides what f does to t: the one place where trying again is allowed.
// A call is made again that certainly did not happen, or that the service failed by
// its own fault and does not bill; one whose outcome nobody knows only if r says so, and
// one that was carried out only if it was free besides. rnd returns a number in [0,1) and spreads the retries (full jitter).
func (t *Task) Fail(f *Failure, r Retry, now time.Time, rnd func() float64) Decision {
	r = r.WithDefaults()
	v := Decision{Status: Failed, FailedTries: t.FailedTries, Waits: t.Waits, Failure: f}
	var again bool
	switch {
	case f.Executed == Unknown && r.OnUnknown != Resend:
		v.Failure = unknown(f)
		v.FailedTries++
	case f.Executed == Executed && f.Unbilled:
		again = t.failByService(&v, r, rnd)
	case f.Executed == Executed && !(r.Free && r.OnUnknown == Resend):
		v.FailedTries++ // it was run and paid for, whatever the provider calls it
	default:
		again = t.failByKind(&v, r, rnd)
	}
	if !again {
		return v
	}
	if f.RetryAfter > 0 {
		v.Delay = min(f.RetryAfter, r.MaxAfter) + r.backoff(1, rnd)
	}
	if t.DeadlineAt != nil && now.Add(v.Delay).After(*t.DeadlineAt) {
		v.Delay = 0
		v.Failure = tooLate(f)
		return v
	}
	v.Status = Pending
	return v
}

// failByService reports whether a call may follow one that the service failed by its
// own fault and does not bill. These calls have a budget of their own, so that they
// spend no try as long as it lasts.
func (t *Task) failByService(v *Decision, r Retry, rnd func() float64) bool {
	f := *v.Failure
	f.Kind = ProviderError
	v.Failure = &f
	if r.HoldServerErrors || t.ServerErrors >= r.ServerErrors {
		v.FailedTries++
		if f.Advice == "" {
			f.Advice = RetryWhenWell
		}
		return false
	}
	v.Delay = r.backoff(t.ServerErrors+1, rnd)
	return true
}

// failByKind reports whether the call may be made again as its kind goes, and counts it.
func (t *Task) failByKind(v *Decision, r Retry, rnd func() float64) bool {
	kind := v.Failure.Kind
	if v.Failure.SpendsTry {
		kind = Unavailable
	}
	switch kind {
	case RateLimited, Storage:
		v.Waits++
		if v.Waits > r.MaxWaits {
			return false
		}
		v.Delay = r.backoff(v.Waits, rnd)
	case Unavailable, ProviderError, BadAnswer, Timeout, Expired, Auth, Internal, OutcomeUnknown:
		v.FailedTries++
		if v.FailedTries >= t.MaxTries() {
			return false
		}
		v.Delay = r.backoff(v.FailedTries, rnd)
		if v.Failure.Kind == Auth {
			v.Delay += authPause
		}
	default: // the same call would fail the same way
		v.FailedTries++
		return false
	}
	return true
}

func tooLate(f *Failure) *Failure {
	return &Failure{Kind: Deadline, Executed: f.Executed, Unbilled: f.Unbilled, Code: f.Code, Detail: f.Detail, HTTPStatus: f.HTTPStatus,
		RequestID: f.RequestID, Message: "the task's deadline leaves no time for another try after: " + f.Message,
		Advice: ExtendDeadline, Cause: f}
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
	u.Advice, u.About = DecideByHand, ""
	u.Cause = f
	return &u
}
