package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// A task for more pictures than one call makes is drawn in several, one after the
// other. Each is an attempt with its own row and cost, and ends in a step of its
// own: what is drawn is journalled before the next is begun. Pictures are settled
// when they are kept, by whichever call, or when a call since the last retry
// by hand was refused them or could not have them collected; what is not settled is left to draw.

// settle counts what needs no further call. Its error is a verdict.
func (s *step) settle(ctx context.Context) (err error) {
	if s.settled, err = s.Tasks.ImagesDone(ctx, s.t, s.severalCalls()); err != nil {
		return &queue.Later{After: 2 * time.Second, Reason: "the database did not answer: " + err.Error()}
	}
	return nil
}

// severalCalls reports whether the task asks for more than one call makes.
func (s *step) severalCalls() bool {
	if len(s.svc.Accounts) == 0 {
		return false
	}
	most := s.svc.Capabilities(s.svc.Accounts[0].Provider, s.t).MaxImages
	return most > 0 && s.t.ImageCount > most
}

// left is how many pictures are still to be drawn, those of the last attempt included
// while it is not settled.
func (s *step) left() int { return max(s.t.ImageCount, 1) - s.settled }

// asked is how many pictures the last attempt asks for.
func (s *step) asked() int {
	if s.last.Images > 0 {
		return s.last.Images
	}
	return max(s.t.ImageCount, 1)
}

// keepPart stores the pictures of one of several calls. The next call is made by the
// next step, which asks for room as every call does.
func (s *step) keepPart(ctx context.Context, results []task.Result) error {
	percent := 100 * (s.settled + s.asked()) / s.t.ImageCount
	err := s.persist(ctx, func(ctx context.Context) error { return s.Tasks.SaveBatch(ctx, s.t, s.last, results, percent) })
	if errors.Is(err, store.ErrFenced) {
		return s.keepLate(ctx, store.Outcome{Results: results, Warning: s.last.ErrorMsg})
	}
	if err != nil {
		return s.unsaved(ctx, err)
	}
	s.log.Info().Int("pictures", len(results)).Int("left", s.left()-s.asked()).Msg("a part is kept")
	return s.handBack(ctx, 0, "")
}

// drawsOn reports whether f refuses the pictures of one of several calls: then the
// others are drawn all the same. What the service failed by its own fault is no refusal:
// it is drawn again.
func (s *step) drawsOn(f *task.Failure) bool {
	refused := f.Kind == task.Moderated || f.Kind == task.BadAnswer || f.Kind == task.ProviderError
	return s.last != nil && s.last.Images > 0 && s.severalCalls() && refused && f.Executed == task.Executed && !f.Unbilled
}

// partRefused ends a call that brought nothing and goes on with the rest.
func (s *step) partRefused(ctx context.Context, f *task.Failure) error {
	return s.endPart(ctx, f, task.AttemptFailed)
}

// endPart ends one of several calls without its pictures, in that state, and goes on
// with the rest.
func (s *step) endPart(ctx context.Context, f *task.Failure, state task.AttemptState) error {
	a := s.last
	a.State = state
	s.blame(f)
	if err := s.persist(ctx, func(ctx context.Context) error { return s.Tasks.FinishAttempt(ctx, a) }); err != nil {
		return s.unsaved(ctx, err)
	}
	s.log.Info().Str("kind", string(f.Kind)).Str("error", f.Error()).Msg("a part brought nothing")
	if s.left() > s.asked() {
		return s.handBack(ctx, 0, "")
	}
	s.settled += s.asked()
	return s.finish(ctx)
}

// place finds where among the task's pictures those of a call belong: behind those of the
// calls before number, or, where calls have theirs there already, in the first gap. Its
// error is a verdict.
func (s *step) place(ctx context.Context, number, images int) error {
	s.before = s.settled
	if s.settled == 0 || !s.severalCalls() {
		return nil
	}
	attempts, err := s.Tasks.Attempts(ctx, s.t.ID)
	kept, alsoErr := s.Tasks.Results(ctx, s.t.ID)
	if err := cmp.Or(err, alsoErr); err != nil {
		return &queue.Later{After: 2 * time.Second, Reason: "the database did not answer: " + err.Error()}
	}
	s.before = 0
	own := int64(0)
	for _, a := range attempts {
		switch {
		case a.Number == number:
			own = a.ID
		case a.Number < number && (a.State == task.AttemptSucceeded || s.cameToNothing(a)):
			s.before += a.Images
		}
	}
	taken := func(from int) bool {
		return slices.ContainsFunc(kept, func(r task.Result) bool {
			return r.AttemptID != own && r.Position >= from && r.Position < from+images
		})
	}
	if taken(s.before) {
		for s.before = 0; taken(s.before); {
			s.before++
		}
	}
	return nil
}

// cameToNothing reports whether a is one of several calls that was refused its pictures,
// or could not have them collected, since the last retry by hand.
func (s *step) cameToNothing(a task.Attempt) bool {
	return a.Images > 0 && (a.State == task.AttemptFailed && !a.Unbilled || a.State == task.AttemptAnswered) && s.refusedNow(a)
}

// owed returns the first of several calls that is paid for and could not be collected
// since the last retry by hand; nil if there is none. A task is not completed over it:
// nobody could have it collected then.
func (s *step) owed(ctx context.Context) (*task.Attempt, error) {
	if !s.severalCalls() {
		return nil, nil
	}
	attempts, err := s.Tasks.Attempts(ctx, s.t.ID)
	i := slices.IndexFunc(attempts, func(a task.Attempt) bool { return a.State == task.AttemptAnswered && s.cameToNothing(a) })
	if err != nil || i < 0 {
		return nil, err
	}
	return &attempts[i], nil
}

// endOwing ends a task of which nothing is left to draw as its call a did. What the others
// have brought stays, and a retry by hand collects the rest.
func (s *step) endOwing(ctx context.Context, a *task.Attempt) error {
	why, _, _ := strings.Cut(a.ErrorMsg, retryCollects)
	many := max(s.t.ImageCount, 1)
	f := &task.Failure{Kind: a.ErrorKind, Executed: task.Executed, Code: a.ErrorCode, Next: retryCollects,
		Message: fmt.Sprintf("call %d for %d of %d pictures: %s", a.Number, cmp.Or(a.Images, many), many, strings.TrimRight(why, ". "))}
	return s.end(ctx, task.Decision{Status: task.Failed, FailedTries: s.t.FailedTries + 1, Waits: s.t.Waits, Failure: f}, nil)
}

// finish completes a task of which nothing is left to draw with what its calls have
// brought, also while the task was taken away; if that is nothing, it fails as the
// last of them did, and if one is still to be collected, as that one did.
func (s *step) finish(ctx context.Context) error {
	owed, err := s.owed(ctx)
	if err != nil {
		return s.unsaved(ctx, err)
	}
	if owed != nil {
		return s.endOwing(ctx, owed)
	}
	o, err := s.outcome(ctx, nil)
	if err != nil {
		return s.unsaved(ctx, err)
	}
	if o.First == nil {
		return s.fail(ctx, &task.Failure{Kind: s.last.ErrorKind, Executed: task.Executed, Code: s.last.ErrorCode, Message: s.last.ErrorMsg}, nil)
	}
	s.log.Info().Str("status", string(task.Completed)).Msg("completed with pictures that are kept already")
	err = s.persist(ctx, func(ctx context.Context) error { return s.Tasks.Save(ctx, s.t, nil, o) })
	return s.unsavedOrNil(ctx, err)
}

// outcome is what the task ends with: the pictures that the last call has brought, the
// first of all that are kept, and what is missing.
func (s *step) outcome(ctx context.Context, results []task.Result) (store.Outcome, error) {
	o := store.Outcome{Results: results}
	if s.settled == 0 || len(results) >= max(s.t.ImageCount, 1) { // others came too late for it
		o.Warning = s.last.ErrorMsg
		return o, nil
	}
	kept, err := s.Tasks.Results(ctx, s.t.ID)
	if err != nil {
		return o, err
	}
	all := append(kept, results...)
	stored := func(r task.Result) bool { return r.StorageKey != "" } // others were let go because of their age
	if i := slices.IndexFunc(all, stored); i >= 0 {
		first := all[i]
		at := s.Pictures.Locate(first.StorageKey)
		first.LocalPath, first.ObjectURL = at.LocalPath, at.ObjectURL
		o.First = &first
	}
	o.Warning, err = s.missing(ctx)
	return o, err
}

// refusedNow reports whether the call was refused its pictures since the last retry by
// hand, whenever it was made.
func (s *step) refusedNow(a task.Attempt) bool {
	return a.FinishedAt != nil && (s.t.RetriedAt == nil || !a.FinishedAt.Before(*s.t.RetriedAt))
}

// missing says which pictures the calls before the last, and the last, have not
// brought.
func (s *step) missing(ctx context.Context) (string, error) {
	attempts, err := s.Tasks.Attempts(ctx, s.t.ID)
	if err != nil {
		return "", err
	}
	var said []string
	for _, a := range attempts {
		switch {
		case a.State == task.AttemptFailed && s.cameToNothing(a):
			a.ErrorMsg = fmt.Sprintf("call %d for %d of %d pictures brought none: %s", a.Number, a.Images, s.t.ImageCount, strings.TrimRight(a.ErrorMsg, ". "))
		case a.ID == s.last.ID && (s.last.State == task.AttemptAnswered || s.last.State == task.AttemptSucceeded):
			a = *s.last
		case a.State != task.AttemptSucceeded:
			continue
		}
		if a.ErrorMsg != "" {
			said = append(said, a.ErrorMsg)
		}
	}
	return strings.Join(said, "; "), nil
}
