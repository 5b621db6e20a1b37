package check

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The counters that the books themselves show.
const (
	zombieRefused = "zombie_refused"
	resumed       = "resumed"
	unknowns      = "unknown"
)

// judgeBite is P6. A call may be called unknown only if something hid its
// outcome, also if its answer came after that: otherwise a live worker was robbed, or an error was taken for a
// crash. And if MustBite is set, what Run.Expect names must have happened; the
// three that the books show, if it names none.
func judgeBite(b *books, f *finding) {
	for _, d := range b.all {
		for _, a := range d.attempts {
			if a.State == unknown && !b.excused(d, a) {
				f.against(d, "attempt %d is unknown, and from %s to %s nothing happened that hides an outcome",
					a.Number, stamp(a.SentAt), stamp(a.FinishedAt))
			}
		}
		b.judgeAnnounced(d, f)
	}
	counts := b.counts()
	shown := map[string]int{zombieRefused: counts.ZombiesRefused, resumed: counts.Resumed, unknowns: counts.Unknown}
	f.note = fmt.Sprintf("zombie writes refused %d, resumed %d, unknown %d", shown[zombieRefused], shown[resumed], shown[unknowns])
	if !b.Limits.MustBite {
		return
	}
	names := slices.Sorted(maps.Keys(b.Run.Expect))
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(shown))
	}
	for _, name := range names {
		if max(shown[name], b.Run.Expect[name]) == 0 {
			f.add("%s is 0; this run proves nothing about it", name)
		}
	}
}

// judgeAnnounced looks at the moments at which a task failed over an unknown
// outcome, which a late answer may have decided since.
func (b *books) judgeAnnounced(d *dossier, f *finding) {
	for _, o := range d.ops {
		if o.Op != "fail" || !o.OK || o.Unknown || o.Kind != outcomeUnknown {
			continue
		}
		then := time.Unix(0, o.Return)
		explained := slices.ContainsFunc(d.attempts, func(a *Attempt) bool {
			return !a.SentAt.After(then.Add(b.Limits.Slack)) && b.excusedBy(d, a, then)
		})
		if !explained {
			f.against(d, "was called of unknown outcome by %s at %s, and nothing had happened that hides an outcome", o.Client, stamp(When{then}))
		}
	}
}

// counts measures the books.
func (b *books) counts() Counts {
	c := Counts{Tasks: len(b.Tables.Tasks), Statuses: map[string]int{}, Attempts: len(b.Tables.Attempts), Results: len(b.Tables.Results),
		Faults: len(b.Faults), Ambiguous: len(b.ambiguous), Operations: len(b.History)}
	for i := range b.Clients {
		switch b.Clients[i].Event {
		case "acked":
			c.Acknowledged++
		case "lost":
			c.LostAcks++
		}
	}
	for _, d := range b.all {
		d.count(&c)
	}
	return c
}

func (d *dossier) count(c *Counts) {
	if d == d.owners[0] {
		billed := 0
		for _, e := range d.entries {
			if e.Billed {
				billed++
			}
			if e.Event == "duplicate" {
				c.Duplicates++
			}
		}
		c.Billed += billed
		c.BilledAgain += max(billed-1, 0)
	}
	if d.row == nil {
		return
	}
	c.Statuses[d.row.Status]++
	for _, a := range d.attempts {
		switch {
		case a.State == unknown:
			c.Unknown++
		case final(d.row.Status) && (a.State == sending || a.State == accepted || a.State == answered):
			c.OpenAttempts++
		case a == d.answer && a.Handle != "" && a.Fence < d.row.Fence:
			c.Resumed++
		case a != d.answer && d.left(a):
			c.Late++
		}
	}
	for _, o := range d.ops {
		if !o.OK && !o.Unknown && o.Op != "claim" && o.Fence != 0 && o.Fence < d.row.Fence {
			c.ZombiesRefused++
		}
	}
}
