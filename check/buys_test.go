package check

import (
	"strings"
	"time"
)

var lost = []spoiled{
	{"A missing task is lost", "I1", "acked at 2026-03-01T10:00:00.000000000Z and not in the table", func(e *Evidence) {
		e.Clients = append(e.Clients, Told{At: e.Run.Began, Event: "acked", Task: 99, Tag: "t-000099"})
	}},
	{"A task that hangs is lost", "I1", "is processing after everything settled", func(e *Evidence) {
		r := e.taskRow(8)
		r.Status, r.StartedAt = processing, r.CreatedAt
	}},
	{"A due task that still waits is lost", "I1", "is pending after everything settled", func(e *Evidence) { e.taskRow(8).RunAt = e.Run.Began }},
	{"An insert that became two rows is found", "I1", "is 2 rows: [1 98]", func(e *Evidence) {
		r := *e.taskRow(12)
		r.ID, r.Prompt, r.ErrorKind = 98, e.taskRow(1).Prompt, "invalid"
		e.Tables.Tasks = append(e.Tables.Tasks, r)
		e.Clients = append(e.Clients, Told{At: e.Run.Began, Event: "acked", Task: 98, Tag: "t-000001"})
	}},
	{"A row that nobody inserted is found", "I1", "no client inserted it", func(e *Evidence) { drop(&e.Clients, isTag("t-000012")) }},
	{"A row that lost its tag is found", "I1", `carries ""`, func(e *Evidence) { e.taskRow(8).Prompt = "a fox" }},
	{"A task that a client saw and that is gone is lost", "I1", "seen at", func(e *Evidence) {
		e.Clients = append(e.Clients, Told{At: e.Run.Began, Event: "seen", Task: 99, Tag: "t-000099", Detail: pending})
	}},
	{"A task that was worked on and is gone is lost", "I1", "was worked on", func(e *Evidence) {
		e.History = append(e.History, Op{Task: 99, Op: "claim", Fence: 1, OK: true})
	}},
	{"A row with another task's prompt is found", "I1", `carries "t-000011"`, func(e *Evidence) {
		e.taskRow(8).Prompt = "a fox, t-000011"
	}},
}

var effects = []spoiled{
	{"A wrong hash is found", "I2", "holds ffff", func(e *Evidence) {
		r := e.picture(1)
		e.Pictures[r.StorageKey] = Picture{strings.Repeat("f", 64), r.FileSize}
	}},
	{"A wrong size is found", "I2", "bytes, and", func(e *Evidence) { e.picture(2).FileSize++ }},
	{"A picture that is nowhere is found", "I2", "has no storage_key", func(e *Evidence) { e.picture(3).StorageKey = "" }},
	{"A picture that is not stored is found", "I2", "is not in storage", func(e *Evidence) { delete(e.Pictures, e.picture(3).StorageKey) }},
	{"The bytes of another task are found, stored as they are", "I2", `no provider drew for tag "t-000001"`, func(e *Evidence) {
		r, other := e.picture(1), e.picture(2)
		r.SHA256 = other.SHA256
		e.Pictures[r.StorageKey] = Picture{other.SHA256, r.FileSize}
	}},
	{"The bytes of another attempt are found where the provider tells the key", "I2", "did not draw for attempt 2", func(e *Evidence) {
		r, before := e.picture(13), e.submit("t-000013").Pictures[0]
		r.SHA256 = before
		e.Pictures[r.StorageKey] = Picture{before, r.FileSize}
	}},
	{"A result of another task's attempt is found", "I2", "which is not one of this task", func(e *Evidence) { e.Tables.Results[1].AttemptID = e.try("k2").ID }},
	{"A completed task without a picture is found", "I2", "completed without a picture", func(e *Evidence) {
		drop(&e.Tables.Results, func(r *Result) bool { return r.TaskID == 10 })
	}},
	{"A completed task whose attempt has not ended is found", "I2", "which is answered", func(e *Evidence) { e.try("k1").State = answered }},
	{"A completed task that owes the pictures of one of its calls is found", "I2", "attempt 2 was paid for and could not be collected", func(e *Evidence) {
		a := e.drawInParts()
		a.State, a.Images, a.FinishedAt = answered, 1, a.AnsweredAt
		drop(&e.Tables.Results, func(r *Result) bool { return r.AttemptID == a.ID })
		e.taskRow(10).ErrorMsg = "call 2 brought none"
	}},
	{"A second answer that nothing made late is found", "I2", "those of attempt 1 or 2 late", func(e *Evidence) {
		a := *e.try("k1")
		a.ID, a.Number, a.Key, a.CostMicros = 100, 2, "k1b", nil
		e.Tables.Attempts = append(e.Tables.Attempts, a)
		second := *e.picture(1)
		second.ID, second.AttemptID, second.URL = 100, 100, "http://easel/files/other.png"
		e.Tables.Results = append(e.Tables.Results, second)
	}},
	{"More pictures than a task of several calls wants are found", "I2 I3", "has 2 pictures, wants 1", func(e *Evidence) {
		e.drawInParts()
		e.taskRow(10).ImageCount = 1
	}},
	{"A picture of a cancelled task is held to the same", "I2", "holds ffff", func(e *Evidence) {
		e.Pictures[e.picture(6).StorageKey] = Picture{strings.Repeat("f", 64), e.picture(6).FileSize}
	}},
}

var money = []spoiled{
	{"Double billing is found", "I3", "charged 2 times by cinema (class sync), and needs 1; authorised beyond that: 0 by a person, 0 by policy", func(e *Evidence) { e.buyAgain() }},
	{"Double billing of a task of several calls is found", "I3", "charged 3 times by", func(e *Evidence) {
		a := *e.drawInParts()
		a.ID, a.Number, a.Key, a.CostMicros = 101, 3, "k10c", nil
		e.Tables.Attempts = append(e.Tables.Attempts, a)
		l := *e.submit("t-000010")
		if l.Key != "" {
			l.Key = a.Key
		}
		e.charge(l, l.At)
	}},
	{"Double billing under a second key is found in class idempotent", "I3", "class idempotent", func(e *Evidence) {
		a := *e.try("k3")
		a.ID, a.Number, a.Key, a.CostMicros = 100, 2, "k3b", nil
		e.Tables.Attempts = append(e.Tables.Attempts, a)
		l := *e.submit("t-000003")
		l.Key = "k3b"
		e.again(l)
	}},
	{"Buying again after an unknown call without a word is found", "I3", "charged 2 times", func(e *Evidence) {
		find(e.Clients, func(t *Told) bool { return t.Event == "retry" && t.Task == 5 }).Detail = ""
		e.try("k5a").State = unknown
	}},
	{"Not charged authorises one purchase and not two", "I3", "charged 3 times", func(e *Evidence) {
		a := *e.try("k5b")
		a.ID, a.Number, a.Key, a.CostMicros = 100, 3, "k5c", nil
		e.Tables.Attempts = append(e.Tables.Attempts, a)
		e.again(*find(e.Ledger, func(l *Entry) bool { return l.Tag == "t-000005" && !l.Cut }))
	}},
	{"A plain retry does not authorise what is not known to have failed", "I3", "charged 2 times", func(e *Evidence) { e.try("k13a").State = answered }},
	{"The policy retry does not authorise what was never unknown", "I2 I3 P6", "charged 2 times by shed", func(e *Evidence) { e.Faults = e.Faults[:0]; e.try("k4").State = failed }},
	{"The policy retry does not excuse a provider that could have told", "I3", "class lookup", func(e *Evidence) {
		for i := range e.Ledger {
			if e.Ledger[i].Provider == "shed" {
				e.Ledger[i].Class = "lookup"
			}
		}
	}},
	{"A charge for a call that is said to be unbilled is found", "I2 I3 I11", "the journal admits 0 calls", func(e *Evidence) {
		a := e.try("k1")
		a.State, a.Unbilled = failed, true
	}},
	{"A charge without an attempt is found by its key", "I3", "no attempt has that key", func(e *Evidence) { e.submit("t-000003").Key = "stranger" }},
	{"A charge without an attempt is found by the count", "I3", "only 0 attempts", func(e *Evidence) {
		l := *e.submit("t-000001")
		l.Tag, l.Pictures = "t-000012", nil
		e.again(l)
	}},
	{"A charge for a task that does not exist is found", "I3", "only 0 attempts", func(e *Evidence) {
		l := *e.submit("t-000001")
		l.Tag, l.Pictures = "t-000011", nil
		e.again(l)
	}},
	{"A charge for a tag of which no client knows is found", "I3", "only 0 attempts", func(e *Evidence) {
		l := *e.submit("t-000001")
		l.Tag, l.Pictures = "t-000099", nil
		e.again(l)
	}},
	{"A charge for nobody is found", "I3", `for key "stray" and job "", and no attempt and no tag`, func(e *Evidence) {
		e.again(Entry{At: e.Run.Began, Event: "submit", Provider: "cinema", Class: "sync", Key: "stray"})
	}},
	{"A charge under another task's key is found", "I2 I3", "which is an attempt of task 1", func(e *Evidence) { e.submit("t-000003").Key = "k1" }},
	{"An attempt that was journalled after the call is found", "I3", "journalled only at", func(e *Evidence) {
		a := e.try("k10")
		a.SentAt = When{e.submit("t-000010").At.Add(6 * time.Millisecond)}
	}},
	{"An attempt that was journalled after the call is found without a key", "I3", "without a key", func(e *Evidence) {
		a := e.try("k1")
		a.SentAt = When{e.submit("t-000001").At.Add(6 * time.Millisecond)}
	}},
	{"A charge that the journal denies is found", "I3", "the journal admits 0 calls", func(e *Evidence) { e.try("k6").State = rejected }},
	{"A charge whose own attempt is denied is found by its key", "I3", "attempt 1 is rejected", func(e *Evidence) {
		e.try("k13a").State = rejected
		spare := *e.try("k13a")
		spare.ID, spare.Number, spare.Key, spare.State, spare.CostMicros = 100, 3, "k13c", failed, nil
		spare.SentAt, spare.Fence = e.try("k13b").SentAt, 3
		e.Tables.Attempts = append(e.Tables.Attempts, spare)
	}},
}
