package check

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// good is a run in which everything that may happen did, and every promise was kept.
func good(t testing.TB) *Evidence {
	t.Helper()
	e, err := Read(os.DirFS("testdata/good"))
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func (e *Evidence) taskRow(id int64) *Row {
	return find(e.Tables.Tasks, func(r *Row) bool { return r.ID == id })
}
func (e *Evidence) try(key string) *Attempt {
	return find(e.Tables.Attempts, func(a *Attempt) bool { return a.Key == key })
}
func (e *Evidence) picture(task int64) *Result {
	return find(e.Tables.Results, func(r *Result) bool { return r.TaskID == task })
}
func (e *Evidence) op(task int64, name, client string) *Op {
	return find(e.History, func(o *Op) bool { return o.Task == task && o.Op == name && o.Client == client })
}
func (e *Evidence) submit(tag string) *Entry {
	return find(e.Ledger, func(l *Entry) bool { return l.Tag == tag && l.Event == "submit" })
}
func (e *Evidence) charge(l Entry, at When) {
	l.At, l.Billed = at, true
	e.Ledger = append(e.Ledger, l)
}
func (e *Evidence) again(l Entry) { e.charge(l, When{l.At.Add(time.Second)}) }

func find[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	panic("the good evidence has changed")
}

func drop[T any](all *[]T, is func(*T) bool) {
	n := len(*all)
	*all = slices.DeleteFunc(*all, func(x T) bool { return is(&x) })
	if len(*all) == n {
		panic("the good evidence has changed")
	}
}

func isTag(tag string) func(*Told) bool { return func(t *Told) bool { return t.Tag == tag } }
func isTask(id int64) func(*Op) bool    { return func(o *Op) bool { return o.Task == id } }

// buyAgain journals another call for task 1 and charges it.
func (e *Evidence) buyAgain() Attempt {
	a := *e.try("k1")
	a.ID, a.Number, a.Key = 100, 2, "k1b"
	a.SentAt, a.CostMicros, a.AnsweredAt = When{a.SentAt.Add(10 * time.Second)}, nil, When{}
	e.Tables.Attempts = append(e.Tables.Attempts, a)
	e.charge(*e.submit("t-000001"), When{a.SentAt.Add(time.Second)})
	return a
}

// drawInParts makes task 10 one for two pictures, each from a call of its own.
func (e *Evidence) drawInParts() *Attempt {
	const sha = "abababababababababababababababababababababababababababababababab"
	row, a, p, l := e.taskRow(10), *e.try("k10"), *e.picture(10), *e.submit("t-000010")
	row.ImageCount = 2
	if a.CostMicros != nil {
		row.CostMicros = new(2 * *a.CostMicros)
	}
	a.ID, a.Number, a.Key = 100, 2, "k10b"
	e.Tables.Attempts = append(e.Tables.Attempts, a)
	if l.Key != "" {
		l.Key = a.Key
	}
	l.Job, l.Pictures = "", []string{sha}
	e.charge(l, l.At)
	p.ID, p.AttemptID, p.SHA256, p.StorageKey, p.URL = 100, a.ID, sha, "10/2-0.png", "http://easel/files/10/2-0.png"
	e.Tables.Results = append(e.Tables.Results, p)
	e.Pictures[p.StorageKey] = Picture{sha, p.FileSize}
	return e.try("k10b")
}

type spoiled struct {
	claim string
	want  string // the invariants that are violated, no others
	says  string // in the violation
	spoil func(*Evidence)
}

func (s spoiled) run(t *testing.T) {
	e := good(t)
	s.spoil(e)
	report := e.Judge()
	var got []string
	said := false
	for _, v := range report.Judgements {
		if v.State == Violated {
			got = append(got, v.ID)
		}
		for _, one := range v.Violations {
			said = said || strings.Contains(one.Text, s.says)
		}
	}
	if diff := cmp.Diff(s.want, strings.Join(got, " ")); diff != "" {
		t.Errorf("violated (-want +got):\n%s%v", diff, texts(report))
	}
	if !said || report.OK {
		t.Errorf("ok %v, and no violation says %q: %q", report.OK, s.says, texts(report))
	}
}

func texts(r Report) []string {
	var all []string
	for _, v := range r.Judgements {
		for _, one := range v.Violations {
			all = append(all, v.ID+": "+one.Text)
		}
	}
	return all
}

func TestJudge(t *testing.T) {
	t.Run("A run that kept every promise is clean", func(t *testing.T) {
		e := good(t)
		e.Limits.MustBite = true
		report := e.Judge()
		for _, v := range report.Judgements {
			want := Holds
			if v.ID == "I12" || v.ID == "I13" {
				want = Unmeasured
			}
			if v.State != want {
				t.Errorf("%s is %s, want %s: %v", v.ID, v.State, want, v.Violations)
			}
		}
		if !report.OK || len(report.Stories) != 0 {
			t.Errorf("ok is %v with %d stories", report.OK, len(report.Stories))
		}
		want := Counts{Tasks: 12, Statuses: map[string]int{pending: 1, completed: 7, failed: 3, cancelled: 1}, Acknowledged: 11, LostAcks: 2,
			Attempts: 15, Results: 10, Billed: 13, BilledAgain: 3, Duplicates: 1, Unknown: 1, Late: 2, Resumed: 1, ZombiesRefused: 2,
			Faults: 3, Ambiguous: 2, Operations: 45}
		if diff := cmp.Diff(want, report.Counts); diff != "" {
			t.Error(diff)
		}
	})
	for _, s := range slices.Concat(lost, effects, money, fences, ends, budgets, drifts, bounds, truths, bites, helds) {
		t.Run(s.claim, s.run)
	}
}
