package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// resume reads the journal and goes on from there: what was bought is never
// bought again, and what may have been bought is asked after first.
func (s *step) resume(ctx context.Context) (phase, queue.Verdict) {
	if s.late() {
		return s.resumeLate(ctx)
	}
	if most := s.svc.Retry.WithDefaults().MaxCrashes; s.t.Crashes >= most {
		return s.endWith(s.failsInside(&task.Failure{Kind: task.Crashed, Executed: task.NotExecuted, // the last of them perhaps within its call
			Message: fmt.Sprintf("%d workers died while they held this task", s.t.Crashes),
			Advice:  task.ReadWorkerLogs}))
	}
	if s.last == nil {
		return buying, none
	}
	s.w.looks.note(s.last.ID, time.Now(), s.w.longestWait())
	switch s.last.State {
	case task.AttemptSucceeded, task.AttemptRejected, task.AttemptFailed:
		if s.last.State != task.AttemptRejected || s.last.ErrorKind != task.NotCharged {
			return buying, none
		}
	case task.AttemptAnswered:
		switch {
		case !s.last.EndedSince(s.t.RetriedAt): // not given up since the last retry by hand: it is collected below
		case s.last.Images > 0 && s.severalCalls():
			return buying, none // one of several, which could not be collected
		default: // it was given up, and the row set back by an app, whose word buys nothing
			return s.endWith(s.owing(s.last))
		}
	}
	h, err := s.count(ctx)
	switch {
	case err != nil:
		return done, noAnswer(err)
	case h.HasCollected(s.last.ID):
		return buying, none // what is missing, or nothing: whoever had the task before has brought it since the claim
	}
	switch s.last.State {
	case task.AttemptRejected:
		return s.buyUnlessStored(ctx, h)
	case task.AttemptUnknown: // an older call is not to wait for what nobody may ever learn
		paid, err := s.toCollect(ctx, h)
		if err != nil {
			return done, noAnswer(err)
		}
		s.last = cmp.Or(paid, s.last)
	}
	return s.goOn(ctx, h)
}

// toCollect returns the oldest call that is paid for and still to be collected, whole; nil
// if there is none but such as this step has left to others.
func (s *step) toCollect(ctx context.Context, h *task.History) (*task.Attempt, error) {
	next := h.NextToCollect(s.passed...)
	if next == nil {
		return nil, nil
	}
	return s.w.Journal.Attempt(ctx, next.ID)
}

// goOn chooses how to go on with the last call, which was made or may have been, through the
// account that made it.
func (s *step) goOn(ctx context.Context, h *task.History) (phase, queue.Verdict) {
	s.locate(h, s.last.Number, s.asked())
	maker, known := s.accountOf(s.last)
	s.account = maker
	switch {
	case s.last.State == task.AttemptAnswered: // an account only renews an address; without it the pictures are kept all the same
		if e := s.openAnswer(); e != nil {
			return s.endWith(e)
		}
		return keeping, none
	case !known && !s.late() && h.WentOnFrom(s.last):
		return s.passOver(ctx, h)
	case !known:
		return s.stranded(ctx)
	case s.last.State == task.AttemptAccepted, s.last.Handle != "":
		s.log.Info().Int("attempt", s.last.Number).Msg("resumed by its handle")
		s.room.release(ctx) // that the step has got to buy: a job may take long
		s.room = room{}
		s.said = provider.Answer{PollAfter: time.Nanosecond} // at once
		return polling, none
	}
	return lookingUp, none
}

// accountOf returns the account that has made the call, if this worker has it. What the step asks
// and pays from now on is of its service, which is not the task's own if a fallback was taken since.
func (s *step) accountOf(a *task.Attempt) (provider.Account, bool) {
	if a.Provider == s.svc.Name {
		return s.svc.Account(a.Account)
	}
	svc, known := s.w.Services[a.Provider]
	if !known {
		return provider.Account{}, false
	}
	maker, known := svc.Account(a.Account)
	if known || a.State == task.AttemptAnswered {
		s.svc = svc
	}
	return maker, known
}

// passOver hands the task back over a call of a provider from which it has gone on, for a worker that
// serves both. If there is none, or the job's time is over, the task is drawn where it is now, as it was to
// be before the call was found again, and who has the account collects the call once the task is over.
func (s *step) passOver(ctx context.Context, h *task.History) (phase, queue.Verdict) {
	workers, err := s.w.Tasks.Workers(ctx)
	if err != nil {
		return done, noAnswer(err)
	}
	serves := func(w store.Worker) bool {
		return w.ID != s.w.Self.ID && strings.Contains(w.Providers, ","+s.last.Provider+",") && strings.Contains(w.Providers, ","+s.t.Provider+",")
	}
	if s.age() < cmp.Or(s.svc.Deadline, defaultDeadline) && slices.ContainsFunc(workers, serves) {
		return s.endWith(released{elsewhere, fmt.Sprintf("this worker does not have the account %q of %s", s.last.Account, s.last.Provider)})
	}
	s.log.Warn().Int("attempt", s.last.Number).Str("made_at", s.last.Provider).Msg("an earlier call is left to be collected late: no worker here can ask after it")
	s.passed = append(s.passed, s.last.ID)
	newest := h.Attempts[len(h.Attempts)-1]
	if newest.State != task.AttemptUnknown {
		return buying, none
	}
	if s.last, err = s.w.Journal.Attempt(ctx, newest.ID); err != nil { // it may have been made: it is asked after first
		return done, noAnswer(err)
	}
	return resuming, none
}

// stranded goes on with a call through an account that this worker does not have. Another
// worker may have it, for as long as a job may take; after that what lies in our storage is
// taken, or a person has to look.
func (s *step) stranded(ctx context.Context) (phase, queue.Verdict) {
	where := fmt.Sprintf("account %q of %s", s.last.Account, s.last.Provider)
	switch {
	case s.last.Provider == s.svc.Name && s.age() < cmp.Or(s.svc.Deadline, defaultDeadline):
		return s.endWith(released{elsewhere, "this worker does not have the " + where})
	case s.last.State == task.AttemptAccepted:
		return s.endWith(s.uncollected(&task.Failure{Kind: task.Auth, Executed: task.Executed, Message: "the provider has taken the job through the " + where + ", which this worker does not have"}))
	}
	stored, e := s.lookInStorage(ctx)
	switch {
	case e != nil:
		return s.endWith(e)
	case stored.whole(), stored.any() && s.broughtBack():
		return s.takeStored(ctx, stored)
	case s.svc.Retry.OnUnknown == task.Resend && !stored.any():
		return buying, none
	}
	f := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "the last call was made through the " + where + ", which this worker does not have"}
	if stored.any() { // it was answered, which no policy for what nobody knows is about
		stored.tell(f)
		s.last.State = task.AttemptUnknown
		s.blame(f)
		return s.endWith(decided{s.fails(f), true})
	}
	return s.endWith(callFailed{f})
}

// openAnswer reads the answer in the journal, from which the pictures are collected. If it
// cannot it returns how the step ends.
func (s *step) openAnswer() ending {
	var head struct {
		Version int `json:"v"`
	}
	if json.Unmarshal([]byte(s.last.Answer), &head) == nil && head.Version > answerVersion {
		return s.leftToNewer(provider.Newer("journalled answer", head.Version, answerVersion))
	}
	if err := json.Unmarshal([]byte(s.last.Answer), &s.answer); err != nil {
		return s.givenUp(&task.Failure{Kind: task.Internal, Executed: task.Executed, Message: "the journalled answer cannot be read: " + err.Error()})
	}
	s.log.Info().Int("attempt", s.last.Number).Msg("resumed: the pictures are being kept")
	return nil
}

// leftToNewer hands the task back for a worker of a later release. Nothing of
// its budgets is spent.
func (s *step) leftToNewer(err error) ending {
	s.log.Warn().Err(err).Msg("a worker of a later release has to go on")
	return released{elsewhere, err.Error()}
}
