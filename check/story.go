package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLines bounds one story; its middle is left out.
const maxLines = 400

// line is one event of a story.
type line struct {
	at   time.Time
	book string
	text string
}

// stories tells the tasks of the violations, in their order, each once.
func (b *books) stories(judgements []Judgement) (told []Story, untold int) {
	type who struct {
		id  int64
		tag string
	}
	find := make(map[who]*dossier)
	for _, d := range b.all {
		find[who{d.id, d.tag}] = d
	}
	for _, v := range judgements {
		for _, violation := range v.Violations {
			w := who{violation.Task, violation.Tag}
			d, ok := find[w]
			if !ok || w == (who{}) {
				continue
			}
			delete(find, w)
			if len(told) == b.Limits.Stories {
				untold++
				continue
			}
			told = append(told, Story{w.id, w.tag, b.timeline(d)})
		}
	}
	return told, untold
}

// timeline merges what all books say of one task.
func (b *books) timeline(d *dossier) string {
	var lines []line
	note := func(at time.Time, book, format string, args ...any) {
		if !at.IsZero() {
			lines = append(lines, line{at, book, fmt.Sprintf(format, args...)})
		}
	}
	for _, t := range d.told {
		note(t.At.Time, "client", "%s %s", t.Event, brackets("door", t.Door, "detail", t.Detail))
	}
	for _, e := range d.entries {
		note(e.At.Time, "ledger", "%s %s (%s) %s", e.Provider, e.Event, e.Class, brackets("key", e.Key, "job", e.Job,
			"billed", onlyIf(e.Billed), "cut", onlyIf(e.Cut), "drew", shorts(e.Pictures), "detail", e.Detail))
	}
	for _, o := range d.ops {
		note(time.Unix(0, o.Call), "history", "%s by %s %s", o.Op, o.Client, brackets("fence", number(o.Fence), "status", o.Status,
			"kind", o.Kind, "took", span(o), "outcome", outcome(o)))
	}
	for _, a := range d.attempts {
		note(a.SentAt.Time, "attempt", "%d journalled %s", a.Number, brackets("delivery", strconv.Itoa(a.Delivery), "fence", number(a.Fence),
			"worker", a.Worker, "key", a.Key, "provider", a.Provider))
		note(a.AnsweredAt.Time, "attempt", "%d answered", a.Number)
		note(a.FinishedAt.Time, "attempt", "%d is %s %s", a.Number, a.State, brackets("kind", a.ErrorKind, "error", clip(a.ErrorMsg)))
	}
	for _, r := range d.results {
		note(r.CreatedAt.Time, "result", "%d of attempt row %d: picture %d %s", r.ID, r.AttemptID, r.Position,
			brackets("key", r.StorageKey, "sha256", short(r.SHA256), "bytes", number(r.FileSize), "stored", short(b.Pictures[r.StorageKey].SHA256)))
	}
	if d.row != nil {
		note(d.row.CreatedAt.Time, "row", "created %s", brackets("provider", d.row.Provider))
	}
	from, to := b.lifetime(lines)
	for _, fault := range b.ambiguous {
		met := fault.everybody || slices.ContainsFunc(d.attempts, func(a *Attempt) bool { return fault.meets(d, a) })
		if met && between(fault.At.Time, from, to) {
			note(fault.At.Time, "fault", "%s %s", fault.Kind, brackets("target", fault.Target, "until", stamp(fault.Until), "detail", fault.Detail))
		}
	}
	slices.SortStableFunc(lines, func(x, y line) int { return x.at.Compare(y.at) })
	return layout(lines) + d.end()
}

// lifetime is from the first to the last event, with what a fault may add.
func (b *books) lifetime(lines []line) (from, to time.Time) {
	for _, l := range lines {
		if from.IsZero() || l.at.Before(from) {
			from = l.at
		}
		if l.at.After(to) {
			to = l.at
		}
	}
	return from.Add(-b.Limits.Slack), to
}

func layout(lines []line) string {
	var out strings.Builder
	left := max(len(lines)-maxLines, 0)
	for i, l := range lines {
		switch {
		case i < maxLines/2 || i >= maxLines/2+left:
			fmt.Fprintf(&out, "%-30s  %-7s  %s\n", stamp(When{l.at}), l.book, strings.TrimSpace(l.text))
		case i == maxLines/2:
			fmt.Fprintf(&out, "… %d events left out …\n", left)
		}
	}
	return out.String()
}

// end is what is left of the task when all is over.
func (d *dossier) end() string {
	var out strings.Builder
	if r := d.row; r == nil {
		out.WriteString("in the end: no row")
	} else {
		fmt.Fprintf(&out, "in the end: %s %s", r.Status, brackets("delivery", strconv.Itoa(r.Delivery), "fence", number(r.Fence),
			"attempt", fmt.Sprintf("%d of %d", r.Attempt, r.MaxAttempts), "waits", strconv.Itoa(r.Waits), "crashes", strconv.Itoa(r.Crashes),
			"completed", stamp(r.CompletedAt), "kind", r.ErrorKind, "error", clip(r.ErrorMsg), "image_url", clip(r.ImageURL), "cost", amount(r.CostMicros)))
	}
	for _, a := range d.attempts {
		if a.FinishedAt.IsZero() {
			fmt.Fprintf(&out, "; attempt %d is %s", a.Number, a.State)
		}
	}
	for _, q := range d.queued {
		fmt.Fprintf(&out, "; delivery %s is %s in %s", q.ID, q.State, q.Queue)
	}
	return out.String() + "\n"
}

// brackets returns those of name and value, name and value … that have a value.
func brackets(pairs ...string) string {
	var some []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			some = append(some, pairs[i]+"="+pairs[i+1])
		}
	}
	if some == nil {
		return ""
	}
	return "[" + strings.Join(some, " ") + "]"
}

// stamp is a time as stories show it.
func stamp(w When) string {
	if w.IsZero() {
		return ""
	}
	return w.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func amount(n *int64) string {
	if n == nil {
		return "null"
	}
	return number(*n)
}

func onlyIf(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func shorts(hashes []string) string {
	some := make([]string, len(hashes))
	for i, h := range hashes {
		some[i] = short(h)
	}
	return strings.Join(some, ",")
}

// clip shortens a text for a line of a story and keeps it on that line.
func clip(text string) string {
	const enough = 120
	if text == "" {
		return ""
	}
	return fmt.Sprintf("%.*q", enough, text)
}

func span(o *Op) string {
	if o.Unknown {
		return ""
	}
	return time.Duration(o.Return - o.Call).String()
}

func outcome(o *Op) string {
	switch {
	case o.Unknown:
		return "unknown"
	case o.OK:
		return "worked"
	}
	return "refused"
}
