package queue

import (
	"errors"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

const (
	unknownVersionDelay = 30 * time.Second
	errorDelay          = 5 * time.Second // after an error that is no verdict, and after a panic
	maxReason           = 2 << 10         // bytes of a reason that asynq keeps
)

// archivedPrefix begins the last error of every delivery that we parked. WasRun
// knows by it that only a person can have taken the delivery out of the archive.
const archivedPrefix = "parked: "

// Later is the verdict "ring again": the row waits, and asynq's retry set
// mirrors it. It is no failure: asynq's count of retries does not move.
type Later struct {
	After  time.Duration // the next whole second after it; 0 is at once
	Reason string        // shown in asynqmon; holds no secret

	run bool // a person ran the delivery, which the row does not yet show
}

func (l *Later) Error() string {
	if l.run {
		return clip(archivedPrefix + "run again by hand, then: " + l.Reason)
	}
	return clip(l.Reason)
}

// Parked is the verdict "given up": the row has failed, and asynq's archive
// mirrors it.
type Parked struct {
	Reason string // shown in asynqmon; holds no secret
}

func (p *Parked) Error() string { return clip(archivedPrefix + p.Reason) }

// Unwrap makes asynq archive the delivery.
func (p *Parked) Unwrap() error { return asynq.SkipRetry }

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
	var later *Later
	switch {
	case errors.As(err, &later):
		return untilWhole(later.After)
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
