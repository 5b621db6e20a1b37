package check

import (
	"strings"
	"time"
)

var bounds = []spoiled{
	{"A leak of goroutines is found", "I8", "goroutines went from 40 to 46", func(e *Evidence) { e.Run.Resources["worker w1"].End["goroutines"] = 46 }},
	{"A counter that is missing at the end is found", "I8", "not counted at the end", func(e *Evidence) { delete(e.Run.Resources["worker w1"].End, "fds") }},
	{"An error_msg without a bound is found", "I9", "error_msg has 4097 bytes", func(e *Evidence) { e.taskRow(4).ErrorMsg = strings.Repeat("x", 4097) }},
	{"An error_msg of an attempt without a bound is found", "I9", "error_msg of attempt 1 has 4097", func(e *Evidence) { e.try("k4").ErrorMsg = strings.Repeat("x", 4097) }},
	{"An api_response without a bound is found", "I9", "api_response has 65537 bytes", func(e *Evidence) { e.taskRow(1).APIResponse = strings.Repeat("x", 65537) }},
}

var truths = []spoiled{
	{"A failure without a reason is found", "I11", "failed without an error_msg", func(e *Evidence) { e.taskRow(9).ErrorMsg = "" }},
	{"A failure without a kind is found", "I11", "failed without an error_kind", func(e *Evidence) { e.taskRow(9).ErrorKind = "" }},
	{"A failed attempt without a reason is found", "I11", "attempt 3 is failed without an error_msg", func(e *Evidence) { e.try("k93").ErrorMsg = "" }},
	{"An unknown outcome that the journal rules out is found", "I3 I11", "no call of its journal may have happened", func(e *Evidence) { e.try("k4").State = rejected }},
	{"A row that shows no picture of its own is found", "I11", "image_url is", func(e *Evidence) { e.taskRow(1).ImageURL = "http://easel/files/2/2-0.png" }},
	{"A row with another size is found", "I11", "is 641x480", func(e *Evidence) { e.taskRow(1).Width = 641 }},
	{"A completed row with an error is found", "I11", "is completed and has the error timeout", func(e *Evidence) { e.taskRow(1).ErrorKind = "timeout" }},
	{"A final row without an end is found", "I11", "without a completed_at", func(e *Evidence) { e.taskRow(6).CompletedAt = When{} }},
	{"A wrong cost is found", "I11", "cost_micros is 50000, and its attempts cost 80000", func(e *Evidence) { *e.taskRow(13).CostMicros = 50_000 }},
	{"The cost of an earlier one of several calls that is forgotten is found", "I11", "and its attempts cost", func(e *Evidence) {
		*e.taskRow(10).CostMicros = *e.drawInParts().CostMicros
	}},
	{"A picture that is missing without a word is found", "I11", "is completed with 1 pictures of 2, and does not say why", func(e *Evidence) { e.taskRow(10).ImageCount = 2 }},
	{"A cost that was not booked is found", "I11", "cost_micros is null", func(e *Evidence) { e.taskRow(1).CostMicros = nil }},
}

var bites = []spoiled{
	{"An unknown outcome without any fault is found", "P6", "nothing happened that hides an outcome", func(e *Evidence) {
		drop(&e.Faults, func(f *Fault) bool { return f.Kind == "kill" })
	}},
	{"A fault that was not ambiguous excuses nothing", "P6", "nothing happened", func(e *Evidence) {
		find(e.Faults, func(f *Fault) bool { return f.Kind == "kill" }).Ambiguous = false
	}},
	{"A fault at another time excuses nothing", "P6", "nothing happened", func(e *Evidence) {
		find(e.Faults, func(f *Fault) bool { return f.Kind == "kill" }).At = When{e.Run.Began.Add(time.Minute)}
	}},
	{"A fault of another worker excuses nothing", "P6", "nothing happened", func(e *Evidence) {
		find(e.Faults, func(f *Fault) bool { return f.Kind == "kill" }).Target = "w1"
	}},
	{"An answer that was cut at another time excuses nothing", "P6", "nothing happened", func(e *Evidence) {
		e.Faults = e.Faults[1:]
		l := e.submit("t-000004")
		l.Cut, l.At = true, When{l.At.Add(time.Minute)}
		e.submit("t-000007").Cut = true
	}},
	{"An unknown outcome that a late answer decided needs a cause all the same", "P6", "was called of unknown outcome by w1", func(e *Evidence) {
		drop(&e.Faults, func(f *Fault) bool { return f.Kind == "kill" })
		a := e.try("k4")
		a.State, a.ErrorKind, a.ErrorMsg = succeeded, "", ""
	}},
	{"A run that did not bite is found on request", "P6", "resumed is 0", func(e *Evidence) {
		e.Limits.MustBite = true
		e.try("k2").Handle, e.Run.Expect["resumed"] = "", 0
	}},
	{"A run that names nothing has to show all three", "P6", "zombie_refused is 0", func(e *Evidence) {
		e.Limits.MustBite, e.Run.Expect = true, nil
		drop(&e.History, func(o *Op) bool { return !o.OK && !o.Unknown })
	}},
	{"A counter of the product's own has to move", "P6", "breaker_opened is 0", func(e *Evidence) {
		e.Limits.MustBite = true
		e.Run.Expect["breaker_opened"] = 0
	}},
}
