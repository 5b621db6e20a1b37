package check

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// innocent are things that look wrong and are not.
var innocent = []spoiled{
	{claim: "A task of several calls is charged for each of them", spoil: func(e *Evidence) { e.drawInParts() }},
	{claim: "A lost acknowledgement of a retry explains a row that moved", spoil: func(e *Evidence) {
		find(e.Clients, func(t *Told) bool { return t.Event == "retry" && t.Task == 5 }).Event = "retry_lost"
	}},
	{claim: "A read that began before another ended may be behind it", spoil: func(e *Evidence) {
		at := e.Run.Began.Add(3500 * time.Millisecond)
		e.Clients = append(e.Clients, Told{At: When{at}, Began: When{at.Add(-time.Second)}, Event: "seen", Task: 1, Tag: "t-000001", Detail: processing})
	}},
	{claim: "A write may be accepted while the next claim is on its way", spoil: func(e *Evidence) {
		o := *e.op(2, "claim", "w2")
		o.Op, o.Call, o.Return = "release", e.op(2, "reclaim", "r1").Call-5, e.op(2, "claim", "w1").Return+5
		e.History = append(e.History, o)
	}},
	{claim: "A claim whose answer was lost may have happened", spoil: func(e *Evidence) {
		o := *e.op(1, "claim", "w1")
		o.OK, o.Unknown, o.Fence = false, true, 0
		e.History = append(e.History, o)
	}},
	{claim: "A cancel whose answer was lost may not have happened", spoil: func(e *Evidence) {
		o := *e.op(1, "claim", "w1")
		o.Op, o.OK, o.Unknown, o.Fence = "cancel", false, true, 0
		e.History = append(e.History, o)
	}},
	{claim: "A retry whose answer was lost explains a claim of a final row", spoil: func(e *Evidence) {
		o := e.op(13, "retry", "dashboard")
		o.OK, o.Unknown, o.Fence = false, true, 0
	}},
	{claim: "A fail that does not say how it ended explains both", spoil: func(e *Evidence) {
		for i := range e.History {
			if e.History[i].Op == "fail" {
				e.History[i].Status, e.History[i].Kind = "", ""
			}
		}
	}},
	{claim: "A run without a history is judged by the tables", spoil: func(e *Evidence) { e.History = nil }},
	{claim: "A fault whose target is no one's name may meet everybody", spoil: func(e *Evidence) {
		find(e.Faults, func(f *Fault) bool { return f.Kind == "kill" }).Target = "postgres"
	}},
	{claim: "A fault excuses the attempt that it names", spoil: func(e *Evidence) {
		find(e.Faults, func(f *Fault) bool { return f.Kind == "kill" }).Target = "k4"
	}},
	{claim: "A fault of the worker that made a call excuses it, whoever has collected it since", spoil: func(e *Evidence) {
		a := e.try("k4")
		a.State, a.ErrorKind, a.ErrorMsg, a.Worker = succeeded, "", "", "w1"
	}},
	{claim: "A cut answer in the provider's book explains an unknown outcome", spoil: func(e *Evidence) {
		e.Faults, e.submit("t-000004").Cut = e.Faults[1:], true
		e.submit("t-000007").Cut = true
	}},
	{claim: "The policy retry pays for a call that is announced as unknown", spoil: func(e *Evidence) {
		drop(&e.Tables.Results, func(r *Result) bool { return r.TaskID == 7 && r.AttemptID == e.try("k7a").ID })
		a := e.try("k7a")
		a.State, a.ErrorKind, a.ErrorMsg = unknown, outcomeUnknown, "the worker was lost"
	}},
	{claim: "The policy retry pays for a call that turned up late and was never answered", spoil: func(e *Evidence) {
		drop(&e.Tables.Results, func(r *Result) bool { return r.TaskID == 7 && r.AttemptID == e.try("k7a").ID })
		a := e.try("k7a")
		a.State, a.AnsweredAt, a.FinishedAt, a.CostMicros = accepted, When{}, When{}, nil
	}},
	{claim: "An answer that came late stands beside an unknown task", spoil: func(e *Evidence) {
		a := e.try("k4")
		a.State, a.ErrorKind, a.ErrorMsg = succeeded, "", ""
	}},
	{claim: "A charge may be as much before its attempt as clocks differ", spoil: func(e *Evidence) {
		e.try("k10").SentAt = When{e.submit("t-000010").At.Add(4 * time.Millisecond)}
	}},
	{claim: "Clocks differ by as much as the run says", spoil: func(e *Evidence) {
		e.Run.ClocksApart = 62_000
		e.try("k10").SentAt = When{e.submit("t-000010").At.Add(time.Minute)}
	}},
	{claim: "A line of the ledger that names only its job belongs to its task", spoil: func(e *Evidence) {
		e.Ledger = append(e.Ledger, Entry{At: e.Run.Settled, Event: "poll", Provider: "atelier", Class: "async", Job: "job-2"})
	}},
	{claim: "A charge that only its key names belongs to its task", spoil: func(e *Evidence) { e.submit("t-000010").Tag = "" }},
	{claim: "A person who cancels takes a call from whoever waits for it", spoil: func(e *Evidence) {
		drop(&e.Faults, func(f *Fault) bool { return f.Kind == "kill" })
		e.submit("t-000007").Cut = true
		at := When{e.try("k4").SentAt.Add(time.Second)}
		e.Clients = append(e.Clients, Told{At: at, Began: at, Event: "cancel", Task: 4, Tag: "t-000004"})
		at = When{at.Add(time.Second)}
		e.Clients = append(e.Clients, Told{At: at, Began: at, Event: "retry", Task: 4, Tag: "t-000004"})
	}},
	{claim: "A task whose max_attempts is 0 has five", spoil: func(e *Evidence) { e.taskRow(4).MaxAttempts = 0 }},
	{claim: "A task may spend its last attempt", spoil: func(e *Evidence) { e.taskRow(4).MaxAttempts = 1 }},
	{claim: "A retry that was refused gives no budget back", spoil: func(e *Evidence) {
		o := *e.op(9, "fail", "w1")
		o.Op, o.OK, o.Call, o.Return = "retry", false, e.Run.Settled.UnixNano(), e.Run.Settled.UnixNano()
		e.History = append(e.History, o)
	}},
	{claim: "A text may be as long as its bound", spoil: func(e *Evidence) { e.taskRow(4).ErrorMsg = strings.Repeat("x", 4096) }},
	{claim: "Another program's archive is its own affair", spoil: func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"mail", "junk", "archived"}) }},
	{claim: "A run that counts nothing leaks nothing that is known", spoil: func(e *Evidence) { e.Run.Resources = nil }},
}

func TestInnocent(t *testing.T) {
	for _, s := range slices.Concat(innocent, innocentToo) {
		t.Run(s.claim, func(t *testing.T) {
			e := good(t)
			s.spoil(e)
			if report := e.Judge(); !report.OK {
				t.Errorf("%q", texts(report))
			}
		})
	}
}

func TestUnmeasured(t *testing.T) {
	t.Run("What was not measured does not hold", func(t *testing.T) {
		e := good(t)
		e.Run.Resources, e.Run.Canaries = nil, nil
		for _, v := range e.Judge().Judgements {
			if (v.ID == "I8" || v.ID == "I10") && (v.State != Unmeasured || v.Note == "") {
				t.Errorf("%s is %s (%s)", v.ID, v.State, v.Note)
			}
		}
	})
	t.Run("A judgement without a history says so, and only that one", func(t *testing.T) {
		with, without := good(t), good(t)
		without.History = nil
		for i, v := range without.Judge().Judgements {
			if about := v.ID == "I4" || v.ID == "I5"; about != strings.Contains(v.Note, "no history") || about && with.Judge().Judgements[i].Note != "" {
				t.Errorf("%s says %q", v.ID, v.Note)
			}
		}
	})
	t.Run("A write that failed with the right fence is no zombie's", func(t *testing.T) {
		e := good(t)
		o := *e.op(1, "save", "w1")
		o.OK = false
		e.History = append(e.History, o)
		if n := e.Judge().Counts.ZombiesRefused; n != 2 {
			t.Errorf("%d zombies", n)
		}
	})
}
