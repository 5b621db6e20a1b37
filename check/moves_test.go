package check

import (
	"fmt"
	"time"
)

var fences = []spoiled{
	{"A zombie's write that was accepted is found", "I4", "a write with an older fence was accepted", func(e *Evidence) {
		o := e.op(6, "save", "w1")
		o.OK = true
	}},
	{"A zombie's write that took the completed row is found", "I4", "saved it with fence 1, and by then it was 3", func(e *Evidence) {
		o := e.op(2, "save", "w1")
		o.Fence = 1
		drop(&e.History, func(o *Op) bool { return o.Task == 2 && (o.Op == "reclaim" || o.Client == "w1" && o.Op == "claim") })
	}},
	{"A fence that was given twice is found", "I4", "a fence was given twice", func(e *Evidence) {
		o := *e.op(1, "claim", "w1")
		o.Client, o.Call, o.Return = "w2", o.Return+1, o.Return+2
		e.History = append(e.History, o)
	}},
	{"A fence that went back is found in the tables", "I4", "was begun with fence 1, after one with 5", func(e *Evidence) {
		e.taskRow(9).Fence, e.try("k92").Fence, e.try("k93").Fence = 5, 5, 1
	}},
	{"An attempt begun with a fence that never was is found", "I4", "an attempt was begun with 9", func(e *Evidence) { e.try("k1").Fence = 9 }},
	{"A row whose fence is older than its history is found", "I4", "fence is 2, and claim by w1 had 3", func(e *Evidence) { e.taskRow(4).Fence = 2 }},
	{"A history for which there was no time is not called good", "I4", "no order was found or ruled out", func(e *Evidence) { e.Limits.Search = -1 }},
}

var ends = []spoiled{
	{"A final row that moved is found in the history", "I5", "moved without a retry", func(e *Evidence) {
		drop(&e.History, func(o *Op) bool { return o.Task == 13 && o.Op == "retry" })
	}},
	{"A task that is claimed after its delivery was archived is found", "I5", "moved without a retry", func(e *Evidence) {
		e.op(2, "reclaim", "r1").Op = "archive"
	}},
	{"A retry of what was not final is found", "I5", "was retried when it was not final", func(e *Evidence) {
		e.op(5, "fail", "w1").Status = pending
	}},
	{"Two saves of one task are found", "I5", "was final and moved", func(e *Evidence) {
		o := *e.op(1, "save", "w1")
		o.Call, o.Return = o.Return+1, o.Return+2
		e.History = append(e.History, o)
	}},
	{"A client that saw a final row move is believed", "I5", "was seen failed", func(e *Evidence) {
		e.Clients = append(e.Clients, Told{At: When{e.Run.Began.Add(50 * time.Second)}, Event: "seen", Task: 4, Tag: "t-000004", Detail: processing})
	}},
	{"A completed task never moves, whoever retries", "I5", "was seen completed", func(e *Evidence) {
		at := When{e.Run.Began.Add(50 * time.Second)}
		e.Clients = append(e.Clients, Told{At: at, Event: "retry", Task: 1, Tag: "t-000001"},
			Told{At: When{at.Add(time.Second)}, Event: "seen", Task: 1, Tag: "t-000001", Detail: pending})
	}},
	{"A cancel that was acknowledged stays", "I5", "was seen cancelled", func(e *Evidence) {
		r := e.taskRow(6)
		r.Status, r.ErrorKind, r.ErrorMsg = failed, "timeout", "no answer"
	}},
}

var budgets = []spoiled{
	{"More attempts than allowed are found", "I6", "has spent 6 attempts of 5", func(e *Evidence) { e.taskRow(9).Attempt = 6 }},
	{"A throttle that spent an attempt is found in the history", "I6", "spent 3 attempts on 1 failures", func(e *Evidence) { e.taskRow(9).Attempt = 3 }},
	{"A throttle that spent an attempt is found in the journal", "I6", "spent 3 attempts on 2 failures", func(e *Evidence) {
		drop(&e.History, isTask(9))
		e.taskRow(9).Attempt = 3
	}},
	{"A crash that spent an attempt is found", "I6", "spent 1 attempts on 0 failures", func(e *Evidence) { e.taskRow(2).Attempt = 1 }},
	{"A fourth call after three that the service failed by its own fault is found", "I6", "2 times in a row are allowed", func(e *Evidence) {
		a := *e.try("k2")
		for i := range 4 {
			a.ID, a.Number, a.Key, a.CostMicros, a.AnsweredAt = int64(200+i), -4+i, fmt.Sprint("own", i), nil, When{}
			a.State, a.ErrorKind, a.ErrorMsg, a.Unbilled = failed, "provider_error", "the service broke", true
			e.Tables.Attempts = append(e.Tables.Attempts, a)
		}
	}},
	{"A task that failed for two crashes is found", "I6", "failed for 2 crashes", func(e *Evidence) { e.taskRow(12).Crashes = 2 }},
	{"A task that failed for a throttle is found", "I6", "failed as rate_limited after 2 waits", func(e *Evidence) { e.taskRow(9).ErrorKind = "rate_limited" }},
}

var drifts = []spoiled{
	{"A row whose delivery is missing is found", "I7", "delivery 8.0 is not in the queue", func(e *Evidence) {
		drop(&e.Redis, func(d *Delivery) bool { return d.ID == "8.0" })
	}},
	{"A delivery whose row is final is found", "I7", "and the row is completed", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "1.0", "retry"}) }},
	{"A delivery without a row is found", "I7", "there is no such row", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "77.0", "active"}) }},
	{"A delivery of another generation is found", "I7", "the row waits for 8.0", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "8.1", "pending"}) }},
	{"A delivery in two queues is found", "I7", "is in the queue 2 times", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema:high", "8.0", "pending"}) }},
	{"Something like a delivery in the queue is found", "I7", "8.x in cinema is pending and names no delivery", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "8.x", "pending"}) }},
	{"Something else in the queue is found", "I7", "names no delivery", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "junk", "active"}) }},
	{"An archived delivery of a row that did not fail is found", "I7", "archived in cinema, and the row is completed", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "5.0", "archived"}) }},
	{"An archived delivery that is not the one that failed is found", "I7", "what failed is 12.3", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "12.2", "archived"}) }},
	{"An archived delivery without a row is found", "I7", "there is no such row", func(e *Evidence) { e.Redis = append(e.Redis, Delivery{"cinema", "78.0", "archived"}) }},
}
