package waiting

import (
	"slices"
	"time"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// World is what tasks may wait for, as it was at a moment. It holds no secret.
type World struct {
	At       time.Time            `json:"at"`              // by the database's clock
	Redis    string               `json:"redis,omitempty"` // why it cannot be asked; empty if it answers
	Blind    bool                 `json:"blind,omitempty"` // queue and accounts cannot be seen from here
	Workers  []Worker             `json:"workers"`
	Gone     []Worker             `json:"gone,omitempty"` // those that stopped or fell silent within the last hour
	Queues   map[string]Queue     `json:"queues"`         // those of the providers that were asked for, by name
	Accounts map[string][]Account `json:"accounts"`       // likewise, by provider
	Oldest   []Backlog            `json:"oldest,omitempty"`
}

// Worker is a process whose heartbeat is alive.
type Worker struct {
	ID        string    `json:"id"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Providers []string  `json:"providers"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at"`
}

// Queue is one of asynq's.
type Queue struct {
	Paused  time.Time `json:"paused_since,omitzero"`
	Waiting int       `json:"waiting"`
	Active  int       `json:"active"`
}

// Account is what a provider grants, and how it stands.
type Account struct {
	Name     string      `json:"name"` // provider/account
	Until    time.Time   `json:"closed_until,omitzero"`
	Why      string      `json:"why,omitempty"` // the service's own words
	Advice   task.Advice `json:"advice,omitempty"`
	About    string      `json:"about,omitempty"` // the argument of Advice
	Eases    bool        `json:"eases,omitempty"` // the closing ends by itself
	InFlight int         `json:"in_flight,omitempty"`
	Places   int         `json:"places,omitempty"` // calls at a time; 0 is no limit

	PerMinute int       `json:"per_minute,omitempty"` // calls a minute; 0 is no limit
	Spent     time.Time `json:"spent_until,omitzero"` // they are used up until then
}

// Closed says that it took no calls when it was looked at. Redis's clock said so, not ours.
func (a Account) Closed() bool { return !a.Until.IsZero() }

// Backlog is the due tasks of a provider.
type Backlog struct {
	Provider string    `json:"provider"`
	Tasks    int       `json:"tasks"`
	Since    time.Time `json:"since"` // when the oldest became due
}

// Call is the last call of a task.
type Call struct {
	State  task.AttemptState
	SentAt time.Time
}

// paidFor reports whether the provider is known to have taken the call, and its
// pictures are not in our storage yet.
func (c *Call) paidFor() bool {
	return c != nil && (&task.Attempt{State: c.State}).Collectable()
}

// Why says what t waits for; nil if it waits for nothing. last is its last call, and
// nil if it has none or that is not known.
func (w *World) Why(t *task.Task, last *Call) *Reason {
	switch {
	case t.OwnedByApp() && !t.Status.Final():
		return &Reason{Kind: App, Who: Developer, Since: t.UpdatedAt}
	case t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown && last.paidFor():
		return &Reason{Kind: Collect, Who: Nobody, Name: t.Provider, Since: t.UpdatedAt}
	case t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown:
		return &Reason{Kind: Decision, Who: Operator, Since: t.UpdatedAt}
	case t.Status == task.Processing:
		return w.held(t, last)
	case t.Status == task.Pending && t.RunAt.After(w.At):
		return later(t)
	case t.Status == task.Pending:
		return w.queued(t, last)
	}
	return nil
}

// later is for a task whose time has not come.
func later(t *task.Task) *Reason {
	r := &Reason{Kind: Scheduled, Who: Nobody, Since: t.UpdatedAt, Until: t.RunAt}
	r.tells(t)
	switch t.ErrorKind {
	case "":
		if t.ErrorMsg != "" {
			r.Kind = Retry
		}
	case task.Storage:
		r.Kind, r.Who = Storage, Operator
	case task.Auth, task.Billing:
		r.Kind, r.Who = Retry, Operator
	default:
		r.Kind = Retry
	}
	return r
}

// tells adds what the row says of the last failure.
func (r *Reason) tells(t *task.Task) {
	r.Said = t.Reason()
	if t.Advised() {
		r.Advice, r.About = t.ErrorAdvice, t.ErrorAbout
	}
}

// held is for a task that a worker has.
func (w *World) held(t *task.Task, last *Call) *Reason {
	r := &Reason{Kind: Preparing, Who: Nobody, Name: t.Worker, Since: t.UpdatedAt}
	alive := func(worker Worker) bool { return worker.ID == t.Worker }
	switch {
	case !slices.ContainsFunc(w.Workers, alive) && (t.LeaseUntil == nil || t.LeaseUntil.Before(w.At)):
		r.Kind = LostWorker
		if len(w.Workers) == 0 {
			r.Kind, r.Who = NoWorker, Operator
		}
	case t.CancelRequestedAt != nil:
		r.Kind, r.Since = Cancelling, *t.CancelRequestedAt
	case last == nil:
	case last.State == task.AttemptSending:
		r.Kind, r.Name, r.Since = Calling, t.Provider, last.SentAt
	case last.State == task.AttemptAccepted:
		r.Kind, r.Name, r.Since = Drawing, t.Provider, last.SentAt
	case last.State == task.AttemptAnswered && t.ErrorKind == task.Storage: // it is just tried again
		r.Kind, r.Who = Storage, Operator
		r.tells(t)
	case last.State == task.AttemptAnswered:
		r.Kind = Keeping
	}
	return r
}

// queued is for a task that is due.
func (w *World) queued(t *task.Task, last *Call) *Reason {
	r := &Reason{Kind: Turn, Who: Nobody, Name: t.Provider, Since: t.RunAt}
	if r.Since.Before(t.CreatedAt) {
		r.Since = t.CreatedAt
	}
	serves := func(worker Worker) bool { return slices.Contains(worker.Providers, t.Provider) }
	name := queue.Delivery{Provider: t.Provider, Priority: t.Priority}.Queue()
	line := w.Queues[name]
	switch {
	case w.Redis != "":
		r.Kind, r.Who, r.Said, r.Name = RedisAway, Operator, w.Redis, ""
	case len(w.Workers) == 0:
		r.Kind, r.Who, r.Name, r.From = NoWorker, Operator, "", w.Seen("")
	case !slices.ContainsFunc(w.Workers, serves):
		r.Kind, r.Who, r.From = Unserved, Operator, w.Seen(t.Provider)
	case t.PublishedAt == nil:
		r.Kind, r.Name = Unpublished, ""
	case !line.Paused.IsZero():
		r.Kind, r.Who, r.Name, r.From = Paused, Operator, name, line.Paused
	case last != nil && last.State == task.AttemptAnswered && t.ErrorKind == task.Storage && w.At.Sub(t.RunAt) < brief: // it is just tried again
		r.Kind, r.Who, r.Name = Storage, Operator, ""
		r.tells(t)
	case w.Blind:
		r.Kind, r.Name = Unknown, ""
	case last.paidFor():
		r.turn(line) // it goes on with what was bought, which needs no room
	default:
		return w.room(r, t.Provider, line)
	}
	return r
}

// turn says how many are before it. None are where workers have only put it off, as
// until an account that was closed is tried again.
func (r *Reason) turn(queue Queue) {
	if r.Count = queue.Waiting; r.Count == 0 {
		r.Kind = Next
	}
}

// Seen is when a worker that is gone, and served the provider, was last seen; any
// worker if none is named.
func (w *World) Seen(provider string) (at time.Time) {
	for _, one := range w.Gone {
		if (provider == "" || slices.Contains(one.Providers, provider)) && one.SeenAt.After(at) {
			at = one.SeenAt
		}
	}
	return at
}

// brief is the longest pause of an account that nobody has to look at, and for how long
// what was just due may be tried still.
const brief = time.Minute

// room says whether an account of the provider would take a call now.
func (w *World) room(r *Reason, provider string, queue Queue) *Reason {
	var closed, full, spent *Account
	for i, a := range w.Accounts[provider] {
		switch {
		case a.Closed():
			if closed == nil || a.Until.Before(closed.Until) {
				closed = &w.Accounts[provider][i]
			}
		case a.Places > 0 && a.InFlight >= a.Places:
			full = &w.Accounts[provider][i]
		case !a.Spent.IsZero():
			spent = &w.Accounts[provider][i]
		default:
			r.turn(queue)
			return r
		}
	}
	switch {
	case spent != nil:
		r.Kind, r.Name, r.Count, r.Until = Rate, spent.Name, spent.PerMinute, spent.Spent
	case full != nil:
		r.Kind, r.Name, r.Count = Full, full.Name, full.InFlight
	case closed != nil:
		r.Kind, r.Who, r.Name, r.Until = Closed, Operator, closed.Name, closed.Until
		r.Said, r.Advice, r.About = closed.Why, closed.Advice, closed.About
		if closed.Eases && closed.Until.Sub(w.At) <= brief {
			r.Who = Nobody
		}
	default:
		r.turn(queue)
	}
	return r
}
