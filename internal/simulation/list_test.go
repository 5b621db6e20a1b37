package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"
)

// placement is a fault that is put before and after steps.
type placement struct {
	kind string
	last time.Duration
	arg  int
	at   []string // the steps; nil is all
}

func (p placement) name() string {
	if p.arg != 0 {
		return fmt.Sprintf("%s by %+d s", p.kind, p.arg)
	}
	return p.kind
}

// placed are the faults that are put before and after each step of a task.
var placed = []placement{
	{kind: kill, last: 5 * time.Second},
	{kind: pause, last: 40 * time.Second},
	{kind: drain, last: time.Second},
	{kind: flushAll},
	{kind: redisAway, last: 45 * time.Second},
	{kind: redisHangs, last: 45 * time.Second},
	{kind: databaseAway, last: 20 * time.Second},
	{kind: storageFull, last: 40 * time.Second},
	{kind: dropWires},
	{kind: cancels},
	{kind: clockJumps, last: 5 * lease, arg: 60},
	{kind: clockJumps, last: 5 * lease, arg: -60},
	{kind: poolTaken, last: 5 * lease},
	{kind: beatBlocked, last: 5 * lease},
	{kind: statementFails, at: []string{"claim", "begin", "accept", "answer", "save"}},
	{kind: commandFails, at: []string{"ack"}},
}

// TestEachStep places every fault before and after every step of one task: these
// are the schedules that a random one may never find. Workers die and sleep in
// every class of provider, the other faults go round the classes.
func TestEachStep(t *testing.T) {
	for i, f := range placed {
		for j, class := range []string{"idempotent", "lookup", "async", "sync"} {
			t.Run(f.name()+", "+class, func(t *testing.T) {
				t.Parallel()
				for k, step := range stepsOf(class) {
					if f.at != nil && !slices.Contains(f.at, step) || !*all && f.kind != kill && f.kind != pause && (i+k)%4 != j {
						continue
					}
					for m, after := range []bool{false, true} {
						if (i+j+k+m)%*thin != 0 {
							continue
						}
						one := fault{Kind: f.kind, Slot: any_, Op: step, After: after, For: f.last, Arg: cmp.Or(f.arg, 1)}
						prove(t, class+"-hold", one)
					}
				}
			})
		}
	}
}

// stepsOf are the steps that a task takes at a service of that class.
func stepsOf(class string) []string {
	if class != "sync" {
		return steps
	}
	return slices.DeleteFunc(slices.Clone(steps), func(step string) bool { return step == "accept" || step == "poll" })
}

// TestProviderFaults lets each thing that a provider does wrong meet one task.
func TestProviderFaults(t *testing.T) {
	for j, class := range []string{"idempotent", "lookup", "async", "sync"} {
		for _, policy := range []string{"-hold", "-retry"} {
			t.Run(class+policy, func(t *testing.T) {
				t.Parallel()
				for i, kind := range []string{refusedCall, tooMany, busy, paid500, ownFault, badGateway, cutAnswer, hangs, lateAnswer, jobFails} {
					if (i+j)%*thin != 0 {
						continue
					}
					prove(t, class+policy, fault{Kind: kind, Slot: any_})
				}
				prove(t, class+policy, fault{Kind: pollsFail, Slot: any_, Op: "poll", For: time.Minute})
				for _, kind := range []string{downloadsFail, unknownYet, halves} {
					prove(t, class+policy, fault{Kind: kind, Slot: any_, Op: "download", For: time.Minute})
				}
			})
		}
	}
}

// TestEachCommand lets the n-th command to Redis, and the n-th statement, of a
// task's life fail, and be done and look as if it had failed; and lets the worker
// that made it die or sleep right after it.
func TestEachCommand(t *testing.T) {
	const last = 60
	for _, class := range []string{"async", "sync"} {
		for _, f := range []fault{
			{Kind: commandFails, Op: "redis"}, {Kind: commandLost, Op: "redis", After: true},
			{Kind: statementFails, Op: "sql"}, {Kind: statementLost, Op: "sql", After: true},
			{Kind: statementFails, Op: "commit"}, {Kind: statementLost, Op: "commit", After: true},
			{Kind: kill, Op: "redis", After: true, For: 5 * time.Second}, {Kind: pause, Op: "redis", After: true, For: 40 * time.Second},
			{Kind: kill, Op: "sql", After: true, For: 5 * time.Second}, {Kind: pause, Op: "sql", After: true, For: 40 * time.Second},
		} {
			t.Run(fmt.Sprintf("%s, %s, %s", class, f.Kind, f.Op), func(t *testing.T) {
				t.Parallel()
				for n := 1; n <= last; n += *stride {
					f.N, f.Slot, f.At = n, any_, taskComes
					prove(t, class+"-hold", f)
				}
			})
		}
	}
}

// taskComes is when the task of a placed fault comes: the workers have settled by then.
const taskComes = 2 * time.Second

// prove lives through one task and one fault on two workers.
func prove(t *testing.T, provider string, f fault) {
	t.Helper()
	p := plan{Seed: 7, Workers: 2, Tasks: 1, First: taskComes, Over: taskComes, Until: 90 * time.Second, Providers: []string{provider}, Faults: []fault{f}}
	t.Run(f.moment(), func(t *testing.T) {
		goOn(t)
		o := run(t, p)
		keep(t, o, fmt.Sprintf("%s %s %s %t %d", provider, f.Kind, f.Op, f.After, f.N))
		if len(o.violations) > 0 {
			broken.Store(true)
			t.Error(o.report(o))
		}
	})
}

// moment says when a placed fault happens, or what it is if it waits for none.
func (f fault) moment() string {
	when := "before"
	if f.After {
		when = "after"
	}
	switch {
	case f.Op == "":
		return f.Kind
	case f.N > 0:
		return fmt.Sprintf("%s %s %d", when, f.Op, f.N)
	}
	return when + " " + f.Op
}
