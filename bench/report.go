//go:build unix

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// figure is one line of the report.
type figure struct {
	key   string
	title string
	form  string // of a value
}

var figures = []figure{
	{"drain", "drain, tasks/s", "%.0f"},
	{"enqueue_one", "enqueue one at a time, tasks/s", "%.0f"},
	{"enqueue_16", "enqueue one at a time, 16 producers, tasks/s", "%.0f"},
	{"enqueue_1000", "enqueue batches of 1,000, tasks/s", "%.0f"},
	{"enqueue_alone", "the same without the app's rows, tasks/s", "%.0f"},
	{"pickup_p50_ms", "idle, queue to worker, p50, ms", "%.2f"},
	{"pickup_p99_ms", "idle, queue to worker, p99, ms", "%.2f"},
	{"call_p50_ms", "idle, enqueue to provider, p50, ms", "%.2f"},
	{"call_p99_ms", "idle, enqueue to provider, p99, ms", "%.2f"},
	{"idle_requests", "idle, requests to Redis/s", "%.1f"},
	{"idle_statements", "idle, SQL statements/s", "%.1f"},
	{"idle_processor", "idle, worker, % of a processor", "%.1f"},
	{"worker_ms", "processor s per 1,000 tasks, worker", "%.2f"},
	{"postgres_ms", "processor s per 1,000 tasks, PostgreSQL", "%.2f"},
	{"redis_ms", "processor s per 1,000 tasks, Redis", "%.2f"},
	{"all_ms", "processor s per 1,000 tasks, together", "%.2f"},
	{"worker_mib", "memory of the worker, at most, MiB", "%.0f"},
	{"postgres_mib", "memory of PostgreSQL, MiB", "%.0f"},
	{"redis_mib", "memory of Redis, MiB", "%.0f"},
}

// print writes a table in Markdown: medians of the rounds, and the medians of the ratios to the
// first contender, which are taken round by round.
func (r *Report) print(w io.Writer) error {
	fmt.Fprintf(w, "%d processors, PostgreSQL %s, Redis %s, %s; 8 KiB are on the disk after %.2f ms. Drains of %d tasks, %d at once; medians of %d rounds.\n\n",
		r.Machine.Processors, r.Machine.Postgres, r.Machine.Redis, r.Machine.Go, r.Machine.Flush, r.Plan.Tasks, r.Plan.Slots, r.Plan.Rounds)
	first := r.Plan.Only[0]
	head := []string{""}
	for _, name := range r.Plan.Only {
		head = append(head, titles[name])
	}
	for _, name := range r.Plan.Only[1:] {
		head = append(head, titles[name]+" : "+titles[first])
	}
	row(w, head)
	row(w, slices.Insert(slices.Repeat([]string{"--:"}, len(head)-1), 0, "---"))
	for _, f := range figures {
		if line, any := r.line(f, first); any {
			row(w, line)
		}
	}
	return nil
}

func (r *Report) line(f figure, first string) (line []string, any bool) {
	line = []string{f.title}
	for _, name := range r.Plan.Only {
		values := r.Values[name][f.key]
		if len(values) == 0 {
			line = append(line, "–")
			continue
		}
		any = true
		line = append(line, fmt.Sprintf(f.form, median(values)))
	}
	for _, name := range r.Plan.Only[1:] {
		line = append(line, ratio(r.Values[name][f.key], r.Values[first][f.key]))
	}
	return line, any
}

// ratio is the median of the ratios of each round.
func ratio(of, to []float64) string {
	var all []float64
	for i := range min(len(of), len(to)) {
		if to[i] != 0 {
			all = append(all, of[i]/to[i])
		}
	}
	if len(all) == 0 {
		return "–"
	}
	form := "%.2f"
	if median(all) < 0.01 {
		form = "%.4f"
	}
	return fmt.Sprintf(form, median(all))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func row(w io.Writer, cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
