package check

import (
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

// breach is what no order of a task's operations explains.
type breach int

const (
	ofFence breach = iota + 1 // a write with an older fence was accepted
	ofEnd                     // the fences are right, and something moved a final row
)

// position is where a task stands in the model of its history: its fence, and
// whether it is final, if the history says so.
type position struct {
	fence   int64
	end     end
	several bool // it has made several calls
}

type end int

const (
	open end = iota
	ended
	held  // failed because nobody knew the outcome of a call, or by the last of several: a late answer may still complete it
	maybe // a fail that does not say what became of the row
)

// next applies an operation that worked. Claims, and whoever else takes a task
// away, were given a fence that is newer than any; writes may not present an older one.
// Between two operations of the history the fence may have grown by others.
func (p position) next(o *Op) (position, bool) {
	takes := o.Op == "claim" || o.Op == "reclaim" || o.Op == "archive" || o.Op == "cancel" || o.Op == "retry"
	if o.Fence < p.fence || takes && o.Fence == p.fence {
		return p, false
	}
	switch o.Op {
	case "retry":
		return position{o.Fence, open, p.several}, p.end != open
	case "came_late": // takes no fence: it finds the row as it was left
		return position{o.Fence, ended, p.several}, o.Fence == p.fence && (p.end == held || p.end == maybe)
	}
	after := open
	switch {
	case o.Op == "fail" && o.Status == failed && (o.Kind == outcomeUnknown || p.several && o.Kind != charged && o.Kind != deadline):
		after = held
	case o.Op == "save", o.Op == "archive", o.Op == "cancel", o.Op == "fail" && final(o.Status):
		after = ended
	case o.Op == "fail" && o.Status == "":
		after = maybe
	}
	return position{o.Fence, after, p.several}, p.end != ended && p.end != held
}

// step is next for an operation of which the client may never have heard. That
// one may also not have happened; the search is free to put it at the very end.
func (p position) step(o *Op) (position, bool) {
	if !o.Unknown {
		return p.next(o)
	}
	known := *o
	switch {
	case o.Fence == 0 && o.Op == "came_late":
		known.Fence = p.fence
	case o.Fence == 0:
		known.Fence = p.fence + 1
	}
	if after, legal := p.next(&known); legal {
		return after, true
	}
	return p, true
}

// model is that of one task, of several calls or of fewer. Without ends it looks at fences alone.
func model(ends, several bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return position{several: several} },
		Step: func(state, input, _ any) (bool, any) {
			p := state.(position)
			if !ends {
				p.end = maybe
			}
			after, legal := p.step(input.(*Op))
			return legal, after
		},
	}
}

// searchHistories looks, task by task, for an order of the operations that
// explains what each of them returned.
func (b *books) searchHistories() {
	b.histories = make(map[int64]breach)
	deadline := time.Now().Add(b.Limits.Search)
	for _, d := range b.all {
		switch found, decided := explain(d.history(), len(d.attempts) > 1, deadline); {
		case !decided:
			b.undecided++
		case found != 0:
			b.histories[d.id] = found
		}
	}
}

// explain searches once with the ends, and if there is no order once more
// without them, to tell which of the two is broken.
func explain(history []porcupine.Operation, several bool, deadline time.Time) (found breach, decided bool) {
	if len(history) == 0 {
		return 0, true
	}
	for _, try := range []struct {
		model porcupine.Model
		found breach // by what came before
	}{{model(true, several), 0}, {model(false, several), ofEnd}} {
		left := time.Until(deadline)
		if left <= 0 {
			return 0, false
		}
		switch porcupine.CheckOperationsTimeout(try.model, history, left) {
		case porcupine.Ok:
			return try.found, true
		case porcupine.Unknown:
			return 0, false
		}
	}
	return ofFence, true
}

// history is what worked, or may have. What was refused changed nothing.
func (d *dossier) history() []porcupine.Operation {
	var ops []porcupine.Operation
	for _, o := range d.ops {
		if !o.OK && !o.Unknown {
			continue
		}
		end := o.Return
		if o.Unknown {
			end = math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{Input: o, Call: o.Call, Return: end})
	}
	return ops
}

// judgeFences is I4: by the history, and by what the tables show of it.
func judgeFences(b *books, f *finding) {
	for _, d := range b.all {
		if b.histories[d.id] == ofFence {
			f.against(d, "no order of its operations explains them: a write with an older fence was accepted, or a fence was given twice")
		}
		if d.row == nil {
			continue
		}
		last := int64(0)
		for _, a := range d.attempts {
			if a.Fence < last {
				f.against(d, "attempt %d was begun with fence %d, after one with %d", a.Number, a.Fence, last)
			}
			last = max(last, a.Fence)
		}
		if last > d.row.Fence {
			f.against(d, "fence is %d, and an attempt was begun with %d", d.row.Fence, last)
		}
		d.judgeLastFence(f)
	}
	if b.undecided > 0 {
		f.add("for %d tasks no order was found or ruled out in %s", b.undecided, b.Limits.Search)
	}
	if len(b.History) == 0 {
		f.note = "there is no history; judged by the tables alone"
	}
}

// judgeLastFence compares the row's fence with those of the history. Nobody
// touches the fence of a completed row, so it is the one that saved it.
func (d *dossier) judgeLastFence(f *finding) {
	for _, o := range d.ops {
		switch {
		case !o.OK || o.Unknown:
		case o.Fence > d.row.Fence:
			f.against(d, "fence is %d, and %s by %s had %d", d.row.Fence, o.Op, o.Client, o.Fence)
		case o.Op == "save" && o.Fence < d.row.Fence && d.row.Status == completed:
			f.against(d, "%s saved it with fence %d, and by then it was %d", o.Client, o.Fence, d.row.Fence)
		}
	}
}
