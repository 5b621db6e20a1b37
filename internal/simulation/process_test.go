package simulation

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
)

var (
	errDead = errors.New("this process was killed")
	errLost = errors.New("connection reset by peer")
	errAway = errors.New("connection refused")
)

// process is one operating system process as the world sees it: its memory runs
// on, but everything it does outside of that goes through pass.
type process struct {
	id   string
	slot int           // which worker it is; -1 for producers and people
	skew time.Duration // how far its clock is off, as Redis and the database get to see it

	mu       sync.Mutex
	frozen   chan struct{} // closed when the process goes on; nil while it runs
	dead     bool
	loses    int       // replies of Redis that get lost on the way to it
	beatless time.Time // until then no heartbeat of it gets through
	sessions map[*session]bool
	conns    map[net.Conn]bool

	db     *sql.DB
	tasks  *store.Store
	redis  *redis.Client
	queue  *queue.Queue
	client *enqueue.Client

	ending context.CancelFunc
	ended  chan struct{}
}

// pass waits while the process is frozen. An error means that it is dead.
func (p *process) pass() error {
	for {
		p.mu.Lock()
		frozen, dead := p.frozen, p.dead
		p.mu.Unlock()
		switch {
		case dead:
			return errDead
		case frozen == nil:
			return nil
		}
		<-frozen
	}
}

func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen == nil && !p.dead
}

// freeze stops the process at whatever it does next. Its open transactions end,
// as a server ends them when it misses its client: a frozen client must not
// keep the one writer that SQLite has.
func (p *process) freeze() {
	p.mu.Lock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
	var open []*session
	for s := range p.sessions {
		open = append(open, s)
	}
	p.mu.Unlock()
	for _, s := range open {
		s.abandon()
	}
}

// thaw lets the process go on.
func (p *process) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// breakOff makes everything that a killed process still waits for fail, so that its
// goroutines end.
func (p *process) breakOff() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.thaw()
}

// disconnect breaks the connections to Redis.
func (p *process) disconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// loseReply makes the next reply of Redis get lost after the command was done.
func (p *process) loseReply() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses++
}

func (p *process) lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loses == 0 {
		return false
	}
	p.loses--
	return true
}

func (p *process) setBeatless(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beatless = until
}

// beats holds a heartbeat up for as long as none gets through.
func (p *process) beats(ctx context.Context) error {
	p.mu.Lock()
	left := time.Until(p.beatless)
	p.mu.Unlock()
	return sleep(ctx, left)
}

// shifted returns args with the points in time among them as the clock of p shows
// them. One that the database had given would be shifted too; no statement of a
// worker gives any back.
func (p *process) shifted(args []driver.NamedValue) []driver.NamedValue {
	if p.skew == 0 {
		return args
	}
	all := slices.Clone(args)
	for i, a := range all {
		if t, ok := a.Value.(time.Time); ok {
			all[i].Value = t.Add(p.skew)
		}
	}
	return all
}

// sleep waits for d of fake time or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
