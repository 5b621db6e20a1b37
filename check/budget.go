package check

import "cmp"

// judgeBudgets is I6.
func judgeBudgets(b *books, f *finding) {
	for _, d := range b.all {
		if d.row == nil {
			continue
		}
		r := d.row
		if tries := cmp.Or(r.MaxAttempts, 5); r.Attempt > tries {
			f.against(d, "has spent %d attempts of %d", r.Attempt, tries)
		} else if spent, known := b.spendable(d); known && r.Attempt > spent {
			f.against(d, "has spent %d attempts on %d failures that may cost one; a crash or a wait was counted", r.Attempt, spent)
		}
		if n, most := d.unbilled(), b.Limits.ServerErrors+1; n > most*d.wanted()*(1+d.retries()) {
			f.against(d, "was called %d times after the service had failed it by its own fault; %d times in a row are allowed", n, most-1)
		}
		if r.Status != failed {
			continue
		}
		switch {
		case r.ErrorKind == "crashed" && r.Crashes < b.Limits.MaxCrashes:
			f.against(d, "failed for %d crashes; %d are allowed", r.Crashes, b.Limits.MaxCrashes)
		case waited(r.ErrorKind) && r.Waits <= b.Limits.MaxWaits:
			f.against(d, "failed as %s after %d waits; %d are allowed", r.ErrorKind, r.Waits, b.Limits.MaxWaits)
		}
	}
}

// unbilled counts the calls that the service failed by its own fault.
func (d *dossier) unbilled() (n int) {
	for _, a := range d.attempts {
		if a.State == failed && bool(a.Unbilled) {
			n++
		}
	}
	return n
}

// retries counts the times that a person has brought the task back, or may have.
func (d *dossier) retries() (n int) {
	for _, t := range d.told {
		if t.Event == "retry" || t.Event == "retry_lost" {
			n++
		}
	}
	return n
}

// waited reports whether a failure of that kind makes a task wait and costs no attempt.
func waited(kind string) bool { return kind == "rate_limited" || kind == "storage" }

// spendable counts the failures since the last retry by hand that may cost an
// attempt. The history says it exactly, if it names their kinds.
func (b *books) spendable(d *dossier) (n int, known bool) {
	silent := len(d.ops) == 0 // about what the fails were
	for _, o := range d.ops {
		happened := o.OK && !o.Unknown
		switch {
		case happened && o.Op == "retry":
			n = 0
		case !happened && !o.Unknown || o.Op != "fail":
		case o.Kind == "":
			silent = true
		case !waited(o.Kind):
			n++
		}
	}
	if !silent {
		return n, true
	}
	return b.spendableByJournal(d)
}

// spendableByJournal is spendable without a history. A row that failed
// without a call may have cost one more than the attempts show. Where something
// hid an outcome it cannot tell, since asking after that may fail as well.
func (b *books) spendableByJournal(d *dossier) (n int, known bool) {
	for _, a := range d.attempts {
		if b.excused(d, a) {
			return 0, false
		}
		if (a.State == rejected || a.State == failed || a.State == unknown) && a.ErrorKind != "" && !waited(a.ErrorKind) {
			n++
		}
	}
	if d.row.Status == failed {
		n++
	}
	return n, true
}
