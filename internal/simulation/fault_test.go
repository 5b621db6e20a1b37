package simulation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fault is one thing that goes wrong, at a time or at a moment.
type fault struct {
	Kind string
	At   time.Duration // since the beginning; with Op, when it begins to wait for its moment
	Slot int           // which worker; any for all that fits

	// The moment: the N-th time, counted from At, that a process does Op,
	// before it does or after it has.
	Op    string
	N     int
	After bool

	For time.Duration // how long it lasts, or until the process is replaced
	Arg int           // what else Kind needs
}

const any_ = -1

func (f fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s at %s", f.Kind, f.At)
	if f.Op != "" {
		when := "before"
		if f.After {
			when = "after"
		}
		fmt.Fprintf(&b, ", %s %s #%d", when, f.Op, max(f.N, 1))
	}
	if f.Slot != any_ {
		fmt.Fprintf(&b, ", worker %d", f.Slot)
	}
	if f.For > 0 {
		fmt.Fprintf(&b, ", for %s", f.For)
	}
	if f.Arg != 0 {
		fmt.Fprintf(&b, ", %d", f.Arg)
	}
	return b.String()
}

// The kinds of faults. What a kind means says strike or, for those of the
// provider, fault.
const (
	kill         = "worker killed"
	pause        = "worker paused"
	drain        = "worker drained"
	killProducer = "producer killed"
	clockOff     = "clock off"

	flushAll     = "redis flushed"
	dropWires    = "redis connections cut"
	loseReplies  = "redis reply lost" // go-redis sends the command again
	redisAway    = "redis away"
	redisHangs   = "redis hangs"
	commandFails = "redis command fails"
	commandLost  = "redis command unheard" // done, reported as failed

	databaseAway   = "database away"
	clockJumps     = "database clock jumps" // by Arg seconds, and back
	beatBlocked    = "heartbeat blocked"    // no heartbeat of the worker gets through
	poolTaken      = "connections taken"    // all of the worker's, but those that it keeps
	statementFails = "statement fails"
	statementLost  = "statement unheard" // done, reported as failed

	vandal  = "dashboard vandal"
	cancels = "person cancels"
	retries = "person retries"

	storageFull = "storage full"

	refusedCall = "call refused"      // nobody listens: certainly not sent
	tooMany     = "429"               //
	busy        = "503 not executed"  //
	paid500     = "500 after billing" //
	ownFault    = "500 unbilled"      // and the service says so
	badGateway  = "502 page"          // of a gateway; nothing was begun, and nobody may know
	cutAnswer   = "answer cut"        // billed, and the answer is lost
	hangs       = "call hangs"        // billed, and there never is an answer
	lateAnswer  = "late answer"       // the slowest that is still in time
	jobFails    = "job failed"        // not billed
	pollsFail   = "polls fail"        //

	downloadsFail = "downloads fail"
	unknownYet    = "addresses unknown" // a CDN that does not have its pictures yet answers 404
	halves        = "half pictures"     // downloads break off, and nobody says so
)

// ambiguous are the faults after which nobody may know whether a call was made.
var ambiguous = map[string]bool{kill: true, pause: true, beatBlocked: true, paid500: true, badGateway: true, cutAnswer: true, hangs: true}

// arm waits until each fault's time has come and makes it happen, or lets it
// wait for its moment.
func (w *world) arm(ctx context.Context, schedule []fault) {
	sorted := slices.Clone(schedule)
	slices.SortStableFunc(sorted, func(a, b fault) int { return cmp.Compare(a.At, b.At) })
	for _, f := range sorted {
		if sleep(ctx, time.Until(w.began.Add(f.At))) != nil {
			return
		}
		if f.Op == "" {
			w.strike(f, nil)
			continue
		}
		w.mu.Lock()
		w.armed = append(w.armed, &armed{fault: f, left: max(f.N, 1)})
		w.mu.Unlock()
	}
}

// armed is a fault that waits for its moment.
type armed struct {
	fault
	left int
}

// meet is called by every process before and after whatever it does outside of
// its memory, with the names of that. A fault whose moment this is happens
// here. An error before means that it is not done, after that it looks so.
func (w *world) meet(p *process, after bool, ops ...string) error {
	if p.slot == people {
		return nil
	}
	var due []fault
	w.mu.Lock()
	w.armed = slices.DeleteFunc(w.armed, func(a *armed) bool {
		if a.After != after || !slices.Contains(ops, a.Op) || a.Slot != any_ && a.Slot != p.slot {
			return false
		}
		a.left--
		if a.left == 0 {
			due = append(due, a.fault)
		}
		return a.left == 0
	})
	w.mu.Unlock()
	var err error
	for _, f := range due {
		if e := w.strike(f, p); e != nil {
			err = e
		}
	}
	return err
}

// strike makes f happen to p, or to the process in f's slot. The error is what
// p gets to hear.
func (w *world) strike(f fault, p *process) error {
	if p == nil && f.Slot != any_ && f.Slot < len(w.slots) {
		p = w.in(f.Slot)
	}
	if p == nil && f.Slot != any_ {
		return nil // nobody is there to hit
	}
	w.book.fault(f, p)
	switch f.Kind {
	case kill:
		w.kill(p, f.For)
	case pause:
		w.pause(p, f.For)
	case drain:
		w.drain(p, f.For)
	case killProducer:
		w.replaceProducer()
	case flushAll:
		w.redis.FlushAll()
	case dropWires:
		for _, p := range w.everybody() {
			if p.slot != people {
				p.disconnect()
			}
		}
	case loseReplies:
		for range max(f.Arg, 1) {
			p.loseReply()
		}
	case redisAway, redisHangs:
		w.setOutage(&w.noRedis, f)
	case databaseAway:
		w.setOutage(&w.noDatabase, f)
	case storageFull:
		w.setOutage(&w.noStorage, f)
	case pollsFail:
		w.setOutage(&w.noPolls, f)
	case downloadsFail, unknownYet, halves:
		w.setOutage(&w.noDownloads, f)
	case clockJumps:
		w.helpers.Go(func() { w.jump(time.Duration(f.Arg)*time.Second, f.For) }) // whoever meets it may have the turn
	case beatBlocked:
		p.setBeatless(time.Now().Add(f.For))
	case poolTaken:
		w.takePool(p, f.For)
	case commandFails, commandLost, statementFails, statementLost:
		return errLost
	case vandal:
		w.vandalise(f.Arg)
	case cancels:
		w.cancelSome(f.Arg)
	case retries:
		w.retrySome(f.Arg)
	case clockOff:
	default:
		w.fakeProvider.doom(f)
	}
	return nil
}

// outage is until when something is away, and how.
type outage struct {
	until time.Time
	kind  string
}

func (w *world) setOutage(o *outage, f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*o = outage{until: time.Now().Add(f.For), kind: f.Kind}
}

func (w *world) outage(o *outage) (left time.Duration, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Until(o.until), o.kind
}

// patience is how long a client waits for a server that hangs, retries included.
const patience = 12 * time.Second

func (w *world) outageOfRedis(ctx context.Context, p *process) error {
	left, kind := w.outage(&w.noRedis)
	switch {
	case left <= 0 || p.slot == people:
		return nil
	case kind == redisAway:
		return errAway
	}
	if err := sleep(ctx, min(left, patience)); err != nil || left > patience {
		return errLost
	}
	return nil
}

func (w *world) outageOfDatabase(ctx context.Context, p *process) error {
	if left, _ := w.outage(&w.noDatabase); left > 0 && p.slot != people {
		return errAway
	}
	return ctx.Err()
}

// jump puts the database's clock that far ahead of all others, for d.
func (w *world) jump(ahead, d time.Duration) {
	set := func(ahead time.Duration) {
		w.db.turn <- struct{}{}
		w.db.ahead = ahead
		<-w.db.turn
	}
	set(ahead)
	<-time.After(d)
	set(0)
}

// takePool takes each connection of p's pool that comes free, for d.
func (w *world) takePool(p *process, d time.Duration) {
	ctx, over := context.WithTimeout(context.Background(), d)
	w.helpers.Go(func() {
		defer over()
		for {
			c, err := p.db.Conn(ctx)
			if err != nil {
				break
			}
			defer c.Close()
		}
		<-ctx.Done()
	})
}
