package worker

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// How long pictures that were paid for are waited for.

const (
	inPlace    = 5 * time.Second  // by the step that has got the answer, for a picture that is not there yet
	firstPause = time.Second      // before a picture that is not there is fetched again; grows with the time
	pauseCap   = 10 * time.Minute // the longest
	settling   = 2 * time.Minute  // for as long a service may serve a file that is damaged
)

// waitsHere waits for a picture that may be there in a moment, and reports whether it has: a
// row that is given back stands in line behind all others, and its address may be dead
// before its turn. No slot of the account is held meanwhile.
func (s *step) waitsHere(ctx context.Context, pause time.Duration) bool {
	s.looking = cmp.Or(s.looking, time.Now())
	resumed := s.last.AnsweredAt != nil
	if resumed || s.waiting == nil || s.late() || time.Since(s.looking)+pause > inPlace {
		return false
	}
	s.room.release(ctx)
	s.room = room{} // a further call asks for another
	return s.w.pause(s.waiting, pause, nil) == nil
}

// fetchedLater is how the step ends until the picture is worth another look.
func (s *step) fetchedLater(f *task.Failure, pause time.Duration) ending {
	s.log.Info().Dur("next", pause).Str("error", f.Error()).Msg("a picture that was paid for is not there yet")
	return released{pause, "a picture that was paid for is fetched again and not bought again: " + f.Reason()}
}

// pauseBefore returns how long to wait before a picture is fetched again: a part of the
// time for which it has been in vain. Once its address is dead, or the task's time is
// over, it returns why the task fails.
func (s *step) pauseBefore(f *task.Failure) (time.Duration, *task.Failure) {
	vain := s.sinceAnswered()
	left, over := s.addressEnds(vain)
	if left <= 0 {
		over.Cause, over.Code, over.HTTPStatus, over.RequestID = f, f.Code, f.HTTPStatus, f.RequestID
		over.Message, over.Detail, over.Advice = over.Message+": "+f.Message, f.Detail, task.RetryCollects
		return 0, over
	}
	pause := min(max(vain/2, firstPause), pauseCap)
	pause = max(time.Duration((0.5+random())*float64(pause)), min(f.RetryAfter, pauseCap))
	return min(pause, left), nil // the last look is at the end
}

// addressEnds returns for how much longer the addresses of an answer are tried that have
// been tried in vain for that long, and as what the task fails after it.
func (s *step) addressEnds(vain time.Duration) (time.Duration, *task.Failure) {
	life, deadline := s.addressLife(), s.t.DeadlineAt
	if s.late() {
		deadline = nil // it is of the task, which is over
	}
	left := cmp.Or(life, s.svc.Deadline, defaultDeadline) - vain
	if deadline != nil && (life == 0 || deadline.Sub(s.now()) < left) {
		return deadline.Sub(s.now()), &task.Failure{Kind: task.Deadline, Executed: task.Executed,
			Message: "the picture that was paid for could not be fetched before deadline_at, " + deadline.UTC().Format(time.RFC3339)}
	}
	return left, &task.Failure{Kind: task.Expired, Executed: task.Executed, Message: fmt.Sprintf("the picture that was paid for could not be fetched for %s", vain.Round(time.Second))}
}

// addressLife is for how long the addresses of the service's pictures hold; 0 if it does not say.
func (s *step) addressLife() time.Duration {
	p := s.account.Provider
	if p == nil && len(s.svc.Accounts) > 0 {
		p = s.svc.Accounts[0].Provider
	}
	if p == nil {
		return 0
	}
	return s.can(p).AddressLife
}

// renew asks the provider once more where a picture is that cannot be fetched, and
// reports whether it is somewhere else now.
func (s *step) renew(ctx context.Context, out *provider.Output) bool {
	if s.last.Handle == "" || out.URL == "" || s.account.Provider == nil {
		return false
	}
	again, err := s.ask(ctx)
	if err != nil || !again.Done {
		return false
	}
	for _, fresh := range again.Outputs {
		if fresh.Position == out.Position && fresh.URL != "" && fresh.URL != out.URL {
			out.URL = fresh.URL
			return true
		}
	}
	return false
}
