package waiting

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// redisLimit bounds what is asked of Redis: a page must not hang because it is away.
const redisLimit = 1500 * time.Millisecond

type rows interface {
	Now(ctx context.Context) (time.Time, error)
	WorkersSeen(ctx context.Context) ([]store.Worker, error)
	LastCalls(ctx context.Context, ids []int64) (map[int64]store.LastCall, error)
	Backlog(ctx context.Context) ([]store.Backlog, error)
}

type queues interface {
	Infos(ctx context.Context, providers []string) (map[string]queue.Info, error)
}

type limits interface {
	Status(ctx context.Context, account string) (limit.Status, error)
	Spent(ctx context.Context, account string, perMinute int) (time.Duration, error)
}

// Looker sees what tasks wait for. Queues and Limits are nil where they cannot be
// asked, as from another process than the one that holds the Redis.
type Looker struct {
	Tasks    rows
	Queues   queues
	Limits   limits
	Services provider.Services
}

// Look sees what tasks of these providers may wait for; of all that are configured
// if none is named. It asks the database twice and Redis once for the queues and once
// for each account. A Redis that is away is part of what it sees, and no error.
func (l *Looker) Look(ctx context.Context, providers ...string) (*World, error) {
	now, err := l.Tasks.Now(ctx)
	if err != nil {
		return nil, err
	}
	workers, err := l.Tasks.WorkersSeen(ctx)
	if err != nil {
		return nil, err
	}
	w := &World{At: now, Blind: l.Queues == nil, Queues: map[string]Queue{}, Accounts: map[string][]Account{}}
	for _, one := range workers {
		seen := Worker{ID: one.ID, Host: one.Host, PID: one.PID, StartedAt: one.StartedAt, SeenAt: one.SeenAt,
			Providers: strings.FieldsFunc(one.Providers, func(r rune) bool { return r == ',' })}
		if one.LeaseUntil.Before(now) {
			w.Gone = append(w.Gone, seen)
			continue
		}
		w.Workers = append(w.Workers, seen)
	}
	if l.Queues == nil {
		return w, nil
	}
	if len(providers) == 0 {
		providers = l.Services.Names()
	}
	asking, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	if err := l.redis(asking, w, providers); err != nil {
		w.Redis = strings.TrimPrefix(err.Error(), "queue: redis does not answer: ")
		if errors.Is(err, context.DeadlineExceeded) {
			w.Redis = "it has not answered within " + redisLimit.String()
		}
	}
	return w, ctx.Err()
}

// Operations is Look for those who run easel: it also counts what is due.
func (l *Looker) Operations(ctx context.Context) (*World, error) {
	w, err := l.Look(ctx)
	if err != nil {
		return nil, err
	}
	backlog, err := l.Tasks.Backlog(ctx)
	for _, b := range backlog {
		w.Oldest = append(w.Oldest, Backlog{Provider: b.Provider, Tasks: b.Tasks, Since: b.Since})
	}
	return w, err
}

func (l *Looker) redis(ctx context.Context, w *World, providers []string) error {
	found, err := l.Queues.Infos(ctx, providers)
	if err != nil {
		return err
	}
	for name, s := range found {
		w.Queues[name] = Queue{Paused: s.PausedSince, Waiting: s.Waiting, Active: s.Active}
	}
	for _, name := range providers {
		svc, known := l.Services[name]
		if !known {
			continue
		}
		for _, a := range svc.Accounts {
			account, err := l.account(ctx, name+"/"+a.Name, a.Limits, w.At)
			if err != nil {
				return err
			}
			w.Accounts[name] = append(w.Accounts[name], account)
		}
	}
	return nil
}

func (l *Looker) account(ctx context.Context, name string, limits provider.Limits, at time.Time) (Account, error) {
	s, err := l.Limits.Status(ctx, name)
	if err != nil {
		return Account{}, err
	}
	a := Account{Name: name, Until: s.ClosedUntil, Why: s.Why.Reason, Advice: s.Why.Advice, About: s.Why.About, Eases: s.Eases, InFlight: s.InFlight, Places: limits.InFlight, PerMinute: limits.PerMinute}
	spent, err := l.Limits.Spent(ctx, name, limits.PerMinute)
	if spent > 0 {
		a.Spent = at.Add(spent)
	}
	return a, err
}

// Reasons says of each of the tasks what it waits for, by their ids; those that wait
// for nothing are left out. What it costs does not grow with their number.
func (l *Looker) Reasons(ctx context.Context, tasks []task.Task) (map[int64]*Reason, error) {
	ids, providers := open(tasks)
	if len(ids) == 0 {
		return nil, nil
	}
	w, err := l.Look(ctx, providers...)
	if err != nil {
		return nil, err
	}
	return l.ReasonsIn(ctx, w, tasks)
}

// ReasonsIn is Reasons in a world that has been seen already.
func (l *Looker) ReasonsIn(ctx context.Context, w *World, tasks []task.Task) (map[int64]*Reason, error) {
	ids, _ := open(tasks)
	calls, err := l.Tasks.LastCalls(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make(map[int64]*Reason)
	for i := range tasks {
		var last *Call
		if c, ok := calls[tasks[i].ID]; ok {
			last = &Call{State: c.State, SentAt: c.SentAt}
		}
		if r := w.Why(&tasks[i], last); r != nil {
			all[tasks[i].ID] = r
		}
	}
	return all, nil
}

// open returns the tasks that may wait, and their providers.
func open(tasks []task.Task) (ids []int64, providers []string) {
	for i := range tasks {
		t := &tasks[i]
		if t.Status.Final() && t.ErrorKind != task.OutcomeUnknown {
			continue
		}
		ids = append(ids, t.ID)
		if !slices.Contains(providers, t.Provider) {
			providers = append(providers, t.Provider)
		}
	}
	return ids, providers
}
