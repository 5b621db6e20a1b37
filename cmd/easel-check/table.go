package main

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/easelqueue/easel/check"
)

// shown is how many violations of one invariant are listed for people; JSON has all.
const shown = 100

// table prints a report for people.
func table(w io.Writer, r check.Report) error {
	out := bufio.NewWriter(w)
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range r.Judgements {
		state := string(v.State)
		if v.State == check.Violated {
			state = fmt.Sprintf("VIOLATED %d", len(v.Violations))
		}
		note := ""
		if v.Note != "" {
			note = " (" + v.Note + ")"
		}
		fmt.Fprintf(columns, "%s\t%s\t%s%s\n", v.ID, state, v.Claim, note)
	}
	columns.Flush() // into a buffer that keeps its error
	c := r.Counts
	fmt.Fprintf(out, "\ntasks %d %v, acknowledged %d, lost acknowledgements %d, attempts %d, results %d\n",
		c.Tasks, c.Statuses, c.Acknowledged, c.LostAcks, c.Attempts, c.Results)
	fmt.Fprintf(out, "billed %d, of them again %d; duplicates %d, unknown %d, late %d, open attempts %d\n",
		c.Billed, c.BilledAgain, c.Duplicates, c.Unknown, c.Late, c.OpenAttempts)
	fmt.Fprintf(out, "faults %d, of them ambiguous %d; resumed %d, zombies refused %d, operations %d\n",
		c.Faults, c.Ambiguous, c.Resumed, c.ZombiesRefused, c.Operations)
	for _, v := range r.Judgements {
		violations(out, v)
	}
	for _, s := range r.Stories {
		fmt.Fprintf(out, "\n%s\n%s", subject(s.Task, s.Tag), s.Timeline)
	}
	if r.Untold > 0 {
		fmt.Fprintf(out, "\n%d more stories are left out; -stories says how many are told\n", r.Untold)
	}
	return out.Flush()
}

func violations(out io.Writer, v check.Judgement) {
	for i, one := range v.Violations {
		if i == 0 {
			fmt.Fprintln(out)
		}
		if i == shown {
			fmt.Fprintf(out, "%s: %d more\n", v.ID, len(v.Violations)-shown)
			return
		}
		if who := subject(one.Task, one.Tag); who != "" {
			fmt.Fprintf(out, "%s: %s: %s\n", v.ID, who, one.Text)
		} else {
			fmt.Fprintf(out, "%s: %s\n", v.ID, one.Text)
		}
	}
}

func subject(task int64, tag string) string {
	switch {
	case task != 0 && tag != "":
		return fmt.Sprintf("task %d (%s)", task, tag)
	case task != 0:
		return fmt.Sprintf("task %d", task)
	}
	return tag
}
