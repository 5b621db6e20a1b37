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

// admission is the permission to make one call on an account.
type admission struct {
	account provider.Account
	grant   *limit.Slot
	narrow  bool // some account may not use the model, and the others have no room
}

func (a admission) release(ctx context.Context) {
	if a.grant != nil {
		a.grant.Release(ctx)
	}
}

// permit admits a task whose next step may be to buy. One that goes on with what
// was bought needs none: a closed account or a spent rate must not keep paid
// pictures waiting until they have expired.
//
// What can be seen beforehand to come to nothing asks for none: a delivery of a row that an
// app has locked comes each second and would use up the rate of all others.
func (w *Worker) permit(ctx context.Context, svc *provider.Service, delivery queue.Delivery) (admission, error) {
	if w.holds(delivery.Task) {
		return admission{}, w.holdsAlready()
	}
	switch next, err := w.Tasks.Next(ctx, delivery.Ref); {
	case err != nil:
		return admission{}, &queue.Later{After: 2 * time.Second, Reason: "the database did not answer: " + err.Error()}
	case next.Locked:
		return admission{}, lockedRow(store.LockedWait)
	case next.Buys():
		return w.admit(ctx, svc, next, delivery.Priority)
	}
	return admission{}, nil
}

// holdsAlready, unseen and lockedRow are the verdicts on deliveries that cannot be worked on now.
func (w *Worker) holdsAlready() error {
	return &queue.Later{After: w.lease(), Reason: "this worker holds the task already"}
}

func (w *Worker) unseen() error {
	return &queue.Later{After: w.lease() / 10, Reason: "this worker's heartbeat does not reach the database"}
}

func lockedRow(wait time.Duration) error {
	return &queue.Later{After: wait, Reason: "a transaction in the database has the task's row locked"}
}

// permitted makes sure of a permit before a call, for a step that began without
// one. It reports whether the step has ended instead, with that verdict: there is no room
// now, or the task has fallen back.
func (s *step) permitted(ctx context.Context) (ended bool, verdict error) {
	if s.permit.grant == nil && len(s.svc.Accounts) > 0 {
		a, wait, err := s.tryAccounts(ctx, s.svc, s.t.Model)
		if err != nil {
			return true, s.handBack(ctx, 2*time.Second, "limits cannot be read: "+err.Error())
		}
		if wait > 0 {
			if verdict, passed := s.passClosed(ctx); passed {
				return true, verdict
			}
			return true, s.handBack(ctx, wait, "no account of "+s.svc.Name+" has room for a call")
		}
		*s.permit = a
	}
	s.account = s.permit.account
	return false, nil
}

// admit waits until some account of the service has room for a call. Waiting
// happens before the claim, so the row stays pending and no attempt is spent.
// Tasks of a model that some account may not use have a line of their own while the other
// accounts are full: they would keep those waiting for which that account has room.
func (w *Worker) admit(ctx context.Context, svc *provider.Service, next store.Next, p task.Priority) (admission, error) {
	if len(svc.Accounts) == 0 {
		return admission{}, nil // the check of the task says what is missing
	}
	a, narrow, err := w.stand(ctx, svc, next, p, line{provider: svc.Name, fallsBack: next.FallsBack})
	if narrow {
		a, _, err = w.stand(ctx, svc, next, p, line{svc.Name, next.FallsBack, cmp.Or(next.Model, svc.DefaultModel)})
	}
	return a, err
}

// stand is admit within one line, of which narrow says that the task belongs in that of its
// model. Only one step of a line asks at a time; the others stand behind it by their
// priority, so that thousands of them cost Redis no more than one. Those that may fall back
// stand apart: they do not wait for an account that is closed, and are let through
// without a permit then; see passClosed.
func (w *Worker) stand(ctx context.Context, svc *provider.Service, next store.Next, p task.Priority, l line) (_ admission, narrow bool, verdict error) {
	known, _ := w.gates.LoadOrStore(l, new(gate))
	g := known.(*gate)
	if err := g.enter(ctx, w.Draining, p); err != nil {
		return admission{}, false, &queue.Later{Reason: err.Error()}
	}
	ours := true
	defer func() {
		if ours {
			g.leave()
		}
	}()
	for !w.draining() {
		if !w.alive() {
			return admission{}, false, w.unseen()
		}
		a, wait, err := w.tryAccounts(ctx, svc, next.Model)
		switch {
		case err != nil:
			return admission{}, false, &queue.Later{After: 2 * time.Second, Reason: "limits cannot be read: " + err.Error()}
		case wait == 0, next.FallsBack && w.closed(ctx, svc) != "":
			return a, false, nil
		case a.narrow && l.model == "":
			return admission{}, true, nil
		}
		if err := w.pause(ctx, wait, nil); err != nil {
			break
		}
		if err := g.yield(ctx, w.Draining, p); err != nil {
			ours = false
			return admission{}, false, &queue.Later{Reason: err.Error()}
		}
	}
	return admission{}, false, &queue.Later{Reason: errDraining.Error()}
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
		why = cmp.Or(why, s.Reason)
	}
	return why
}

// passClosed lets a task whose account is closed fall back, as if its own call had been
// refused like the one that closed it. It reports whether the task could.
func (s *step) passClosed(ctx context.Context) (verdict error, passed bool) {
	why := s.closed(ctx, s.svc)
	if why == "" {
		return nil, false
	}
	f := &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted, Message: "no call was made, since the account is closed: " + why}
	to, rest, ok := s.fallback(ctx, task.Decision{Status: task.Failed, Failure: f})
	if !ok {
		return nil, false
	}
	return s.fallBack(ctx, to, rest, f, nil), true
}

// tryAccounts tries the accounts from a random one on, and returns the shortest wait if
// none has room. Those that may not use the model are passed over, so that its tasks take
// nothing of their rate; if none may, an account without a grant is returned, and
// modelOpen says why.
func (w *Worker) tryAccounts(ctx context.Context, svc *provider.Service, model string) (admission, time.Duration, error) {
	var shortest time.Duration
	first, passed := rand.IntN(len(svc.Accounts)), 0
	for i := range svc.Accounts {
		account := svc.Accounts[(first+i)%len(svc.Accounts)]
		if _, why := w.modelRefused(ctx, svc, account, model); why != "" {
			passed++
			continue
		}
		grant, wait, err := w.Limiter.Acquire(ctx, accountKey(svc, account), account.Limits)
		if err != nil {
			return admission{}, 0, err
		}
		if grant != nil {
			return admission{account: account, grant: grant}, 0, nil
		}
		if shortest == 0 || wait < shortest {
			shortest = wait
		}
	}
	if passed == len(svc.Accounts) {
		return admission{account: svc.Accounts[first]}, 0, nil
	}
	return admission{narrow: passed > 0}, shortest, nil
}

func accountKey(svc *provider.Service, a provider.Account) string { return svc.Name + "/" + a.Name }

// tellLimiter passes on what a call says about its account; f is nil if it went
// well. It comes after the journal. Errors do not matter: the limiter only saves calls.
func (s *step) tellLimiter(ctx context.Context, f *task.Failure) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	key := accountKey(s.svc, s.account)
	if f == nil {
		_ = s.Limiter.Succeeded(ctx, key)
		return
	}
	if f.OfModel { // see closeModel: the account is fine
		_ = s.Limiter.Succeeded(ctx, key)
		return
	}
	switch f.Kind {
	case task.RateLimited:
		pause := min(cmp.Or(f.RetryAfter, time.Second), s.svc.Retry.WithDefaults().MaxAfter)
		_ = s.Limiter.Pause(ctx, key, pause, f.Error())
	case task.Auth, task.Billing: // a person has to act, and every further call would be refused
		_ = s.Limiter.Close(ctx, key, 30*time.Second, f.Error())
	case task.Unavailable, task.ProviderError, task.Timeout, task.BadAnswer:
		_ = s.Limiter.Failed(ctx, key, f.Error())
	default:
		_ = s.Limiter.Succeeded(ctx, key) // it answered, and that is what the breaker asks
	}
}
