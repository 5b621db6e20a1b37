package check

import (
	"fmt"
	"slices"
)

// finding collects what contradicts one invariant.
type finding struct {
	violations []Violation
	note       string
	unmeasured bool
}

// against notes a fact about a task.
func (f *finding) against(d *dossier, format string, args ...any) {
	f.violations = append(f.violations, Violation{d.id, d.tag, fmt.Sprintf(format, args...)})
}

// add notes a fact about no single task.
func (f *finding) add(format string, args ...any) {
	f.violations = append(f.violations, Violation{Text: fmt.Sprintf(format, args...)})
}

// skip says why the evidence cannot tell.
func (f *finding) skip(note string) { f.note, f.unmeasured = note, true }

func (f *finding) state() State {
	switch {
	case len(f.violations) > 0:
		return Violated
	case f.unmeasured:
		return Unmeasured
	}
	return Holds
}

// invariants in the order in which they are reported.
var invariants = []struct {
	id, claim string
	judge     func(*books, *finding)
}{
	{"I1", "no acknowledged task is lost, none exists twice, all end", judgeLost},
	{"I2", "one answer per task, of its own attempt, stored as it was drawn for it", judgeEffect},
	{"I3", "nothing is bought twice unless authorised, nothing unless journalled first", judgeMoney},
	{"I4", "fences grow and no write with an older one is accepted", judgeFences},
	{"I5", "final stays final unless a person retries", judgeFinal},
	{"I6", "errors, crashes and waits are counted apart and within their budgets", judgeBudgets},
	{"I7", "the queue holds the deliveries of unfinished rows and no others", judgeDrift},
	{"I8", "nothing leaks", judgeLeaks},
	{"I9", "stored texts are bounded", judgeBounds},
	{"I10", "no secret is in any sink or table", judgeCanaries},
	{"I11", "rows tell the truth: reasons, mirrored columns, cost", judgeTruth},
	{"I12", "webhooks are delivered", func(_ *books, f *finding) { f.skip("there is no book of webhooks") }},
	{"I13", "recovery in the stated time", func(_ *books, f *finding) { f.skip("there is no book of recovery times") }},
	{"P6", "every unknown outcome has a cause, and the run bites", judgeBite},
}

// Judge compares the books and says which invariants hold.
func (e Evidence) Judge() Report {
	e.Limits = e.Limits.withDefaults(e.Run)
	e.Ledger = slices.Clone(e.Ledger) // lines are completed
	b := newBooks(&e)
	report := Report{OK: true, Counts: b.counts()}
	for _, inv := range invariants {
		var f finding
		inv.judge(b, &f)
		report.Judgements = append(report.Judgements, Judgement{ID: inv.id, Claim: inv.claim, State: f.state(), Note: f.note, Violations: f.violations})
		report.OK = report.OK && f.state() != Violated
	}
	report.Stories, report.Untold = b.stories(report.Judgements)
	return report
}
