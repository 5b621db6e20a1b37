package check

import "time"

// answersLate lets the answer of its only call come to task 4, which was held over it,
// and complete it.
func (e *Evidence) answersLate() *Op {
	const key, url = "4/4-0.png", "http://easel/files/4/4-0.png"
	at := When{e.Run.Began.Add(30 * time.Second)}
	a, r, row := e.try("k4"), *e.picture(1), e.taskRow(4)
	a.State, a.ErrorKind, a.ErrorMsg, a.AnsweredAt, a.FinishedAt, a.CostMicros = succeeded, "", "", at, at, new(int64(40_000))
	r.ID, r.TaskID, r.AttemptID, r.Position, r.SHA256, r.StorageKey, r.URL = 100, 4, a.ID, 0, e.submit("t-000004").Pictures[0], key, url
	e.Tables.Results = append(e.Tables.Results, r)
	e.Pictures[key] = Picture{r.SHA256, r.FileSize}
	row.Status, row.ErrorKind, row.ErrorMsg, row.CompletedAt, row.ImageURL, row.CostMicros = completed, "", "", at, url, new(int64(40_000))
	row.Width, row.Height = r.Width, r.Height
	drop(&e.Redis, func(d *Delivery) bool { return d.ID == "4.1" })
	e.History = append(e.History, Op{Task: 4, Op: "came_late", Client: "w2", Call: at.UnixNano() - 5, Return: at.UnixNano(), Fence: row.Fence, OK: true})
	return &e.History[len(e.History)-1]
}

// failsAgain has a second call of task 4 be refused.
func (e *Evidence) failsAgain() {
	a := *e.try("k4")
	a.ID, a.Number, a.Key, a.State, a.CostMicros, a.AnsweredAt = 100, 2, "k4b", rejected, nil, When{}
	e.Tables.Attempts = append(e.Tables.Attempts, a)
}

// buysAgain makes the person's word for task 5 one that gives up what was paid for.
func (e *Evidence) buysAgain() {
	find(e.Clients, func(t *Told) bool { return t.Event == "retry" && t.Task == 5 }).Detail = buyAgain
	a := e.try("k5a")
	a.State, a.ErrorKind, a.ErrorMsg = failed, "bad_answer", "given up"
}

// innocentToo look wrong as what innocent holds does, and are not.
var innocentToo = []spoiled{
	{claim: "The late answer of its own call completes a task that was held", spoil: func(e *Evidence) { e.answersLate() }},
	{claim: "So does that of an earlier one, also if the task has failed by the last", spoil: func(e *Evidence) {
		e.answersLate()
		e.op(4, "fail", "w1").Kind = "moderated"
		e.failsAgain()
	}},
	{claim: "So does that of the last of several calls", spoil: func(e *Evidence) {
		seen, late := When{e.Run.Began.Add(30 * time.Second)}, When{e.Run.Began.Add(40 * time.Second)}
		a := e.drawInParts()
		a.AnsweredAt, a.FinishedAt, e.taskRow(10).CompletedAt = late, late, late
		e.Clients = append(e.Clients, Told{At: seen, Event: "seen", Task: 10, Tag: "t-000010", Detail: failed})
	}},
	{claim: "A late answer whose acknowledgement was lost may have completed it", spoil: func(e *Evidence) {
		o := e.answersLate()
		o.OK, o.Unknown, o.Fence = false, true, 0
	}},
	{claim: "A fail that does not say how it ended may have held the task", spoil: func(e *Evidence) {
		o := e.op(4, "fail", "w1")
		o.Status, o.Kind = "", ""
		e.answersLate()
	}},
	{claim: "A person who buys again pays for one more call", spoil: (*Evidence).buysAgain},
	{claim: "A person who buys again has paid for it, also if what was given up comes after all", spoil: func(e *Evidence) {
		e.buysAgain()
		a, r := e.try("k5a"), *e.picture(5)
		a.State, a.ErrorKind, a.ErrorMsg, a.FinishedAt = succeeded, "", "", e.Run.Settled
		r.ID, r.AttemptID, r.StorageKey, r.SHA256 = 100, a.ID, "5/5-0.png", find(e.Ledger, func(l *Entry) bool { return l.Tag == "t-000005" }).Pictures[0]
		e.Tables.Results = append(e.Tables.Results, r)
		e.Pictures[r.StorageKey] = Picture{r.SHA256, r.FileSize}
	}},
}

var helds = []spoiled{
	{"A late answer that completes what was not held is found", "I5", "moved without a retry", func(e *Evidence) {
		e.op(4, "fail", "w1").Kind = "timeout"
		e.answersLate()
	}},
	{"A late answer under a fence that the row never had is found", "I4", "no order of its operations explains them", func(e *Evidence) { e.answersLate().Fence++ }},
	{"A held task that anything but its late answer moves is found", "I5", "moved without a retry", func(e *Evidence) { e.answersLate().Op = "save" }},
	{"A held task that completes before its answer has come is found", "I5", "was seen failed", func(e *Evidence) {
		e.answersLate()
		e.try("k4").FinishedAt = When{e.Run.Began.Add(21 * time.Second)}
	}},
	{"What a person has given up as charged is completed by nothing that comes late", "I5", "moved without a retry", func(e *Evidence) {
		e.answersLate()
		e.op(4, "fail", "w1").Kind = charged
		e.failsAgain()
	}},
	{"A task that its late answer has completed stays completed", "I5", "was seen completed", func(e *Evidence) {
		e.answersLate()
		at := When{e.Run.Began.Add(50 * time.Second)}
		e.Clients = append(e.Clients, Told{At: at, Event: "seen", Task: 4, Tag: "t-000004", Detail: completed},
			Told{At: When{at.Add(time.Second)}, Event: "seen", Task: 4, Tag: "t-000004", Detail: failed})
	}},
	{"Buying again authorises one purchase and not two", "I3", "charged 3 times", func(e *Evidence) {
		e.buysAgain()
		a := *e.try("k5b")
		a.ID, a.Number, a.Key, a.CostMicros = 100, 3, "k5c", nil
		e.Tables.Attempts = append(e.Tables.Attempts, a)
		e.again(*find(e.Ledger, func(l *Entry) bool { return l.Tag == "t-000005" && !l.Cut }))
	}},
	{"Buying again does not deny the call that it gives up", "I3", "the journal admits 1 calls", func(e *Evidence) {
		e.buysAgain()
		e.try("k5a").State = rejected
	}},
}
