package httpserver

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// phase is what a connection is doing.
type phase int

const (
	sending phase = iota // its request has not come as a whole
	idle                 // it may bring another request
	served               // its request is being answered
)

// grace is how long a connection that sends is not sent away: a request that comes at
// once needs less.
const grace = 250 * time.Millisecond

// stuck is how long who is being answered may take no byte, where others wait.
const stuck = 5 * time.Second

// gate bounds the connections of a server. When it is full a new one takes the place
// of the one that has been idle for longest, or else of the one that has been sending
// its request for longest: whoever asks at once is let in, also while others keep
// hundreds of connections waiting. Where all are being served it waits for one to end,
// or for one that takes nothing of its answer.
type gate struct {
	net.Listener
	most int

	mu    sync.Mutex
	freed sync.Cond
	open  map[*conn]struct{}
	shut  bool
}

func newGate(l net.Listener, most int) *gate {
	g := &gate{Listener: l, most: most, open: make(map[*conn]struct{})}
	g.freed.L = &g.mu
	return g
}

// conn is a connection that counts.
type conn struct {
	net.Conn
	gate  *gate
	phase phase     // guarded by gate.mu, and so are the others
	since time.Time // when the phase began
	write time.Time // since when a piece of the answer is to be taken; zero if none is
}

func (g *gate) Accept() (net.Conn, error) {
	if !g.room() {
		return nil, net.ErrClosed
	}
	accepted, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, gate: g, since: time.Now()}
	g.mu.Lock()
	g.open[c] = struct{}{}
	var last *conn
	if len(g.open) > g.most {
		last = g.dispensable(c)
	}
	g.mu.Unlock()
	if last != nil {
		last.Close()
	}
	return c, nil
}

// room waits until there is room for one more, or somebody who can be sent away.
func (g *gate) room() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.shut && len(g.open) >= g.most && g.dispensable(nil) == nil {
		look := time.AfterFunc(grace, g.freed.Broadcast)
		g.freed.Wait()
		look.Stop()
	}
	return !g.shut
}

// dispensable is the connection that has to go for another, or nil.
func (g *gate) dispensable(but *conn) (last *conn) {
	most := needed
	for c := range g.open {
		n := c.need()
		if c != but && (n < most || n == most && last != nil && c.since.Before(last.since)) {
			last, most = c, n
		}
	}
	return last
}

const needed = 3

// need is how much it matters that the connection stays: the least goes first, and
// needed does not go.
func (c *conn) need() int {
	switch {
	case c.phase == idle:
		return 0
	case c.phase == sending && time.Since(c.since) >= grace:
		return 1
	case c.phase == served && !c.write.IsZero() && time.Since(c.write) >= stuck:
		return 2
	}
	return needed
}

func (g *gate) Close() error {
	g.mu.Lock()
	g.shut = true
	g.freed.Broadcast()
	g.mu.Unlock()
	return g.Listener.Close()
}

func (c *conn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.open, c)
	c.gate.freed.Signal()
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// Write gives each piece of an answer its own time, so that who reads none of it does
// not hold a connection for ever.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(taking)); err != nil {
		return 0, err
	}
	c.writes(time.Now())
	defer c.writes(time.Time{})
	return c.Conn.Write(b)
}

func (c *conn) writes(since time.Time) {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	c.write = since
}

// is notes what the connection is doing now.
func (c *conn) is(p phase) {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	if c.phase != p {
		c.phase, c.since = p, time.Now()
		c.gate.freed.Signal()
	}
}

// follow is a http.Server's ConnState.
func follow(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case http.StateIdle:
		c.is(idle)
	case http.StateActive:
		c.is(sending)
	case http.StateHijacked:
		c.is(served)
	}
}
