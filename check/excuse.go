package check

import (
	"slices"
	"time"
)

// reach is whom an ambiguous fault could meet.
type reach struct {
	*Fault
	everybody bool // its target is no name that the books know
}

// excused reports whether something happened while the attempt was out that may
// hide its outcome: an ambiguous fault that could meet it, an answer that the
// provider's own book calls cut, or a person who cancelled the task and so took
// it from whoever waited for the answer.
func (b *books) excused(d *dossier, a *Attempt) bool {
	if a.FinishedAt.IsZero() {
		return b.excusedBy(d, a, b.Run.Settled.Time)
	}
	return b.excusedBy(d, a, a.FinishedAt.Time)
}

// excusedBy is excused for what happened until then.
func (b *books) excusedBy(d *dossier, a *Attempt, then time.Time) bool {
	from, to := a.SentAt.Add(-b.Limits.Slack), then.Add(b.Limits.Slack)
	for _, e := range d.entries {
		if e.Cut && (e.Key == "" || e.Key == a.Key) && between(e.At.Time, from, to) {
			return true
		}
	}
	if d.cancelledBetween(from, to) {
		return true
	}
	return slices.ContainsFunc(b.ambiguous, func(f reach) bool {
		end := f.At.Time
		if !f.Until.IsZero() {
			end = f.Until.Time
		}
		return !f.At.After(to) && !end.Before(from) && f.meets(d, a)
	})
}

// meets reports whether the fault could hit the attempt, by its target.
func (f reach) meets(d *dossier, a *Attempt) bool {
	if f.everybody {
		return true
	}
	switch f.Target {
	case a.Worker, a.Provider, a.Key, d.tag:
		return true
	}
	// The row names who collects the call, which need not be who made it.
	if slices.ContainsFunc(d.ops, func(o *Op) bool {
		return (o.Op == "claim" || o.Op == "begin") && o.Fence == a.Fence && o.Client == f.Target
	}) {
		return true
	}
	return slices.ContainsFunc(d.entries, func(e *Entry) bool { return e.Job == f.Target && (e.Key == "" || e.Key == a.Key) })
}

func (d *dossier) cancelledBetween(from, to time.Time) bool {
	for _, t := range d.told {
		if t.Event == "cancel" && between(t.At.Time, from, to) {
			return true
		}
	}
	return slices.ContainsFunc(d.ops, func(o *Op) bool { return o.Op == "cancel" && between(time.Unix(0, o.Call), from, to) })
}

func between(t, from, to time.Time) bool { return !t.Before(from) && !t.After(to) }
