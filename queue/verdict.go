package queue

import (
	"errors"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

// Verdict is what becomes of a delivery. The zero value is Done.
type Verdict struct {
	Action Action
	After  time.Duration // of Retry: it comes with the next whole second after this; 0 is at once
	Reason string        // shown in asynqmon; holds no secret
}

// Action is one of the three things that a Verdict may say.
type Action int

const (
	Done    Action = iota // the row needs no further delivery
	Retry                 // the row waits and is delivered again. It is no failure: asynq's count of retries does not move
	Archive               // the row has failed, and asynq's archive mirrors it
)

const (
	unknownVersionDelay = 30 * time.Second
	errorDelay          = 5 * time.Second // after a panic, and after an error of asynq's own
	maxReason           = 2 << 10         // bytes of a reason that asynq keeps
)

// archivedPrefix begins the last error of every delivery that we archived. WasRun
// knows by it that only a person can have taken the delivery out of the archive.
const archivedPrefix = "archived: "

// formerPrefix is what a former release wrote in its place. Its deliveries lie in the
// archive for as long as asynq keeps them.
const formerPrefix = "parked: "

// asynqError is how asynq is told a verdict.
type asynqError struct {
	Verdict
	wasRun bool // a person ran the delivery, which the row does not yet show
}

// asynq is the verdict as asynq's handlers return it.
func (v Verdict) asynq(wasRun bool) error {
	if v.Action == Done {
		return nil
	}
	return &asynqError{v, wasRun}
}

func (e *asynqError) Error() string {
	switch {
	case e.Action == Archive:
		return clip(archivedPrefix + e.Reason)
	case e.wasRun:
		return clip(archivedPrefix + "run again by hand, then: " + e.Reason)
	}
	return clip(e.Reason)
}

// Unwrap makes asynq archive the delivery.
func (e *asynqError) Unwrap() error {
	if e.Action == Archive {
		return asynq.SkipRetry
	}
	return nil
}

// clip bounds what is kept in Redis and keeps it valid UTF-8, without which
// asynq cannot encode its message.
func clip(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason]
	}
	return strings.ToValidUTF8(s, "")
}

// retryDelay is asynq's RetryDelayFunc. It also sees asynq's own errors, such as
// the lease of a worker that died, whose delivery is a minute late already.
func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var told *asynqError
	switch {
	case errors.As(err, &told):
		return untilWhole(told.After)
	case errors.Is(err, asynq.ErrLeaseExpired):
		return 0
	}
	return untilWhole(errorDelay)
}

// untilWhole returns how long to wait for the first whole second that is at
// least d away.
func untilWhole(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	now := time.Now()
	return roundUp(now.Add(d)).Sub(now)
}
