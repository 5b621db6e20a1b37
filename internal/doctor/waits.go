package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// longWait is how old a due task may be before doctor warns.
const longWait = 5 * time.Minute

// shortWait is how old one may be while no worker is running: one that starts needs a moment.
const shortWait = time.Minute

// checkWaits says what tasks wait for now: paused queues, closed accounts, providers
// that no worker serves, and for how long.
func checkWaits(ctx context.Context, cfg config.Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if _, missing := app.MissingFile(cfg); missing {
		return nil
	}
	s, err := store.Open(ctx, string(cfg.DatabaseURL))
	if err != nil {
		return nil // the check of the database says so
	}
	defer s.Close()
	if s.ReadyNow(ctx) != nil {
		return nil // the check of the tables says so
	}
	all := neighbourFindings(ctx, cfg, s)
	w := app.NewWatcher(cfg, s, func(format string, args ...any) {
		all = append(all, Finding{Check: "waiting", Result: Warn, Detail: fmt.Sprintf(format, args...)})
	})
	defer w.Close()
	world, err := w.World(ctx)
	if err != nil {
		return append(all, Finding{Check: "waiting", Result: Warn, Detail: "what tasks wait for cannot be seen: " + err.Error()})
	}
	return slices.Concat(all, waitFindings(cfg, world), retryFindings(ctx, s))
}

// neighbourFindings fails if another database uses the same Redis.
func neighbourFindings(ctx context.Context, cfg config.Config, s *store.Store) []Finding {
	if cfg.RedisURL == "" {
		return nil
	}
	client, err := queue.Redis(string(cfg.RedisURL))
	if err != nil {
		return nil // the check of Redis says so
	}
	defer client.Close()
	var other *app.OtherDatabase
	if err := app.Neighbours(ctx, cfg, s, &queue.Queue{Redis: client}); !errors.As(err, &other) {
		return nil // nor is it said here what does not answer
	}
	return []Finding{{Check: "redis", Result: Fail, Detail: other.What(), Do: strings.ToUpper(other.Do()[:1]) + other.Do()[1:]}}
}

func waitFindings(cfg config.Config, w *waiting.World) []Finding {
	all := serviceFindings(w)
	for _, name := range slices.Sorted(maps.Keys(w.Queues)) {
		if q := w.Queues[name]; !q.Paused.IsZero() {
			f := Finding{Check: "queue " + name, Result: Warn, Do: "Resume it: `easel queues resume " + name + "`, or in asynqmon, at /queues",
				Detail: "paused since " + human.Minute(q.Paused) + ", with nothing in it"}
			if q.Waiting > 0 {
				f.Result, f.Detail = Fail, fmt.Sprintf("paused since %s, with %d waiting in it", human.Minute(q.Paused), q.Waiting)
			}
			all = append(all, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Accounts)) {
		for _, a := range w.Accounts[name] {
			if a.Closed() {
				all = append(all, closedFinding(cfg, a))
			}
		}
	}
	return append(all, backlogFindings(w)...)
}

// closedFinding is about an account that takes no calls. It fails where a person has
// to act before it takes any.
func closedFinding(cfg config.Config, a waiting.Account) Finding {
	f := Finding{Check: "account " + a.Name, Result: Warn, Do: "Wait, or look at the provider's status page: it is tried again by itself",
		Detail: fmt.Sprintf("takes no calls until %s: %s", human.Clock(a.Until), a.Why)}
	if a.Eases {
		return f
	}
	f.Result, f.Do = Fail, cmp.Or(human.English.Advice(a.Advice, a.About), "Mend what it names")+"; the account is tried again by itself"
	for _, p := range cfg.Providers {
		for _, one := range p.Accounts {
			if p.Name+"/"+one.Name == a.Name && one.KeyVariable != "" {
				f.Do += ". A new key goes into " + one.KeyVariable + "; start the workers again after that"
			}
		}
	}
	return f
}

// retryFindings says how many tasks wait for another try, after what.
func retryFindings(ctx context.Context, s *store.Store) (all []Finding) {
	tally, err := s.Tally(ctx, store.Filter{Statuses: []task.Status{task.Pending}, Ours: true})
	if err != nil {
		return []Finding{{Check: "retries", Result: Warn, Detail: "what waits for another try cannot be seen: " + err.Error(), Do: "See what the check of the database says"}}
	}
	for _, t := range tally {
		if t.ErrorKind == "" {
			continue
		}
		newest, err := s.List(ctx, store.Filter{Statuses: []task.Status{task.Pending}, Kinds: []task.Kind{t.ErrorKind}, Provider: t.Provider, Limit: 1})
		if err != nil || len(newest) == 0 {
			continue // they have gone on meanwhile
		}
		all = append(all, Finding{Check: "retries", Result: Warn, Do: fmt.Sprintf("`easel list --status pending --kind %s` names them", t.ErrorKind),
			Detail: fmt.Sprintf("%d at %s wait for another try after %s, such as task %d: %s", t.Tasks, t.Provider, t.ErrorKind, newest[0].ID, newest[0].ErrorMsg)})
	}
	return all
}

// serviceFindings names what the live workers serve.
func serviceFindings(w *waiting.World) (all []Finding) {
	for _, one := range w.Workers {
		all = append(all, Finding{Check: "worker", Result: OK, Detail: fmt.Sprintf("%s (pid %d) serves %s", one.Host, one.PID, strings.Join(one.Providers, ", "))})
	}
	return all
}

// lastSeen adds when the last such worker was seen, if that is known.
func lastSeen(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "; the last one was seen at " + human.Minute(at)
}

func backlogFindings(w *waiting.World) (all []Finding) {
	for _, b := range w.Oldest {
		f := Finding{Check: "waiting", Result: OK, Detail: fmt.Sprintf("%d due at %s, the oldest for %s", b.Tasks, b.Provider, human.English.Span(w.At.Sub(b.Since)))}
		served := slices.ContainsFunc(w.Workers, func(one waiting.Worker) bool { return slices.Contains(one.Providers, b.Provider) })
		switch {
		case len(w.Workers) == 0 && w.At.Sub(b.Since) > shortWait:
			f.Result, f.Detail, f.Do = Fail, f.Detail+"; no worker is running"+lastSeen(w.Seen("")), "Start `easel up` or `easel worker`"
		case len(w.Workers) == 0: // which is a Finding of its own
		case !served:
			f.Result, f.Detail = Fail, f.Detail+"; no worker that runs serves it"+lastSeen(w.Seen(b.Provider))
			f.Do = "Start a worker that has " + b.Provider + " in its configuration, or correct the tasks' provider"
		case w.At.Sub(b.Since) > longWait:
			f.Result, f.Do = Warn, "`easel show ID` says what a task waits for"
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return []Finding{{Check: "waiting", Result: OK, Detail: "nothing that is due waits"}}
	}
	return all
}
