package simulation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/internal/evidence"
)

// settle waits until every task is final and the queue holds nothing that is
// alive, or for as long as that may take.
func (w *world) settle(ctx context.Context) {
	over := time.Now().Add(settling)
	for time.Now().Before(over) {
		sleep(ctx, 5*time.Second)
		if open, err := w.unfinished(ctx); err != nil || len(open) > 0 {
			continue
		}
		if w.quiet(ctx) {
			return
		}
	}
}

func (w *world) quiet(ctx context.Context) bool {
	entries, err := evidence.Deliveries(ctx, w.person.redis)
	for _, e := range entries {
		if e.State != "archived" {
			return false
		}
	}
	return err == nil
}

// judge has the run judged by a program that shares no code with easel.
func (w *world) judge(ctx context.Context, faultsEnded time.Time) outcome {
	files, err := w.evidence(ctx, faultsEnded, time.Now())
	if err != nil {
		panic(err)
	}
	o := outcome{plan: w.plan, files: files, counts: count(w.logged.String())}
	e, err := check.Read(files)
	if err != nil {
		panic(err)
	}
	for _, f := range w.Faults {
		if f.Kind == clockJumps { // so far apart are the database's book and the fake provider's
			apart := time.Duration(max(f.Arg, -f.Arg))*time.Second + 2*time.Second
			e.Limits.Clock, e.Limits.Slack = apart, apart
		}
	}
	report := e.Judge()
	for _, v := range report.Judgements {
		for _, broken := range v.Violations {
			o.violations = append(o.violations, fmt.Sprintf("%s task %d %s: %s", v.ID, broken.Task, broken.Tag, broken.Text))
		}
	}
	for _, s := range report.Stories {
		o.stories += fmt.Sprintf("  task %d %s\n%s\n%s", s.Task, s.Tag, s.Timeline, said(w.logged.String(), s.Task))
	}
	c := report.Counts
	for name, n := range map[string]int{"tasks": c.Tasks, "attempts": c.Attempts, "billed": c.Billed, "billed again": c.BilledAgain, "unknown": c.Unknown,
		"late": c.Late, "resumed": c.Resumed, "zombies refused": c.ZombiesRefused, "faults": c.Faults, "operations": c.Operations} {
		o.counts[name] = n
	}
	for status, n := range c.Statuses {
		o.counts[status] = n
	}
	return o
}

// said is what the product's log says of a task.
func said(log string, id int64) string {
	var b strings.Builder
	for l := range strings.Lines(log) {
		if at, text, ok := logLine(l, id); ok {
			fmt.Fprintf(&b, "    %s  log  %s\n", at.UTC().Format("15:04:05.000"), text)
		}
	}
	return b.String()
}

func count(log string) map[string]int {
	counts := make(map[string]int)
	for name, text := range map[string]string{"found again": "a lost call was found again", "kept late": "too late: the pictures",
		"taken back": "its worker died", "never sent": "no call was made", "claims given back": "a lost claim was given back"} {
		counts[name] = strings.Count(log, text)
	}
	return counts
}
