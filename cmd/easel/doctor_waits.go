package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/waiting"
)

// longWait is how old a due task may be before doctor warns.
const longWait = 5 * time.Minute

// checkWaits says what tasks wait for now: paused queues, closed accounts, providers
// that no worker serves, and for how long.
func checkWaits(ctx context.Context, cfg config) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if _, missing := missingFile(cfg); missing {
		return nil
	}
	s, err := store.Open(ctx, string(cfg.DatabaseURL))
	if err != nil {
		return nil // the check of the database says so
	}
	defer s.Close()
	if s.Ready(ctx) != nil {
		return nil // the check of the tables says so
	}
	w := newWatcher(&output{json: true}, cfg, s)
	defer w.close()
	world, err := w.world(ctx)
	if err != nil {
		return []finding{{Check: "waiting", Result: warn, Detail: "what tasks wait for cannot be seen: " + err.Error()}}
	}
	return waitFindings(world)
}

func waitFindings(w *waiting.World) []finding {
	all := serviceFindings(w)
	for _, name := range slices.Sorted(maps.Keys(w.Queues)) {
		if q := w.Queues[name]; !q.Paused.IsZero() {
			f := finding{Check: "queue " + name, Result: warn, Do: "Resume it in asynqmon, at /queues",
				Detail: "paused since " + q.Paused.UTC().Format("2006-01-02 15:04 UTC") + ", with nothing in it"}
			if q.Waiting > 0 {
				f.Result, f.Detail = bad, fmt.Sprintf("paused since %s, with %d waiting in it", q.Paused.UTC().Format("2006-01-02 15:04 UTC"), q.Waiting)
			}
			all = append(all, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Accounts)) {
		for _, a := range w.Accounts[name] {
			if a.Until.After(w.At) {
				all = append(all, finding{Check: "account " + a.Name, Result: warn, Detail: fmt.Sprintf("takes no calls until %s: %s", a.Until.UTC().Format("15:04:05 UTC"), a.Why),
					Do: "Mend what it names; the account is tried again by itself"})
			}
		}
	}
	return append(all, backlogFindings(w)...)
}

// serviceFindings names what the live workers serve.
func serviceFindings(w *waiting.World) (all []finding) {
	for _, one := range w.Workers {
		all = append(all, finding{Check: "worker", Result: fine, Detail: fmt.Sprintf("%s (pid %d) serves %s", one.Host, one.PID, strings.Join(one.Providers, ", "))})
	}
	return all
}

func backlogFindings(w *waiting.World) (all []finding) {
	for _, b := range w.Oldest {
		f := finding{Check: "waiting", Result: fine, Detail: fmt.Sprintf("%d due at %s, the oldest for %s", b.Tasks, b.Provider, age(w.At.Sub(b.Since)))}
		served := slices.ContainsFunc(w.Workers, func(one waiting.Worker) bool { return slices.Contains(one.Providers, b.Provider) })
		switch {
		case !served && len(w.Workers) > 0: // that none runs at all is a finding of its own
			f.Result, f.Detail = bad, f.Detail+"; no worker that runs serves it"
			f.Do = "Start a worker that has " + b.Provider + " in its configuration, or correct the tasks' provider"
		case w.At.Sub(b.Since) > longWait:
			f.Result, f.Do = warn, "`easel show ID` says what a task waits for"
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return []finding{{Check: "waiting", Result: fine, Detail: "nothing that is due waits"}}
	}
	return all
}
