package provider

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/easelqueue/easel/internal/budget"
)

const (
	// longText is how long a text of an answer may be to stay in it, in bytes. Longer
	// ones are pictures in base64, of which an answer may hold hundreds of megabytes.
	longText = 64 << 10
	// longHead is how much of a longer one stays, to tell what it is.
	longHead = 128
	// longEscape is how long an escape in a JSON text is.
	longEscape = len(`\u0000`)
	// The mark stands in the place of the rest. No base64 and no address has its form.
	markBegins, markEnds = "~easel-part-", "~"
)

// sieve takes a JSON document as it arrives and keeps it without the rests of its long
// texts, which go to parts. What is no JSON stays whole, or has what stands between two
// quotes far apart taken for such a text.
type sieve struct {
	kept  bytes.Buffer
	parts parts
	tally tally // of what is no text

	within  bool // a text
	escaped bool // the next byte is part of an escape
	begun   int  // where in kept the text begins
	parted  bool // the text is long: its rest goes to parts
}

// Write never fails.
func (s *sieve) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := s.run(rest)
		if !s.within {
			s.tally.count(rest[:n])
		}
		s.put(rest[:n])
		rest = rest[n:]
		if n == 0 {
			s.step(rest[0])
			rest = rest[1:]
		}
		if s.within && !s.parted && s.kept.Len()-s.begun >= longText {
			s.part()
		}
	}
	return len(p), nil
}

func (s *sieve) put(p []byte) {
	if s.parted {
		s.parts.write(p)
	} else {
		s.kept.Write(p)
	}
}

// run is how many bytes come before one that step has to look at.
func (s *sieve) run(p []byte) int {
	if s.escaped {
		return 0
	}
	p = p[:min(len(p), longText)]
	n := len(p)
	if at := bytes.IndexByte(p, '"'); at >= 0 {
		n = at
	}
	if s.within {
		if at := bytes.IndexByte(p[:n], '\\'); at >= 0 {
			n = at
		}
	}
	return n
}

// step takes one byte that means something.
func (s *sieve) step(b byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.within && b == '\\':
		s.escaped = true
	case s.within && b == '"':
		s.within, s.parted = false, false
	case b == '"':
		s.within, s.begun = true, s.kept.Len()+1
	}
	s.put([]byte{b})
}

// part cuts the long text that is being read, where no escape is cut in two.
func (s *sieve) part() {
	text := s.kept.Bytes()[s.begun:]
	head := longHead
	for bytes.IndexByte(text[head-longEscape:head], '\\') >= 0 {
		if head++; head == len(text) {
			s.begun = s.kept.Len() // escapes all along: look again at what comes
			return
		}
	}
	number := s.parts.begin()
	s.parts.write(text[head:])
	s.kept.Truncate(s.begun + head)
	s.kept.WriteString(markBegins + strconv.Itoa(number) + markEnds)
	s.parted = true
}

// An answer borrows no memory that has no more bytes and no more values than these.
const (
	freeReply  = 1 << 20
	freeValues = 1 << 13
)

// charged borrows memory for a large answer before it takes more of it, as much as the
// largest that is read takes, or half of all: an answer that comes slowly does not
// stop everybody else. The wait holds back what is being sent. What is not to be read
// ends it with an odd.
type charged struct {
	ctx    context.Context // of the call: what is borrowed is given back when it ends
	to     *sieve
	memory *budget.Budget
	owner  string
	factor int // see tally.fault
	paid   bool
}

func (c *charged) Write(p []byte) (int, error) {
	if !c.paid && (c.to.kept.Len() > freeReply || c.to.tally.values > freeValues) {
		c.paid = true
		waiting, cancel := context.WithTimeout(c.ctx, c.patience())
		release, err := c.memory.Acquire(waiting, c.owner, min(int64(c.factor)*(replyCopies*maxKept+treeMemory), c.memory.Half()))
		cancel()
		if err == nil {
			context.AfterFunc(c.ctx, release)
		}
	}
	n, _ := c.to.Write(p) // never fails
	return n, c.to.tally.fault(c.to.kept.Len(), c.factor)
}

// replyPatience is how long an answer waits for memory at most. It is paid for: after that
// it is read without, rather than lost with its call's time.
const replyPatience = 30 * time.Second

// patience leaves three quarters of the call's time to the rest of the answer.
func (c *charged) patience() time.Duration {
	if until, ok := c.ctx.Deadline(); ok {
		return min(replyPatience, time.Until(until)/4)
	}
	return replyPatience
}

// replyCopies is how often a text of an answer lies in memory while it is read.
const replyCopies = 3
