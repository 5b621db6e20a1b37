package simulation

import (
	"math/rand/v2"
	"time"
)

// dice makes a schedule from a seed.
type dice struct {
	*rand.Rand
	over time.Duration
}

// kinds are the faults of random schedules, each with its weight and how it is drawn.
var kinds = []struct {
	weight int
	draw   func(d dice) fault
}{
	{6, func(d dice) fault { return d.worker(kill, time.Second, 20*time.Second) }},
	{6, func(d dice) fault { return d.worker(pause, 2*time.Second, 70*time.Second) }},
	{2, func(d dice) fault { return d.worker(drain, time.Second, 10*time.Second) }},
	{2, func(d dice) fault { return d.world(killProducer) }},
	{1, func(d dice) fault {
		return d.at(fault{Kind: killProducer, Slot: producers, Op: "insert", After: true, N: 1})
	}},
	{3, func(d dice) fault { return d.world(flushAll) }},
	{2, func(d dice) fault { return d.world(dropWires) }},
	{3, func(d dice) fault { return d.count(d.worker(loseReplies, 0, 0), 3) }},
	{2, func(d dice) fault { return d.lasting(redisAway, 5*time.Second, 60*time.Second) }},
	{2, func(d dice) fault { return d.lasting(redisHangs, 5*time.Second, 60*time.Second) }},
	{3, func(d dice) fault { return d.moment(commandFails, false, redisMoments...) }},
	{3, func(d dice) fault { return d.moment(commandLost, true, redisMoments...) }},
	{2, func(d dice) fault { return d.lasting(databaseAway, time.Second, 30*time.Second) }},
	{4, func(d dice) fault { return d.moment(statementFails, false, sqlMoments...) }},
	{4, func(d dice) fault { return d.moment(statementLost, true, sqlMoments...) }},
	{4, func(d dice) fault { return d.count(d.world(vandal), 36) }},
	{2, func(d dice) fault { return d.count(d.world(cancels), 2) }},
	{2, func(d dice) fault { return d.count(d.world(retries), 3) }},
	{2, func(d dice) fault { return d.lasting(storageFull, 5*time.Second, 60*time.Second) }},
	{2, func(d dice) fault { return d.lasting(pollsFail, 5*time.Second, 60*time.Second) }},
	{1, func(d dice) fault { return d.lasting(unknownYet, 2*time.Second, 120*time.Second) }},
	{1, func(d dice) fault { return d.lasting(halves, 2*time.Second, 120*time.Second) }},
	{2, func(d dice) fault { return d.worker(poolTaken, time.Second, 5*lease) }},
	{2, func(d dice) fault { return d.worker(beatBlocked, time.Second, 5*lease) }},
	{2, func(d dice) fault {
		f := d.lasting(clockJumps, time.Second, 5*lease)
		f.Arg = []int{60, -60}[d.IntN(2)]
		return f
	}},
	{2, func(d dice) fault { return d.moment(kill, d.IntN(2) == 0, steps...) }},
	{2, func(d dice) fault {
		f := d.moment(pause, d.IntN(2) == 0, steps...)
		f.For = time.Duration(10+d.IntN(50)) * time.Second
		return f
	}},
	{1, func(d dice) fault { return d.world(refusedCall) }},
	{2, func(d dice) fault { return d.world(tooMany) }},
	{2, func(d dice) fault { return d.world(busy) }},
	{2, func(d dice) fault { return d.world(paid500) }},
	{2, func(d dice) fault { return d.world(cutAnswer) }},
	{4, func(d dice) fault { return d.world(ownFault) }},
	{1, func(d dice) fault { return d.world(badGateway) }},
	{1, func(d dice) fault { return d.world(hangs) }},
	{1, func(d dice) fault { return d.world(lateAnswer) }},
	{2, func(d dice) fault { return d.world(jobFails) }},
}

var (
	redisMoments = []string{"redis", "ack", "dequeue", "publish"}
	sqlMoments   = []string{"sql", "commit", "claim", "begin", "accept", "answer", "save", "fail", "release", "heartbeat", "published"}

	// steps are the stations of a task.
	steps = []string{"claim", "begin", "submit", "submit dialled", "accept", "poll", "answer", "put", "save", "ack"}
)

// randomPlan is the plan of a seed: forty tasks at two services on three workers.
func randomPlan(seed uint64) plan {
	over := 18 * time.Minute
	d := dice{rand.New(rand.NewPCG(seed, 0)), over}
	p := plan{Seed: seed, Workers: 3, Tasks: 40, Over: over, Until: over + time.Minute}
	classes := []string{"idempotent", "lookup", "async", "sync"}
	first := int(seed % 4)
	for _, class := range []string{classes[first], classes[(first+1+d.IntN(3))%4]} {
		policy := "-hold"
		if d.IntN(4) == 0 {
			policy = "-retry"
		}
		p.Providers = append(p.Providers, class+policy)
	}
	if d.IntN(6) == 0 {
		p.Faults = append(p.Faults, fault{Kind: clockOff, Slot: d.IntN(3), For: []time.Duration{70 * time.Second, -70 * time.Second}[d.IntN(2)]})
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	for range 25 {
		n := d.IntN(total)
		for _, k := range kinds {
			if n -= k.weight; n < 0 {
				p.Faults = append(p.Faults, k.draw(d))
				break
			}
		}
	}
	return p
}

func (d dice) at(f fault) fault {
	f.At = time.Duration(d.Int64N(int64(d.over))).Round(time.Millisecond)
	return f
}

func (d dice) world(kind string) fault { return d.at(fault{Kind: kind, Slot: any_}) }

func (d dice) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(d.Int64N(int64(most-least)+1))).Round(time.Millisecond)
}

func (d dice) lasting(kind string, least, most time.Duration) fault {
	f := d.world(kind)
	f.For = d.between(least, most)
	return f
}

func (d dice) worker(kind string, least, most time.Duration) fault {
	f := d.lasting(kind, least, most)
	f.Slot = d.IntN(3)
	return f
}

func (d dice) count(f fault, n int) fault {
	f.Arg = 1 + d.IntN(n)
	return f
}

// moment is a fault at one of the next times that somebody does one of ops.
func (d dice) moment(kind string, after bool, ops ...string) fault {
	f := d.world(kind)
	f.Op, f.N, f.After = ops[d.IntN(len(ops))], 1+d.IntN(3), after
	return f
}
