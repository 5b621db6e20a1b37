package check

import (
	"slices"
	"time"
)

// judgeMoney is I3, for each tag: how often it was charged, whether each charge
// was journalled before the call, and whether the journal admits all of them.
func judgeMoney(b *books, f *finding) {
	if p := b.byTag[""]; p != nil {
		for _, e := range p.entries {
			if e.Billed {
				f.add("%s charged at %s for key %q and job %q, and no attempt and no tag belongs to it", e.Provider, stamp(e.At), e.Key, e.Job)
			}
		}
	}
	for _, d := range b.all {
		if d != d.owners[0] {
			continue
		}
		bill := b.bill(d.purse)
		if len(bill.charges) == 0 {
			continue
		}
		bill.judgeBound(f)
		bill.judgeJournalled(f)
		bill.judgeSettled(f)
	}
}

// bill is what one tag was charged, and what answers for it.
type bill struct {
	*books
	first    *dossier
	charges  []*Entry
	attempts []*Attempt // in the order in which they were sent
	told     []*Told
}

func (b *books) bill(p *purse) *bill {
	bill := &bill{books: b, first: p.owners[0]}
	for _, e := range p.entries {
		if e.Billed {
			bill.charges = append(bill.charges, e)
		}
	}
	for _, d := range p.owners {
		bill.attempts = append(bill.attempts, d.attempts...)
		bill.told = append(bill.told, d.told...)
	}
	slices.SortStableFunc(bill.charges, func(x, y *Entry) int { return x.At.Compare(y.At.Time) })
	slices.SortStableFunc(bill.attempts, func(x, y *Attempt) int { return x.SentAt.Compare(y.SentAt.Time) })
	return bill
}

// judgeBound compares the charges with what the task needs, one for a task of one
// call, and what was authorised beyond that.
func (b *bill) judgeBound(f *finding) {
	byPerson, byPolicy := b.authorised()
	first := b.charges[0]
	if n, needs := len(b.charges), b.calls(); n > needs+byPerson+byPolicy {
		f.against(b.first, "charged %d times by %s (class %s), and needs %d; authorised beyond that: %d by a person, %d by policy",
			n, first.Provider, first.Class, needs, byPerson, byPolicy)
	}
}

// calls is how many calls draw the task: as many as it takes at the largest number
// of pictures that one of its calls has brought.
func (b *bill) calls() int {
	wanted, each := 1, 1
	for _, d := range b.first.owners {
		wanted = max(wanted, d.wanted())
	}
	for _, e := range b.charges {
		each = max(each, len(e.Pictures))
	}
	return (wanted + each - 1) / each
}

// authorised counts purchases beyond the needed ones that somebody allowed. A person
// does so with not_charged and buy_again, and with any retry after calls that are known to have
// come to nothing, for as many of them as the task has. The policy retry does so for calls known to have come to
// nothing, and for announced unknown ones; the latter not where the provider
// could have told, as in classes idempotent and lookup.
func (b *bill) authorised() (byPerson, byPolicy int) {
	retries, nothing, unknowns := 0, 0, 0
	for _, t := range b.told {
		switch {
		case t.Event != "retry" && t.Event != "retry_lost":
		case t.Detail == notCharged, t.Detail == buyAgain:
			byPerson += b.calls()
		default:
			retries += b.calls()
		}
	}
	for _, a := range b.attempts {
		switch d := b.byTask[a.TaskID]; {
		case a.State == failed:
			nothing++
		case a.State == unknown:
			unknowns++
		case (a.State == accepted || a.State == answered || a.State == succeeded) && (a != d.answer || len(d.results) > d.wanted()) && b.excused(d, a):
			unknowns++ // it was unknown once, and was heard of again too late
		}
	}
	class := b.charges[0].Class
	switch {
	case b.Run.Policy[b.charges[0].Provider] != "retry":
		return byPerson + min(retries, nothing), 0
	case class == "idempotent" || class == "lookup":
		return byPerson, nothing
	}
	return byPerson, nothing + unknowns
}

// judgeJournalled looks for the attempt of each charge: the one with its key,
// or any that no key has taken, if the provider does not tell the key.
func (b *bill) judgeJournalled(f *finding) {
	taken := make(map[*Attempt]bool)
	for _, e := range b.charges {
		if e.Key == "" {
			continue
		}
		a := b.byKey[e.Key]
		switch {
		case a == nil:
			f.against(b.first, "charged at %s for key %s, and no attempt has that key", stamp(e.At), e.Key)
			continue
		case !slices.Contains(b.attempts, a):
			f.against(b.first, "charged at %s for key %s, which is an attempt of task %d", stamp(e.At), e.Key, a.TaskID)
		case !b.before(a, e):
			f.against(b.first, "charged at %s, and attempt %d was journalled only at %s", stamp(e.At), a.Number, stamp(a.SentAt))
		}
		taken[a] = true
	}
	free := slices.DeleteFunc(slices.Clone(b.attempts), func(a *Attempt) bool { return taken[a] })
	n := 0
	for _, e := range b.charges {
		if e.Key != "" {
			continue
		}
		if n >= len(free) || !b.before(free[n], e) {
			f.against(b.first, "charged at %s without a key, and only %d attempts were journalled by then for the %d charges so far",
				stamp(e.At), n, n+1)
		}
		n++
	}
}

func (b *bill) before(a *Attempt, e *Entry) bool {
	return !a.SentAt.After(e.At.Add(b.Limits.Clock))
}

func saidFree(a *Attempt) string {
	if bool(a.Unbilled) {
		return "unbilled"
	}
	return a.State
}

// judgeSettled compares the charges with the calls that the journal admits: all
// but the rejected and the unbilled ones. What a person called not charged is on the person.
func (b *bill) judgeSettled(f *finding) {
	var word time.Time // the last time that a person said not charged
	for _, t := range b.told {
		if t.Detail == notCharged {
			word = t.At.Add(b.Limits.Clock)
		}
	}
	denied := func(a *Attempt) bool {
		return a.State == rejected && !a.SentAt.Before(word) || a.State == failed && bool(a.Unbilled)
	}
	admitted := 0
	for _, a := range b.attempts {
		if !denied(a) {
			admitted++
		}
	}
	if n := len(b.charges); n <= len(b.attempts) && n > admitted {
		f.against(b.first, "charged %d times, and the journal admits %d calls", n, admitted)
		return
	}
	for _, e := range b.charges {
		if a := b.byKey[e.Key]; a != nil && denied(a) {
			f.against(b.first, "attempt %d is %s, and %s charged it at %s", a.Number, saidFree(a), e.Provider, stamp(e.At))
		}
	}
}
