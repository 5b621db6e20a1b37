//go:build unix

package servertest

import (
	"bytes"
	"sync"
)

// Output keeps what is written to it, by several at once and while a test reads it.
type Output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write takes all of b.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(b)
}

// String is what was written until now.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
