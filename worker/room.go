package worker

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// room is the permission to make one call on an account.
type room struct {
	account provider.Account
	slot    *limit.Slot
	narrow  bool // some account may not use the model, and the others have no room
}

func (r room) release(ctx context.Context) {
	if r.slot != nil {
		r.slot.Release(ctx)
	}
}

// findRoom waits for room if the task's next step may be to buy. One that goes on with what
// was bought needs none: a closed account or a spent rate must not keep paid
// pictures waiting until they have expired. Without room it returns the verdict.
//
// What can be seen beforehand to come to nothing asks for none: a delivery of a row that an
// app has locked comes each second and would use up the rate of all others.
func (s *step) findRoom(ctx context.Context) (r room, verdict queue.Verdict, ok bool) {
	if s.w.holds(s.delivery.Task) {
		return room{}, s.w.holdsAlready(s.delivery.Task), false
	}
	switch next, err := s.w.Tasks.Next(ctx, s.delivery.Ref); {
	case err != nil:
		return room{}, noAnswer(err), false
	case next.Locked:
		return room{}, lockedRow(store.LockedWait), false
	case next.Buys():
		return s.waitForRoom(ctx, next)
	}
	return room{}, none, true
}

// takeRoom makes sure of room before a call, for a step that began without it. It returns
// how the step ends instead: there is none now, or another provider is next.
func (s *step) takeRoom(ctx context.Context) ending {
	if s.room.slot == nil && len(s.svc.Accounts) > 0 {
		r, wait, err := s.w.tryAccounts(ctx, s.svc, s.t.Model)
		if err != nil {
			return released{2 * time.Second, "limits cannot be read: " + err.Error()}
		}
		if wait > 0 {
			if e := s.passClosed(ctx); e != nil {
				return e
			}
			return released{wait, "no account of " + s.svc.Name + " has room for a call"}
		}
		s.room = r
	}
	s.account = s.room.account
	return nil
}

// waitForRoom waits until some account of the service has room for a call. Waiting
// happens before the claim, so the row stays pending and no try is spent.
// Tasks of a model that some account may not use have a line of their own while the other
// accounts are full: they would keep those waiting for which that account has room.
func (s *step) waitForRoom(ctx context.Context, next store.Next) (room, queue.Verdict, bool) {
	if len(s.svc.Accounts) == 0 {
		return room{}, none, true // the check of the task says what is missing
	}
	l := line{provider: s.svc.Name, fallsBack: next.FallsBack}
	r, verdict, ok := s.standIn(ctx, l, next)
	if r.narrow {
		l.model = cmp.Or(next.Model, s.svc.DefaultModel)
		r, verdict, ok = s.standIn(ctx, l, next)
	}
	return r, verdict, ok
}

// standIn is waitForRoom within one line; room that is narrow says that the task belongs in
// that of its model. Only one step of a line asks at a time; the others stand behind it by
// their priority, so that thousands of them cost Redis no more than one. Those that may fall
// back stand apart: they do not wait for an account that is closed, and are let through
// without a slot then; see passClosed.
func (s *step) standIn(ctx context.Context, l line, next store.Next) (room, queue.Verdict, bool) {
	w, p := s.w, s.delivery.Priority
	known, _ := w.gates.LoadOrStore(l, new(gate))
	g := known.(*gate)
	if err := g.enter(ctx, w.Draining, p); err != nil {
		return room{}, retry(0, err.Error()), false
	}
	ours := true
	defer func() {
		if ours {
			g.leave()
		}
	}()
	for !w.draining() {
		if !w.alive() {
			return room{}, w.unseen(), false
		}
		r, wait, err := w.tryAccounts(ctx, s.svc, next.Model)
		switch {
		case err != nil:
			return room{}, retry(2*time.Second, "limits cannot be read: "+err.Error()), false
		case wait == 0, next.FallsBack && w.closed(ctx, s.svc) != "":
			return room{account: r.account, slot: r.slot}, none, true
		case r.narrow && l.model == "":
			return r, none, true
		}
		if err := w.pause(ctx, wait, nil); err != nil {
			break
		}
		if err := g.yield(ctx, w.Draining, p); err != nil {
			ours = false
			return room{}, retry(0, err.Error()), false
		}
	}
	return room{}, retry(0, errDraining.Error()), false
}

// closed returns why no account of the service takes calls until a person acts; empty if
// one does, or will by itself.
func (w *Worker) closed(ctx context.Context, svc *provider.Service) string {
	why := ""
	for _, a := range svc.Accounts {
		s, err := w.Limiter.Status(ctx, accountKey(svc, a))
		if err != nil || s.ClosedUntil.IsZero() || s.Eases {
			return ""
		}
		why = cmp.Or(why, s.Why.Reason)
	}
	return why
}

// passClosed lets a task whose account is closed go to its next provider, as if its own call
// had been refused like the one that closed it; nil if it does not.
func (s *step) passClosed(ctx context.Context) ending {
	why := s.w.closed(ctx, s.svc)
	if why == "" {
		return nil
	}
	f := &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted, Message: "no call was made, since the account is closed: " + why}
	to, rest, ok := s.nextProvider(ctx, task.Decision{Status: task.Failed, Failure: f})
	if !ok {
		return nil
	}
	return switched{to, rest, f, false}
}

// tryAccounts tries the accounts from a random one on, and returns the shortest wait if
// none has room. Those that may not use the model are passed over, so that its tasks take
// nothing of their rate; if none may, an account without a slot is returned, and
// modelClosed says why.
func (w *Worker) tryAccounts(ctx context.Context, svc *provider.Service, model string) (room, time.Duration, error) {
	var shortest time.Duration
	first, passed := rand.IntN(len(svc.Accounts)), 0
	for i := range svc.Accounts {
		account := svc.Accounts[(first+i)%len(svc.Accounts)]
		if _, why := w.modelRefused(ctx, svc, account, model); why.Reason != "" {
			passed++
			continue
		}
		slot, wait, err := w.Limiter.Acquire(ctx, accountKey(svc, account), account.Limits)
		if err != nil {
			return room{}, 0, err
		}
		if slot != nil {
			return room{account: account, slot: slot}, 0, nil
		}
		if shortest == 0 || wait < shortest {
			shortest = wait
		}
	}
	if passed == len(svc.Accounts) {
		return room{account: svc.Accounts[first]}, 0, nil
	}
	return room{narrow: passed > 0}, shortest, nil
}

func accountKey(svc *provider.Service, a provider.Account) string { return svc.Name + "/" + a.Name }

// tellLimiter passes on what a call says about its account; f is nil if it went
// well. It comes after the journal. Errors do not matter: the limiter only saves calls.
func (s *step) tellLimiter(ctx context.Context, f *task.Failure) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	key := accountKey(s.svc, s.account)
	if f == nil {
		_ = s.w.Limiter.Succeeded(ctx, key)
		return
	}
	if f.OfModel { // see closeModel: the account is fine
		_ = s.w.Limiter.Succeeded(ctx, key)
		return
	}
	switch f.Kind {
	case task.RateLimited:
		pause := min(cmp.Or(f.RetryAfter, time.Second), s.svc.Retry.WithDefaults().MaxAfter)
		_ = s.w.Limiter.Pause(ctx, key, pause, limit.WhyOf(f))
	case task.Auth, task.Billing: // a person has to act, and every further call would be refused
		_ = s.w.Limiter.Close(ctx, key, 30*time.Second, limit.WhyOf(f))
	case task.Unavailable, task.ProviderError, task.Timeout, task.BadAnswer:
		_ = s.w.Limiter.Failed(ctx, key, limit.WhyOf(f))
	default:
		_ = s.w.Limiter.Succeeded(ctx, key) // it answered, and that is what the breaker asks
	}
}
