package queue

import (
	"context"
	"testing"
	"time"
)

func TestWasRun(t *testing.T) {
	// hear runs a server and returns, for each delivery, whether a person had run it.
	hear := func(t *testing.T, q *Queue, verdict func(call int) Verdict) chan bool {
		heard := make(chan bool, 10)
		calls := 0
		serve(t, Server{Queue: q, Handler: func(ctx context.Context, r Delivery) Verdict {
			run, err := q.WasRun(ctx, r)
			if err != nil {
				t.Error(err)
			}
			calls++
			heard <- run
			return verdict(calls)
		}})
		return heard
	}
	archives := func(int) Verdict { return Verdict{Action: Archive, Reason: "moderated"} }
	onBoth(t, claims{
		"A person's Run is told from a first delivery": func(t *testing.T, q *Queue) {
			heard := hear(t, q, archives)
			publishAll(t, q, delivery(1))
			if receive(t, "it comes", heard) {
				t.Error("the first delivery counts as a Run")
			}
			eventually(t, "it is archived", func() bool { return state(t, q, delivery(1)) == Archived })
			must(t, inspector(q).RunTask("openai", "1.0"))
			if !receive(t, "it comes again", heard) {
				t.Error("the Run is not seen")
			}
		},
		"A Run of all archived ones is seen as well": func(t *testing.T, q *Queue) {
			heard := hear(t, q, archives)
			publishAll(t, q, delivery(1))
			receive(t, "it comes", heard)
			eventually(t, "it is archived", func() bool { return state(t, q, delivery(1)) == Archived })
			if n, err := inspector(q).RunAllArchivedTasks("openai"); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if !receive(t, "it comes again", heard) {
				t.Error("the Run is not seen")
			}
		},
		"A Run is remembered while the handler has to wait": func(t *testing.T, q *Queue) {
			heard := hear(t, q, func(call int) Verdict {
				if call == 1 {
					return archives(call)
				}
				return Verdict{Action: Retry, Reason: "no database"}
			})
			publishAll(t, q, delivery(1))
			receive(t, "it comes", heard)
			eventually(t, "it is archived", func() bool { return state(t, q, delivery(1)) == Archived })
			must(t, inspector(q).RunTask("openai", "1.0"))
			for range 3 {
				if !receive(t, "it comes again", heard) {
					t.Fatal("the Run is forgotten")
				}
			}
		},
		"A lost write of asynq is no Run": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1))
			must(t, q.Archive(t.Context(), delivery(1), "moderated"))
			must(t, inspector(q).RunTask("openai", "1.0"))
			begin(t, q, delivery(1), time.Now().Add(-time.Minute)) // a worker took it and its verdict was lost
			heard := hear(t, q, archives)                          // asynq's recoverer looks when a server starts
			if receive(t, "it comes again", heard) {
				t.Error("it counts as a Run")
			}
		},
		"What is put into the archive while it is handled was not run": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1))
			must(t, q.Archive(t.Context(), delivery(1), "moderated"))
			if run, err := q.WasRun(t.Context(), delivery(1)); run || err != nil {
				t.Error(run, err)
			}
		},
		"What a person archived counts once Archive has stamped it": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1))
			must(t, inspector(q).ArchiveTask("openai", "1.0"))
			must(t, q.Archive(t.Context(), delivery(1), "archived in asynqmon"))
			must(t, inspector(q).RunTask("openai", "1.0"))
			if run, err := q.WasRun(t.Context(), delivery(1)); !run || err != nil {
				t.Error(run, err)
			}
		},
		"What a former release archived counts as well": func(t *testing.T, q *Queue) {
			publishAll(t, q, delivery(1))
			must(t, q.archive(t.Context(), delivery(1), formerPrefix+"moderated"))
			must(t, inspector(q).RunTask("openai", "1.0"))
			if run, err := q.WasRun(t.Context(), delivery(1)); !run || err != nil {
				t.Error(run, err)
			}
		},
		"It is answered although asynq does not know the queue, or the delivery": func(t *testing.T, q *Queue) {
			if run, err := q.WasRun(t.Context(), delivery(1)); run || err != nil {
				t.Error(run, err)
			}
			publishAll(t, q, delivery(1))
			must(t, q.Archive(t.Context(), delivery(1), "moderated"))
			must(t, inspector(q).RunTask("openai", "1.0"))
			must(t, q.Redis.Del(t.Context(), allQueues).Err())
			if run, err := q.WasRun(t.Context(), delivery(1)); !run || err != nil {
				t.Error(run, err)
			}
		},
	})
}
